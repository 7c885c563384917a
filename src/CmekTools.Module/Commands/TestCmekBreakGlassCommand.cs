using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Could Revoke-CmekAccess cut now? Looks at everything that it would need, for every day. Changes nothing.</summary>
[Cmdlet(VerbsDiagnostic.Test, "CmekBreakGlass", DefaultParameterSetName = "Cluster")]
[OutputType(typeof(CmekCheck), typeof(bool))]
public sealed class TestCmekBreakGlassCommand : PipelineCommand
{
    private readonly List<ClusterRef> _named = [];
    private SessionContext? _unconnected;
    private bool _ready = true;
    private bool _refused;

    /// <summary>The clusters: exact names, ids, or objects that say one of them; every cluster that is known where none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>Leave out what only telling the service needs.</summary>
    [Parameter]
    public SwitchParameter KeyOnly { get; set; }

    /// <summary>One answer: True where nothing fails and nothing is unknown.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <summary>The connection to use in place of the runspace's own.</summary>
    [Parameter]
    [ValidateNotNull]
    [SessionTransformation]
    public CmekSession? Session { get; set; }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unconnected?.Dispose();
        }

        base.Dispose(disposing);
    }

    internal override async Task ProcessAsync()
    {
        foreach (ClusterArgument given in ClusterArgument.All(ClusterName))
        {
            if (given.IsPattern)
            {
                // Which clusters were meant is not known, and so it is not known whether they could be cut.
                _ready = false;
                _refused = true;
                await Pipeline.ErrorAsync(SessionCommand.WildcardRefused(given, CommandName)).ConfigureAwait(false);
                continue;
            }

            _named.Add(new ClusterRef(given.Name, given.Id, given.Known));
        }
    }

    internal override async Task EndAsync()
    {
        if (MyInvocation.ExpectingInput && _named.Count == 0 && !_refused)
        {
            // An empty pipeline asked about nothing; of nothing it is not known whether it could be cut.
            await TellAsync(None()).ConfigureAwait(false);
        }
        else if (_named.Count > 0 || !_refused)
        {
            await CheckAsync().ConfigureAwait(false);
        }

        if (Quiet)
        {
            await Pipeline.OutputAsync(_ready).ConfigureAwait(false);
        }
    }

    private async Task CheckAsync()
    {
        SessionContext context = (Session ?? RunspaceSession)?.Context as SessionContext ?? (_unconnected = Connecting.Unconnected());
        Operation run = OperationOn(context);
        Operation op = run.ForRecord(new QuietHost(Pipeline), run.Cancellation, run.Abort);
        Readiness readiness = new(KeyOnly, op);
        await TellAsync(readiness.OfStateFolder()).ConfigureAwait(false);
        if (ReferenceEquals(context, _unconnected) && !Sessions.MayGoUnconnected)
        {
            await TellAsync(Unguessed()).ConfigureAwait(false);
        }

        CmekException? silent = KeyOnly && _named.Count > 0 ? null : await readiness.AskServiceAsync().ConfigureAwait(false);
        if (!KeyOnly)
        {
            await TellAsync(readiness.OfService(silent)).ConfigureAwait(false);
        }

        IReadOnlyList<ClusterRef> named = _named;
        if (_named.Count == 0)
        {
            ReadinessScope scope = await ReadinessScope.ReadAsync(silent, op).ConfigureAwait(false);
            named = scope.Clusters;
            if (scope.Unread is { } why)
            {
                await TellAsync(Unlisted(why)).ConfigureAwait(false);
            }
            else if (named.Count == 0)
            {
                await TellAsync(None()).ConfigureAwait(false);
            }
        }

        Task<IReadOnlyList<CmekCheck>>[] looks = [.. named.Select(readiness.OfClusterAsync)];
        foreach (Task<IReadOnlyList<CmekCheck>> look in looks)
        {
            foreach (CmekCheck check in await look.ConfigureAwait(false))
            {
                await TellAsync(check).ConfigureAwait(false);
            }
        }
    }

    private async Task TellAsync(CmekCheck check)
    {
        _ready &= check.Result is CmekCheckResult.Pass or CmekCheckResult.Warn;
        await (Quiet ? Pipeline.VerboseAsync(check.ToString()) : Pipeline.OutputAsync(check)).ConfigureAwait(false);
    }

    private static CmekCheck Unlisted(string why) => new()
    {
        Name = "CutClusters",
        Result = CmekCheckResult.Unknown,
        Seen = $"Only clusters that were seen from here before are looked at, for the service's list could not be read: {why}",
        Remedy = "Connect when the service answers, or name the clusters.",
    };

    private static CmekCheck Unguessed() => new()
    {
        Name = "CutClusters",
        Result = CmekCheckResult.Fail,
        Seen = "There is no connection in this runspace, and beside another one or a sandbox in this process Revoke-CmekAccess goes by no "
            + "cluster's name without one.",
        Remedy = "Connect-CmekCloud, or give -Session.",
    };

    private static CmekCheck None() => new()
    {
        Name = "CutKeys",
        Result = CmekCheckResult.Fail,
        Seen = "No cluster with customer-managed keys is known: there is nothing that could be cut.",
        Remedy = "Connect-CmekCloud, and Get-CmekCluster | Get-CmekStatus, which keeps what it sees.",
    };
}
