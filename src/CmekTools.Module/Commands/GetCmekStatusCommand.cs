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
    private readonly List<ClusterArgument> _turns = [];
    private readonly HashSet<string> _begun = new(StringComparer.OrdinalIgnoreCase);
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

    internal override Task ProcessAsync()
    {
        _given |= ClusterName.Length > 0;
        return EachOnceAsync(ClusterArgument.All(ClusterName), given =>
        {
            if (given.Id is null)
            {
                // Names are looked up together, in one listing.
                _names.Add(given.Name!);
                _turns.Add(given);
                return Task.CompletedTask;
            }

            if (Ordered && _turns.Count > 0)
            {
                // It comes after a name that is not looked up yet.
                _turns.Add(given);
                return Task.CompletedTask;
            }

            _begun.Add(given.Id);
            return BeginAsync(given);
        });
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
        List<CmekCluster>? all = Ordered && _turns.Count > 1 ? [] : null;
        await foreach (CmekCluster cluster in ClusterListing.ListAsync(Context, Cancellation).ConfigureAwait(false))
        {
            if (!names.Takes(cluster.Name) || _begun.Contains(cluster.Id) || (Provider.Length > 0 && !Provider.Contains(cluster.Provider)))
            {
                continue;
            }

            if (cluster.SupportsCmek || names.Names(cluster.Name))
            {
                all?.Add(cluster);
                if (all is not null)
                {
                    continue;
                }

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

        if (all is not null)
        {
            await InTurnAsync(all, [.. names.Missing()]).ConfigureAwait(false);
            return;
        }

        foreach (CmekException missing in names.Missing())
        {
            await Pipeline.ErrorAsync(missing).ConfigureAwait(false);
        }
    }

    // What was given, each in its turn, its error too; what a name with wildcards stands for in the order of the service's list.
    private async Task InTurnAsync(List<CmekCluster> all, IReadOnlyList<CmekException> missing)
    {
        foreach (ClusterArgument given in _turns)
        {
            if (given.Id is not null)
            {
                await (_begun.Add(given.Id) ? BeginAsync(given) : Task.CompletedTask).ConfigureAwait(false);
                continue;
            }

            WildcardPattern pattern = WildcardPattern.Get(given.Name, WildcardOptions.IgnoreCase);
            foreach (CmekCluster cluster in all.Where(c => pattern.IsMatch(c.Name) && _begun.Add(c.Id)))
            {
                await BeginAsync(cluster.Name, _ => Task.FromResult(cluster)).ConfigureAwait(false);
            }

            if (missing.FirstOrDefault(m => string.Equals(m.Target as string, given.Name, StringComparison.OrdinalIgnoreCase)) is { } error)
            {
                await BesideAsync(given.Name!, _ => throw error).ConfigureAwait(false);
            }
        }
    }

    private Task BeginAsync(ClusterArgument given) => BeginAsync(given.ToString(), op => ResolveAsync(given, RecentClusters.Lasting, op));

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
