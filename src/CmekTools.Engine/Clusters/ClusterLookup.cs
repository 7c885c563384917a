using System.Runtime.CompilerServices;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>Finds clusters, and says what is wrong with a name or region that does not fit.</summary>
internal static class ClusterLookup
{
    /// <summary>Every cluster that is not deleted.</summary>
    public static async IAsyncEnumerable<CmekCluster> ListAsync(
        SessionContext session,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (CmekCluster cluster in session.Cloud.ListClustersAsync(cancellation).ConfigureAwait(false))
        {
            if (cluster.State != "DELETED")
            {
                yield return cluster;
            }
        }
    }

    /// <summary>The one cluster of a name.</summary>
    /// <exception cref="CmekException"><c>ClusterNotFound</c> or <c>ClusterNameAmbiguous</c>.</exception>
    public static async Task<CmekCluster> ByNameAsync(string name, Operation op) =>
        Named(name, await AllAsync(op.Session, op.Cancellation).ConfigureAwait(false));

    /// <summary>Every cluster that is not deleted, when all have been listed.</summary>
    public static async Task<IReadOnlyList<CmekCluster>> AllAsync(SessionContext session, CancellationToken cancellation)
    {
        List<CmekCluster> all = [];
        await foreach (CmekCluster cluster in ListAsync(session, cancellation).ConfigureAwait(false))
        {
            all.Add(cluster);
        }

        return all;
    }

    /// <summary>The one cluster of a name among those that were listed.</summary>
    /// <exception cref="CmekException"><c>ClusterNotFound</c> or <c>ClusterNameAmbiguous</c>.</exception>
    public static CmekCluster Named(string name, IReadOnlyCollection<CmekCluster> all)
    {
        CmekCluster[] found = [.. all.Where(c => string.Equals(c.Name, name, StringComparison.OrdinalIgnoreCase))];
        return found.Length switch
        {
            1 => found[0],
            0 => throw new CmekException(
                "ClusterNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no cluster '{name}' that this API key can see.{Names.DidYouMean(name, all.Select(c => c.Name))}",
                "Get-CmekCluster lists what it can see.",
                name),
            _ => throw new CmekException(
                "ClusterNameAmbiguous",
                CmekErrorKind.InvalidArgument,
                $"{found.Length} clusters are called '{name}'.",
                "Give the id of the one that is meant: " + string.Join(", ", found.Select(c => $"{c.Id} ({c.Name}, {c.Provider})")),
                name),
        };
    }

    /// <summary>Refuses a cluster that was found by its id and is not called what came with the id.</summary>
    /// <exception cref="CmekException"><c>ClusterContradicts</c>.</exception>
    public static void RequireName(CmekCluster cluster, string? name)
    {
        if (name is not null && !string.Equals(name, cluster.Name, StringComparison.OrdinalIgnoreCase))
        {
            throw new CmekException(
                "ClusterContradicts",
                CmekErrorKind.InvalidArgument,
                $"The id {cluster.Id} is the cluster '{cluster.Name}', and the name that came with it is '{name}': which one "
                    + "is meant is not guessed.",
                "Give the name or the id, or mend what says both.",
                name);
        }
    }

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
