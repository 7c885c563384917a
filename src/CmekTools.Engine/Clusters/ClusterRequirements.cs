using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>What a cluster must be, and have, for what is asked of it: a plan with CMEK, a private network, the region.</summary>
internal static class ClusterRequirements
{
    /// <summary>Refuses a cluster that cannot have CMEK.</summary>
    /// <exception cref="CmekException"><c>ClusterPlanUnsupported</c> or <c>ClusterNotPrivate</c>.</exception>
    public static void RequireCmekPossible(CmekCluster cluster)
    {
        if (!cluster.SupportsCmek)
        {
            throw new CmekException(
                "ClusterPlanUnsupported",
                CmekErrorKind.InvalidOperation,
                $"{cluster.Name} is on the plan {cluster.Plan}; CMEK needs ADVANCED (older: DEDICATED).",
                "CMEK cannot be added to this cluster. New-CmekCluster makes one that can have it.",
                cluster);
        }

        if (cluster.NetworkVisibility == "PUBLIC")
        {
            throw new CmekException(
                "ClusterNotPrivate",
                CmekErrorKind.InvalidOperation,
                $"{cluster.Name} has public network visibility; CMEK needs a private cluster, and visibility is set "
                    + "when a cluster is made.",
                "New-CmekCluster makes a private cluster.",
                cluster);
        }
    }

    /// <summary>The cluster's own spelling of a region.</summary>
    /// <exception cref="CmekException"><c>RegionUnknown</c>.</exception>
    public static string RequireRegion(CmekCluster cluster, string region)
    {
        CmekRegion? found = cluster.Regions.FirstOrDefault(r => string.Equals(r.Name, region, StringComparison.OrdinalIgnoreCase));
        return found?.Name ?? throw RegionUnknown(cluster, region);
    }

    /// <summary>
    /// Accesses with the cluster's own spelling of their regions; a region that the cluster does not have stays as it is.
    /// </summary>
    public static IReadOnlyList<CmekAccess> InOwnSpelling(CmekCluster cluster, IEnumerable<CmekAccess> accesses) =>
        [
            .. accesses.Select(
                a => cluster.Regions.FirstOrDefault(r => string.Equals(r.Name, a.Region, StringComparison.OrdinalIgnoreCase)) is { } own
                    ? a with { Region = own.Name }
                    : a),
        ];

    /// <summary>The error for a region that a cluster does not have.</summary>
    public static CmekException RegionUnknown(CmekCluster cluster, string region) => new(
        "RegionUnknown",
        CmekErrorKind.InvalidArgument,
        $"{cluster.Name} has no region '{region}'.{Names.DidYouMean(region, cluster.Regions.Select(r => r.Name))}",
        $"Its regions are {string.Join(", ", cluster.Regions.Select(r => r.Name))}. For a region that is still to be added: New-CmekKey "
            + "-NewRegion, then Add-CmekRegion.",
        region);
}
