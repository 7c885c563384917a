using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Waits until every region of a cluster is in a state.</summary>
[Cmdlet(VerbsLifecycle.Wait, "CmekStatus", DefaultParameterSetName = ClusterSet)]
[OutputType(typeof(CmekStatus))]
public sealed class WaitCmekStatusCommand : ClusterCommand
{
    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override object[] ClusterName { get; set; } = [];

    /// <summary>The state to wait for.</summary>
    [Parameter]
    [ValidateSet(nameof(CmekState.ENABLED), nameof(CmekState.DISABLED), nameof(CmekState.REVOKED))]
    public CmekState State { get; set; } = CmekState.ENABLED;

    /// <summary>Only these regions; where not given, those that the records name, or all of the cluster's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string[] Region { get; set; } = [];

    /// <summary>The longest wait, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    internal override Task ProcessAsync() => BesideAsync(RecentClusters.Lasting, Region, async (cluster, wanted, op) =>
    {
        string[] regions = wanted.Count == 0
            ? [.. cluster.Regions.Select(r => r.Name)]
            : [.. wanted.Select(r => ClusterRequirements.RequireRegion(cluster, r))];
        StatusGoal goal = StatusGoal.State($"Waiting for {State}", regions, State);
        await op.Host.OutputAsync(
            await StatusWatch.WaitAsync(
                cluster,
                goal,
                TimeSpan.FromSeconds(TimeoutSeconds),
                op).ConfigureAwait(false)).ConfigureAwait(false);
    });
}
