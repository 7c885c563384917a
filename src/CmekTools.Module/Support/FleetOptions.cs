namespace CmekTools.Module;

/// <summary>How a cmdlet works on many records.</summary>
/// <param name="Limit">How many at once.</param>
/// <param name="Ordered">Output in the order of the input.</param>
internal sealed record FleetOptions(int Limit, bool Ordered)
{
    /// <summary>
    /// What suits the services where nothing is given: at 10 requests a second, a few requests a record and a second or more for all of
    /// them, this many keep the Cloud API's rate filled; more would only wait in its queue.
    /// </summary>
    public const int DefaultLimit = 32;

    /// <summary>One after the other.</summary>
    public static FleetOptions One { get; } = new(1, Ordered: false);
}
