using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Waits until every region of a cluster is in a state.</summary>
[Cmdlet(VerbsLifecycle.Wait, "CmekStatus", DefaultParameterSetName = NameSet)]
[OutputType(typeof(CmekStatus))]
public sealed class WaitCmekStatusCommand : ClusterCommand
{
    /// <summary>The state to wait for.</summary>
    [Parameter]
    [ValidateSet(nameof(CmekState.ENABLED), nameof(CmekState.DISABLED), nameof(CmekState.REVOKED))]
    public CmekState State { get; set; } = CmekState.ENABLED;

    /// <summary>Only these regions; all of the cluster's where not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string[] Region { get; set; } = [];

    /// <summary>The longest wait, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    internal override async Task ProcessAsync()
    {
        CmekCluster cluster = await ResolveClusterAsync().ConfigureAwait(false);
        string[] regions = Region.Length == 0
            ? [.. cluster.Regions.Select(r => r.Name)]
            : [.. Region.Select(r => ClusterLookup.RequireRegion(cluster, r))];
        CmekStatus status = await StatusWatch.WaitAsync(
            cluster,
            StatusGoal.State($"Waiting for {State}", regions, State),
            TimeSpan.FromSeconds(TimeoutSeconds),
            Op).ConfigureAwait(false);
        await Pipeline.OutputAsync(status).ConfigureAwait(false);
    }
}
