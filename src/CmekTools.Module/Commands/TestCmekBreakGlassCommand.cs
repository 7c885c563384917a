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
    private readonly List<ClusterArgument> _given = [];
    private SessionContext? _unconnected;
    private bool _ready = true;

    /// <summary>
    /// The clusters: names (with wildcards), ids, or objects that say one of them; every cluster that is known where none is given.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [SupportsWildcards]
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

    internal override Task ProcessAsync()
    {
        _given.AddRange(ClusterArgument.All(ClusterName));
        return Task.CompletedTask;
    }

    internal override async Task EndAsync()
    {
        if (MyInvocation.ExpectingInput && _given.Count == 0)
        {
            // An empty pipeline asked about nothing; of nothing it is not known whether it could be cut.
            await TellAsync(None()).ConfigureAwait(false);
        }
        else
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

        bool several = _given.Count == 0 || _given.Exists(g => g.IsPattern);
        CmekException? silent = KeyOnly && !several ? null : await readiness.AskServiceAsync().ConfigureAwait(false);
        if (!KeyOnly)
        {
            await TellAsync(readiness.OfService(silent)).ConfigureAwait(false);
        }

        BreakGlassScope? scope = several ? await BreakGlassScope.ReadAsync(silent, op).ConfigureAwait(false) : null;
        if (scope?.Unread is { } why)
        {
            await TellAsync(Unlisted(why)).ConfigureAwait(false);
        }

        IReadOnlyList<ClusterRef> named = await NamedAsync(scope).ConfigureAwait(false);
        Task<IReadOnlyList<CmekCheck>>[] looks = [.. named.Select(readiness.OfClusterAsync)];
        foreach (Task<IReadOnlyList<CmekCheck>> look in looks)
        {
            foreach (CmekCheck check in await look.ConfigureAwait(false))
            {
                await TellAsync(check).ConfigureAwait(false);
            }
        }
    }

    // Each cluster once, however often and in which way it was given.
    private async Task<IReadOnlyList<ClusterRef>> NamedAsync(BreakGlassScope? scope)
    {
        if (_given.Count == 0)
        {
            if (scope!.Clusters.Count == 0 && scope.Unread is null)
            {
                await TellAsync(None()).ConfigureAwait(false);
            }

            return scope.Clusters;
        }

        List<ClusterRef> named = [];
        foreach (ClusterArgument given in _given)
        {
            ClusterRef[] meant = given.IsPattern
                ? [.. scope!.Clusters.Where(c => given.Means(null, c.Name))]
                : [new ClusterRef(given.Name, given.Id, given.Known)];
            if (meant.Length == 0)
            {
                // Of nothing it is not known whether it could be cut.
                _ready = false;
                await Pipeline.ErrorAsync(BreakGlassScope.NoMatch(given.Name!)).ConfigureAwait(false);
            }

            named.AddRange(given.IsPattern ? meant.Where(m => !named.Exists(m.IsSame)) : meant);
        }

        return named;
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
