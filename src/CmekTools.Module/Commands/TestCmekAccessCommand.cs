using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Checks;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Looks for every reason why enabling CMEK, or a restart of a node, would fail, before it does. Reads only.</summary>
[Cmdlet(VerbsDiagnostic.Test, "CmekAccess", DefaultParameterSetName = NameSet)]
[OutputType(typeof(CmekCheck), typeof(CmekRestorePlan), typeof(bool))]
public sealed class TestCmekAccessCommand : FleetCommand
{
    private const string NameSet = "Name";
    private const string IdSet = "Id";
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private const string ManifestSet = "Manifest";
    private const string ReceiptSet = "Receipt";
    private readonly List<CmekAccess> _accesses = [];
    private bool _sound = true;

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ManifestSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster's id.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterIdCompleter))]
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>The cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>The accesses that are to be used.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    [Alias("Access")]
    public CmekAccess[] InputObject { get; set; } = [];

    /// <summary>The vendor's <c>cmek_config.json</c> that is to be used.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ManifestSet)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>A receipt: the plan of what Restore-CmekAccess would do with it now.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ReceiptSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekReceipt? Receipt { get; set; }

    /// <summary>One answer: true where nothing fails and nothing is unknown but the API key's role, which no call tells.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    internal override async Task ProcessAsync()
    {
        _accesses.AddRange(InputObject);
        if (Receipt is not null)
        {
            await PlanAsync(Receipt).ConfigureAwait(false);
        }

        if (Cluster is not null)
        {
            string id = Cluster.Id;
            await CheckAsync(op => op.RecentClusterAsync(id, RecentClusters.Momentary), Cluster.Name, null).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        if (ManifestPath is not null)
        {
            string path = string.Empty;
            await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(ManifestPath)).ConfigureAwait(false);
            CmekCluster cluster = await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false);
            await CheckAsync(_ => Task.FromResult(cluster), ClusterName, Manifests.Read(path, cluster)).ConfigureAwait(false);
        }
        else if (ClusterName.Length > 0)
        {
            await CheckAsync(op => ClusterLookup.ByNameAsync(ClusterName, op), ClusterName, null).ConfigureAwait(false);
        }
        else if (ClusterId.Length > 0)
        {
            await CheckAsync(op => op.GetClusterAsync(ClusterId), ClusterId, null).ConfigureAwait(false);
        }

        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await CheckAsync(op => op.GetClusterAsync(group.Key), group.First().ClusterName ?? group.Key, [.. group]).ConfigureAwait(false);
        }

        if (Quiet)
        {
            await BesideEndAsync().ConfigureAwait(false);
            await Pipeline.OutputAsync(_sound).ConfigureAwait(false);
        }
    }

    private Task CheckAsync(Func<Operation, Task<CmekCluster>> read, string name, IReadOnlyList<CmekAccess>? declared) =>
        BesideAsync(name, op => RunAsync(read, name, declared, op));

    private Task PlanAsync(CmekReceipt receipt) => BesideAsync(receipt.ClusterName, op => PlanAsync(receipt, op));

    private async Task PlanAsync(CmekReceipt receipt, Operation op)
    {
        CmekCluster cluster = await op.GetClusterAsync(receipt.ClusterId).ConfigureAwait(false);
        foreach (CmekRestorePlan line in await Restoration.PlanAsync(cluster, ReceiptStore.Load(receipt.Path), null, op).ConfigureAwait(false))
        {
            _sound &= line.Action != CmekRestoreAction.Refused && line.Newcomers.Count == 0;
            if (!Quiet)
            {
                await op.Host.OutputAsync(line).ConfigureAwait(false);
            }
        }
    }

    private async Task RunAsync(Func<Operation, Task<CmekCluster>> read, string name, IReadOnlyList<CmekAccess>? declared, Operation op)
    {
        await foreach (CmekCheck check in ClusterChecks.RunAsync(() => read(op), name, declared, op).ConfigureAwait(false))
        {
            // Only ever from true to false: whichever of those side by side is the last to write, writes the same.
            _sound &= check.Result is CmekCheckResult.Pass or CmekCheckResult.Warn || ClusterChecks.CannotBeKnown(check);
            if (!Quiet)
            {
                await op.Host.OutputAsync(check).ConfigureAwait(false);
            }
        }
    }
}
