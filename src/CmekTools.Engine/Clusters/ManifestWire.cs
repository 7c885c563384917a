using CmekTools.Engine.CloudApi;

namespace CmekTools.Engine.Clusters;

/// <summary>A manifest's file: the vendor's body, and beside it what is ours and is not sent.</summary>
internal sealed record ManifestWire(
    IReadOnlyList<RegionSpecWire>? RegionSpecs,
    IReadOnlyList<AcceptedDifference>? AcceptedDifferences);
