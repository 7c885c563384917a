using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Checks;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Looks for every reason why enabling CMEK, or a restart of a node, would fail, before it does. Reads only.</summary>
[Cmdlet(VerbsDiagnostic.Test, "CmekAccess", DefaultParameterSetName = ClusterSet)]
[OutputType(typeof(CmekCheck), typeof(CmekRestorePlan), typeof(bool))]
public sealed class TestCmekAccessCommand : FleetCommand
{
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private const string ReceiptSet = "Receipt";
    private readonly List<CmekAccess> _accesses = [];
    private bool _sound = true;
    private bool _looked;

    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true, LeaveReceipts = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>The accesses that are to be used.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Access")]
    [AccessTransformation]
    public CmekAccess[] InputObject { get; set; } = [];

    /// <summary>The vendor's <c>cmek_config.json</c> that is to be used.</summary>
    [Parameter(ParameterSetName = ClusterSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>A receipt: the plan of what Restore-CmekAccess would do with it now.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ReceiptSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekReceipt? Receipt { get; set; }

    /// <summary>Asks the clouds' own judges too: IAM's simulator, Google's Policy Troubleshooter.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [Parameter(ParameterSetName = AccessSet)]
    public SwitchParameter Deep { get; set; }

    /// <summary>One answer: true where nothing fails and nothing is unknown but the API key's role, which no call tells.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    internal override async Task ProcessAsync()
    {
        foreach (CmekAccess access in InputObject)
        {
            await EachAsync(async () => _accesses.Add(await BoundAsync(access, Op).ConfigureAwait(false))).ConfigureAwait(false);
        }

        if (Receipt is not null)
        {
            await PlanAsync(Receipt).ConfigureAwait(false);
        }

        string? path = ManifestPath;
        if (path is not null)
        {
            await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path)).ConfigureAwait(false);
        }

        foreach (ClusterArgument given in ClusterArgument.All(ClusterName))
        {
            await CheckGivenAsync(given, path).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await CheckAsync(op => op.GetClusterAsync(group.Key), group.First().ClusterName ?? group.Key, [.. group]).ConfigureAwait(false);
        }

        if (Quiet)
        {
            await BesideEndAsync().ConfigureAwait(false);
            // Of what was not looked at nothing is known: that is no yes.
            await Pipeline.OutputAsync(_sound && _looked && !HadErrors).ConfigureAwait(false);
        }
    }

    // A cluster that cannot be read is a check that fails, not an error: only what stands for several is looked up before.
    private Task CheckGivenAsync(ClusterArgument given, string? path)
    {
        if (given.IsPattern)
        {
            return BesideAsync(
                [given],
                RecentClusters.Momentary,
                (cluster, op) => RunAsync(_ => Task.FromResult(cluster), cluster.Name, null, op));
        }

        if (path is null)
        {
            return EachOnceAsync(
                [given],
                _ => CheckAsync(op => ResolveAsync(given, RecentClusters.Momentary, op), given.ToString(), null));
        }

        return BesideAsync(
            [given],
            RecentClusters.Momentary,
            (cluster, op) => RunAsync(_ => Task.FromResult(cluster), cluster.Name, Manifests.Read(path, cluster), op),
            path);
    }

    private Task CheckAsync(Func<Operation, Task<CmekCluster>> read, string name, IReadOnlyList<CmekAccess>? declared) =>
        BesideAsync(name, op => RunAsync(read, name, declared, op));

    private Task PlanAsync(CmekReceipt receipt) => BesideAsync(receipt.ClusterName, op => PlanAsync(receipt, op));

    private async Task PlanAsync(CmekReceipt receipt, Operation op)
    {
        CmekCluster cluster = await op.GetClusterAsync(receipt.ClusterId).ConfigureAwait(false);
        foreach (
            CmekRestorePlan line in await Restoration.PlanAsync(cluster, ReceiptStore.Load(receipt.Path), null, op).ConfigureAwait(false))
        {
            _looked = true;
            _sound &= line.Action != CmekRestoreAction.Refused && line.Newcomers.Count == 0;
            if (!Quiet)
            {
                await op.Host.OutputAsync(line).ConfigureAwait(false);
            }
        }
    }

    private async Task RunAsync(Func<Operation, Task<CmekCluster>> read, string name, IReadOnlyList<CmekAccess>? declared, Operation op)
    {
        await foreach (CmekCheck check in AccessTest.RunAsync(
            () => read(op),
            name,
            declared,
            op,
            Deep ? CheckDepth.Deep : CheckDepth.Usual).ConfigureAwait(false))
        {
            _looked = true;

            // Only ever from true to false: whichever of those side by side is the last to write, writes the same.
            _sound &= check.Result is CmekCheckResult.Pass or CmekCheckResult.Warn;
            if (!Quiet)
            {
                await op.Host.OutputAsync(check).ConfigureAwait(false);
            }
        }
    }
}
