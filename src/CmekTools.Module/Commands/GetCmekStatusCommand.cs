using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;

namespace CmekTools.Module.Commands;

/// <summary>Reads what the Cloud API says about the CMEK of clusters: of the whole fleet, or of those named.</summary>
[Cmdlet(VerbsCommon.Get, "CmekStatus", DefaultParameterSetName = NameSet)]
[OutputType(typeof(CmekStatus), typeof(CmekRegionStatus))]
public sealed class GetCmekStatusCommand : FleetCommand
{
    private const string NameSet = "Name";
    private const string IdSet = "Id";
    private const string ClusterSet = "Cluster";

    /// <summary>Names, with wildcards; every cluster that can have CMEK where none is given.</summary>
    [Parameter(Position = 0, ParameterSetName = NameSet)]
    [SupportsWildcards]
    [Alias("Name")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string[] ClusterName { get; set; } = [];

    /// <summary>The clusters' ids.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [Alias("Id")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterIdCompleter))]
    public string[] ClusterId { get; set; } = [];

    /// <summary>The cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>Only clusters in one of these states; with -Detailed only regions.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public CmekState[] State { get; set; } = [];

    /// <summary>Only clusters on these clouds.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public CmekProvider[] Provider { get; set; } = [];

    /// <summary>An object a region in place of an object a cluster.</summary>
    [Parameter]
    public SwitchParameter Detailed { get; set; }

    internal override async Task ProcessAsync()
    {
        if (Cluster is { } cluster)
        {
            await BeginAsync(cluster.Name, op => op.RecentClusterAsync(cluster.Id, RecentClusters.Lasting)).ConfigureAwait(false);
            return;
        }

        foreach (string id in ClusterId)
        {
            await BeginAsync(id, op => op.RecentClusterAsync(id, RecentClusters.Lasting)).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        if (ParameterSetName != NameSet)
        {
            return;
        }

        ClusterNames names = new(ClusterName);
        int unable = 0;
        await foreach (CmekCluster cluster in ClusterLookup.ListAsync(Context, Cancellation).ConfigureAwait(false))
        {
            if (!names.Takes(cluster.Name) || (Provider.Length > 0 && !Provider.Contains(cluster.Provider)))
            {
                continue;
            }

            if (cluster.SupportsCmek || names.Names(cluster.Name))
            {
                await BeginAsync(cluster.Name, _ => Task.FromResult(cluster)).ConfigureAwait(false);
            }
            else
            {
                unable++;
            }
        }

        if (unable > 0)
        {
            await Pipeline.VerboseAsync($"{unable} clusters were left out: their plan cannot have CMEK. Get-CmekCluster lists them.").ConfigureAwait(false);
        }

        foreach (CmekException missing in names.Missing())
        {
            await Pipeline.ErrorAsync(missing).ConfigureAwait(false);
        }
    }

    private Task BeginAsync(string name, Func<Operation, Task<CmekCluster>> read) => BesideAsync(name, async op =>
    {
        CmekCluster cluster = await read(op).ConfigureAwait(false);
        if (Provider.Length > 0 && !Provider.Contains(cluster.Provider))
        {
            return;
        }

        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        await Settling.ByStatusAsync(cluster, status, op).ConfigureAwait(false);
        if (!Detailed)
        {
            if (State.Length == 0 || State.Contains(status.State))
            {
                await op.Host.OutputAsync(status).ConfigureAwait(false);
            }

            return;
        }

        foreach (CmekRegionStatus region in status.Regions.Where(r => State.Length == 0 || State.Contains(r.State)))
        {
            await op.Host.OutputAsync(region).ConfigureAwait(false);
        }
    });
}
