using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;

namespace CmekTools.Module.Commands;

/// <summary>Reads what the Cloud API says about the CMEK of clusters: of the whole fleet, or of those named.</summary>
[Cmdlet(VerbsCommon.Get, "CmekStatus", DefaultParameterSetName = "Cluster")]
[OutputType(typeof(CmekStatus), typeof(CmekRegionStatus))]
public sealed class GetCmekStatusCommand : FleetCommand
{
    private readonly List<string> _names = [];
    private bool _given;

    /// <summary>
    /// Names (with wildcards), ids, or objects that say one of them; every cluster that can have CMEK where none is given.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>Only clusters in one of these states; with -Detailed only regions.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public CmekState[] State { get; set; } = [];

    /// <summary>Only clusters on these clouds.</summary>
    [Parameter]
    [ValidateSet(nameof(CmekProvider.AWS), nameof(CmekProvider.GCP), nameof(CmekProvider.AZURE))]
    public CmekProvider[] Provider { get; set; } = [];

    /// <summary>An object a region in place of an object a cluster.</summary>
    [Parameter]
    public SwitchParameter Detailed { get; set; }

    internal override async Task ProcessAsync()
    {
        foreach (ClusterArgument given in ClusterArgument.All(ClusterName))
        {
            _given = true;
            if (given.Id is null)
            {
                // Names are looked up together, in one listing.
                _names.Add(given.Name!);
                continue;
            }

            await BeginAsync(given.ToString(), op => ResolveAsync(given, RecentClusters.Lasting, op)).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        // A pipeline that gave nothing does not mean all of them.
        if (_names.Count == 0 && (_given || MyInvocation.ExpectingInput))
        {
            return;
        }

        ClusterNames names = new(_names);
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
            await Pipeline.VerboseAsync(
                $"{unable} clusters were left out: their plan cannot have CMEK. Get-CmekCluster lists them.").ConfigureAwait(false);
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
        await StatusSettling.ByStatusAsync(cluster, status, op).ConfigureAwait(false);
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
