namespace CmekTools.Engine.Access;

/// <summary>What a read of one thing proves: it is there, it is missing, or it could not be read and proves nothing.</summary>
/// <param name="Value">What was read; null where it is missing or could not be read.</param>
/// <param name="Missing">True where the service says that it does not exist.</param>
/// <param name="Why">Why there is no value.</param>
/// <param name="Permission">The permission that the read needs; empty where the reason names it.</param>
/// <param name="On">What was read; empty where the reason names it.</param>
internal sealed record Evidence<T>(T? Value, bool Missing, string? Why, string Permission = "", string On = "")
    where T : class
{
    /// <summary>True where it could not be read.</summary>
    public bool Hidden => Value is null && !Missing;
}
