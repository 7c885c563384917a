using System.Runtime.CompilerServices;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>Finds clusters at the service: all, or the one of a name.</summary>
internal static class ClusterListing
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
}
