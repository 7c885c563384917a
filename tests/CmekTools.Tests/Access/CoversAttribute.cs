namespace CmekTools.Tests.Access;

/// <summary>Which members of the provider's interface a test of the conformance suite holds to their promise.</summary>
/// <param name="members">Their names.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class CoversAttribute(params string[] members) : Attribute
{
    public string[] Members { get; } = members;
}
