namespace CmekTools.Engine.BreakGlass;

/// <summary>What a user named: a cluster by name, by id or as an object that was read before.</summary>
/// <param name="Name">The exact name, or null.</param>
/// <param name="Id">The id, or null.</param>
/// <param name="Cluster">The cluster as it was read before, or null.</param>
internal sealed record ClusterRef(string? Name, string? Id, CmekCluster? Cluster)
{
    /// <summary>True where both say the same cluster, by what is known of each without asking.</summary>
    public bool IsSame(ClusterRef other) => Id is not null && other.Id is not null
        ? string.Equals(Id, other.Id, StringComparison.OrdinalIgnoreCase)
        : string.Equals(Name, other.Name, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override string ToString() => Cluster?.ToString() ?? Name ?? Id ?? "?";
}
