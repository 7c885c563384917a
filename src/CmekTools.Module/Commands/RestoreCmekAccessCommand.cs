using CmekTools.Engine;
using CmekTools.Engine.BreakGlass;
using System.Management.Automation;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;

namespace CmekTools.Module.Commands;

/// <summary>Gives a cluster its access back, from a receipt where there is one, proves it, and writes the support request.</summary>
[Cmdlet(VerbsData.Restore, "CmekAccess", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStep), typeof(CmekRestorePlan))]
public sealed class RestoreCmekAccessCommand : ClusterCommand
{
    private const string ReceiptSet = "Receipt";

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveReceipts = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override object[] ClusterName { get; set; } = [];

    /// <summary>The receipt, from Get-CmekReceipt.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ReceiptSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekReceipt? Receipt { get; set; }

    /// <summary>The receipt's file; the newest of the cluster that is still open where not given.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ReceiptCompleter))]
    public string? ReceiptPath { get; set; }

    /// <summary>AWS: a new role in place of the one that was cut off.</summary>
    [Parameter]
    [ValidatePattern(@"^[\w+=,.@-]{1,64}$")]
    public string? RoleName { get; set; }

    /// <summary>Google Cloud: a new service account in place of the one that was cut off.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ServiceAccount { get; set; }

    /// <summary>Watch until every region says ENABLED.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Do not wait: the default, said aloud.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    /// <summary>The longest watch, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <summary>Who came to key or principal since the receipt was written has been seen and is agreed to: it is not asked about.</summary>
    [Parameter]
    public SwitchParameter AcceptChanges { get; set; }

    internal override async Task ProcessAsync()
    {
        string? path = Receipt?.Path;
        if (ReceiptPath is not null)
        {
            await Pipeline.OnPipelineAsync(
                () => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(ReceiptPath)).ConfigureAwait(false);
        }

        StoredReceipt? given = path is null ? null : ReceiptStore.Load(path);
        PrincipalOptions? principal = RoleName is null && ServiceAccount is null
            ? null
            : new PrincipalOptions { RoleName = RoleName, ServiceAccount = ServiceAccount, Again = true };
        RestoreOptions options = new(
            principal,
            Waiting.Decide(Wait, NoWait, false),
            TimeSpan.FromSeconds(TimeoutSeconds)) { AcceptChanges = AcceptChanges };
        if (Receipt is null)
        {
            if (Context.Offline is null)
            {
                await BesideAsync(
                    TimeSpan.Zero,
                    (cluster, op) => Restoration.RestoreAsync(cluster, given, options, op)).ConfigureAwait(false);
                return;
            }

            await EachOnceAsync(ClusterArgument.All(ClusterName), cluster =>
            {
                RefuseWildcards(cluster);
                ClusterRef named = new(cluster.Name, cluster.Id, null);
                return BesideAsync(cluster.ToString(), op => RestoreAsync(named, given, options, op));
            }).ConfigureAwait(false);
            return;
        }

        ClusterRef cut = new(null, Receipt.ClusterId, null);
        await BesideAsync(Receipt.ClusterName, op => RestoreAsync(cut, given, options, op)).ConfigureAwait(false);
    }

    internal override Task<CmekCluster> ResolveAsync(ClusterArgument given, TimeSpan within, Operation op) =>
        SubjectFinder.AskingAsync(op, $"Looking for {given}", _ => base.ResolveAsync(given, within, op));

    private static async Task RestoreAsync(ClusterRef named, StoredReceipt? given, RestoreOptions options, Operation op) =>
        await Restoration.RestoreAsync(
            await SubjectFinder.ClusterAsync(named, op).ConfigureAwait(false),
            given,
            options,
            op).ConfigureAwait(false);
}
