using CmekTools.Engine;
using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>A cmdlet that works on one cluster a record, given by name, by id or as an object.</summary>
public abstract class ClusterCommand : SessionCommand
{
    /// <summary>The parameter set for a name.</summary>
    protected const string NameSet = "Name";

    /// <summary>The parameter set for an id.</summary>
    protected const string IdSet = "Id";

    /// <summary>The parameter set for an object.</summary>
    protected const string ClusterSet = "Cluster";

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [Alias("Name")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster's id.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [Alias("Id")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterIdCompleter))]
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>The cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>The cluster as it is now.</summary>
    internal Task<CmekCluster> ResolveClusterAsync() => ParameterSetName switch
    {
        // An object may be old: the cluster is read again.
        _ when Cluster is not null => Op.GetClusterAsync(Cluster.Id),
        _ when ClusterId.Length > 0 => Op.GetClusterAsync(ClusterId),
        _ => ClusterLookup.ByNameAsync(ClusterName, Op),
    };

    /// <summary>How the record names its cluster.</summary>
    internal string Label => Cluster?.Name ?? (ClusterId.Length > 0 ? ClusterId : ClusterName);

    /// <summary>Works on the record's cluster beside the others.</summary>
    /// <param name="within">How old what was read of the cluster may be.</param>
    /// <param name="work">The work.</param>
    internal Task BesideAsync(TimeSpan within, Func<CmekCluster, Operation, Task> work)
    {
        string id = Cluster?.Id ?? ClusterId;
        string name = ClusterName;
        return BesideAsync(Label, async op =>
        {
            CmekCluster cluster = await (id.Length > 0 ? op.RecentClusterAsync(id, within) : ClusterLookup.ByNameAsync(name, op)).ConfigureAwait(false);
            await work(cluster, op).ConfigureAwait(false);
        });
    }
}
