namespace CmekTools.Engine.BreakGlass;

/// <summary>What a user named: a cluster by name, by id or as an object that was read before.</summary>
/// <param name="Name">The exact name, or null.</param>
/// <param name="Id">The id, or null.</param>
/// <param name="Cluster">The cluster as it was read before, or null.</param>
internal sealed record ClusterRef(string? Name, string? Id, CmekCluster? Cluster)
{
    /// <inheritdoc/>
    public override string ToString() => Cluster?.ToString() ?? Name ?? Id ?? "?";
}
