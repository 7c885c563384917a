namespace CmekTools.Engine.Gcp;

/// <summary>A project's id and number, each null where it is not known.</summary>
/// <param name="Id">For example <c>customer-project</c>.</param>
/// <param name="Number">For example <c>123456789012</c>.</param>
/// <param name="Why">Why the other one is not known.</param>
internal sealed record ProjectNames(string? Id, string? Number, string? Why)
{
    /// <summary>What a name alone tells.</summary>
    public static ProjectNames Of(string project, string? why) =>
        project.All(char.IsAsciiDigit) ? new ProjectNames(null, project, why) : new ProjectNames(project, null, why);
}
