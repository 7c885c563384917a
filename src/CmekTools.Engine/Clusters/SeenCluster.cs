namespace CmekTools.Engine.Clusters;

/// <summary>A cluster of the fleet, as it was seen when everybody was looked at.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Status">What the service says of its CMEK; null where that could not be read.</param>
/// <param name="Why">Why not.</param>
internal sealed record SeenCluster(CmekCluster Cluster, CmekStatus? Status, string? Why);
