using CmekTools.Engine;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>A cmdlet that works on many clusters side by side, each given by name, by id or as an object.</summary>
public abstract class ClusterCommand : FleetCommand
{
    /// <summary>The parameter set for clusters.</summary>
    protected const string ClusterSet = "Cluster";

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    /// <remarks>An object, so that whoever stands in for the command (a proxy, a mock) names no type of the module's own context.</remarks>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public virtual object[] ClusterName { get; set; } = [];

    /// <summary>Works on each of the record's clusters beside the others.</summary>
    /// <param name="within">How old what was read of the cluster may be.</param>
    /// <param name="work">The work.</param>
    internal Task BesideAsync(TimeSpan within, Func<CmekCluster, Operation, Task> work) =>
        BesideAsync(ClusterArgument.All(ClusterName), within, work);

    /// <summary>The same for work that may be about some regions of a cluster only.</summary>
    /// <param name="within">How old what was read of the cluster may be.</param>
    /// <param name="regions">Those that the command was given; where it was given none, each record's own count.</param>
    /// <param name="work">The work; it is given no region where it is about all.</param>
    internal Task BesideAsync(
        TimeSpan within, IReadOnlyList<string> regions, Func<CmekCluster, IReadOnlyList<string>, Operation, Task> work) =>
        RegionsBesideAsync(
            ClusterArgument.All(ClusterName),
            within,
            (cluster, own, op) => work(cluster, regions.Count > 0 ? regions : own, op));
}
