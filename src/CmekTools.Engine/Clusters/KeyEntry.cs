namespace CmekTools.Engine.Clusters;

/// <summary>What one source says of one key of a cluster's region.</summary>
/// <param name="Region">The cluster's region.</param>
/// <param name="KeyUri">The key, in the source's spelling.</param>
/// <param name="Principal">The principal, or null.</param>
/// <param name="Place">Its place, as far as the source knows it.</param>
/// <param name="Source">The source.</param>
internal sealed record KeyEntry(string Region, string KeyUri, string? Principal, CmekKeyPlace Place, KeySources Source)
{
    /// <summary>The service's state, UNKNOWN elsewhere.</summary>
    public CmekState State { get; init; }

    /// <summary>When it was retired, where the source knows.</summary>
    public DateTimeOffset? RetiredAt { get; init; }
}
