using CmekTools.Engine;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>A cmdlet that works on many clusters side by side, each given by name, by id or as an object.</summary>
public abstract class ClusterCommand : FleetCommand
{
    /// <summary>The parameter set for clusters.</summary>
    protected const string ClusterSet = "Cluster";

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public virtual ClusterArgument[] ClusterName { get; set; } = [];

    /// <summary>Works on each of the record's clusters beside the others.</summary>
    /// <param name="within">How old what was read of the cluster may be.</param>
    /// <param name="work">The work.</param>
    internal Task BesideAsync(TimeSpan within, Func<CmekCluster, Operation, Task> work) => BesideAsync(ClusterName, within, work);
}
