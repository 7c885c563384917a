using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>
/// The break-glass: cuts clusters off from their keys, proves it, and tells the service to revoke. All records are one plan.
/// </summary>
[
    Cmdlet(
        VerbsSecurity.Revoke,
        "CmekAccess",
        DefaultParameterSetName = ClusterSet,
        SupportsShouldProcess = true,
        ConfirmImpact = ConfirmImpact.High),
]
[OutputType(typeof(CmekStep))]
public sealed class RevokeCmekAccessCommand : SessionCommand
{
    private const string ClusterSet = "Cluster";
    private const string KeySet = "Key";
    private const string ManifestSet = "Manifest";
    private readonly List<ClusterRef> _named = [];
    private readonly List<CmekKey> _found = [];
    private SessionContext? _unconnected;
    private CmekException? _unanswered;

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>Keys by their URIs, without asking the service; no connection is needed.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    /// <summary>Who is to be cut off from them: one for each key, or one for all.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [ValidateNotNullOrEmpty]
    public string[] AuthPrincipal { get; set; } = [];

    /// <summary>The keys and principals of a cmek_config.json, without asking the service; no connection is needed.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ManifestSet)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>Only cut the key; the service is not told, and running nodes go on with the data key that they hold.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter KeyOnly { get; set; }

    /// <summary>Only tell the service; nothing is cut at the provider.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter ServiceOnly { get; set; }

    /// <summary>Google Cloud: also disable the service account.</summary>
    [Parameter]
    public SwitchParameter DisablePrincipal { get; set; }

    /// <summary>Also schedule the keys' deletion. Asks a second time, after the last cut; -Force does not answer that.</summary>
    [Parameter(ParameterSetName = ClusterSet)]
    public SwitchParameter Permanent { get; set; }

    /// <summary>
    /// The cluster's exact name once more: answers the second question of -Permanent. Another name ends the command before anything
    /// is cut.
    /// </summary>
    [Parameter(ParameterSetName = ClusterSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string? ConfirmClusterName { get; set; }

    /// <summary>AWS: days until a scheduled deletion happens.</summary>
    [Parameter]
    [ValidateRange(7, 30)]
    public int PendingWindowInDays { get; set; } = 30;

    /// <summary>Wait: the default, said aloud.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Do not wait for REVOKED.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    /// <summary>How long a busy cluster is asked again and REVOKED is waited for, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <summary>Change nothing where journal and receipt cannot be written in the state folder.</summary>
    [Parameter]
    public SwitchParameter RequireReceipt { get; set; }

    /// <summary>Do not ask (the second question of -Permanent is asked all the same).</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    internal override bool Urgent => true;

    /// <summary>A pipeline that has had enough of the output, or a preference that stops at an error, must not leave keys open.</summary>
    internal override bool GoesOnUnheard => true;

    private bool Listed => ParameterSetName is KeySet or ManifestSet;

    // Keys that Get-CmekKey -Discover found are cut as they were found: what says whose they are is a tag.
    private bool ByHand => Listed || _found.Count > 0;

    /// <summary>What comes through the pipeline may be keys that need no connection: it is made when that is known.</summary>
    internal override bool NeedsSession => !ByHand && (_named.Count > 0 || !MyInvocation.ExpectingInput);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unconnected?.Dispose();
        }

        base.Dispose(disposing);
    }

    internal override async Task PrepareAsync()
    {
        try
        {
            if (_unanswered is null)
            {
                await base.PrepareAsync().ConfigureAwait(false);
            }
        }
        catch (CmekException e) when (!ServiceOnly)
        {
            // Told at the end, where the cluster is known here; else it is the error.
            _unanswered = e;
        }
    }

    internal override Task BeginAsync()
    {
        Pipeline.Force = Force;
        _ = Waiting.Decide(Wait, NoWait, true);
        return KeyOnly && ServiceOnly
            ? throw new CmekException(
                "ScopeContradicts",
                CmekErrorKind.InvalidArgument,
                "-KeyOnly and -ServiceOnly leave nothing to do.",
                "Give one of them, or none for both halves.")
            : Task.CompletedTask;
    }

    internal override Task ProcessAsync()
    {
        if (!Listed)
        {
            foreach (ClusterArgument given in ClusterArgument.All(ClusterName))
            {
                if (given.Found is { } key)
                {
                    _found.Add(key);
                    continue;
                }

                RefuseWildcards(given);
                _named.Add(new ClusterRef(given.Name, given.Id, given.Known));
            }
        }

        return Task.CompletedTask;
    }

    internal override async Task EndAsync()
    {
        if (!ByHand && _named.Count == 0)
        {
            return;
        }

        await PrepareAsync().ConfigureAwait(false);
        if (_found.Count > 0 && (_named.Count > 0 || ServiceOnly || Permanent))
        {
            throw new CmekException(
                "ScopeContradicts",
                CmekErrorKind.InvalidArgument,
                "Keys that Get-CmekKey -Discover found are only cut off: without clusters beside them, -ServiceOnly or -Permanent. Nothing "
                    + "was cut.",
                "Pipe them alone, and name the clusters in a second command.");
        }

        RevokeOptions options = new()
        {
            Scope = KeyOnly || ByHand ? RevokeScope.KeyOnly : ServiceOnly ? RevokeScope.ServiceOnly : RevokeScope.Both,
            DisablePrincipal = DisablePrincipal,
            Permanent = Permanent,
            ConfirmedName = ConfirmClusterName,
            DeletionDays = PendingWindowInDays,
            Limit = TimeSpan.FromSeconds(TimeoutSeconds),
            NoWait = !Waiting.Decide(Wait, NoWait, true),
            RequireReceipt = RequireReceipt,
            Unasked = Force || Pipeline.WhatIf,
        };
        if (!ByHand)
        {
            await Revocation.RevokeAsync(
                async op => Fitting(await SubjectFinder.FindAsync(_named, op).ConfigureAwait(false)),
                options,
                OperationOn(Reached())).ConfigureAwait(false);
            return;
        }

        IReadOnlyList<CmekAccess> accesses = _found.Count > 0
            ? await FoundKeysAsync().ConfigureAwait(false)
            : ManifestPath is null ? GivenKeys() : await ManifestAsync(ManifestPath).ConfigureAwait(false);
        if (accesses.Count == 0)
        {
            return;
        }

        CmekKey[] uncut = [.. _found.Where(k => k.AuthPrincipals.Count == 0)];
        SessionContext context = Connected ?? (_unconnected = Connecting.Unconnected());
        await Revocation.RevokeAsync(
            async op => Fitting(await SubjectFinder.OfKeysAsync(accesses, uncut, op).ConfigureAwait(false)),
            options,
            OperationOn(context)).ConfigureAwait(false);
    }

    private SessionContext? Connected => (Session ?? RunspaceSession)?.Context as SessionContext;

    // A cluster that was seen here is cut by its name without any connection.
    private SessionContext Reached()
    {
        if (Connected is { } connected)
        {
            return connected;
        }

        if (ServiceOnly || !Sessions.MayGoUnconnected)
        {
            throw _unanswered ?? Connecting.NotConnected(
                ServiceOnly
                    ? "Without one the service cannot be told; Revoke-CmekAccess without -ServiceOnly cuts the keys."
                    : "Beside a connection or a sandbox in the same process no other one is guessed. Keys can be given: -KeyUri and "
                        + "-AuthPrincipal, -ManifestPath, or Get-CmekKey -Discover | Revoke-CmekAccess.");
        }

        return _unconnected ??= Connecting.Unconnected(_unanswered);
    }

    // Asked for and of no use to any of the keys: said before anything is cut, and not dropped.
    private IReadOnlyList<RevocationSubject> Fitting(IReadOnlyList<RevocationSubject> subjects)
    {
        CmekCluster[] clusters = [.. subjects.Select(s => s.Cluster)];
        ForeignOptions.RequireAny(clusters, nameof(DisablePrincipal), CmekProvider.GCP, DisablePrincipal);
        ForeignOptions.RequireAny(
            clusters,
            nameof(PendingWindowInDays),
            CmekProvider.AWS,
            MyInvocation.BoundParameters.ContainsKey(nameof(PendingWindowInDays)));
        return subjects;
    }

    private async Task<IReadOnlyList<CmekAccess>> ManifestAsync(string given)
    {
        string path = given;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(given)).ConfigureAwait(false);
        return Manifests.ReadUnbound(path);
    }

    private async Task<IReadOnlyList<CmekAccess>> FoundKeysAsync()
    {
        foreach (CmekKey key in _found.Where(k => k.AuthPrincipals.Count == 0))
        {
            await Pipeline.ErrorAsync(new CmekException(
                "KeyPrincipalUnknown",
                CmekErrorKind.ObjectNotFound,
                $"Who uses {key.KeyUri} is not known: its policy could not be read, or names nobody. It was not cut.",
                $"Name him: Revoke-CmekAccess -KeyUri {key.KeyUri} -AuthPrincipal …",
                key)).ConfigureAwait(false);
        }

        return [.. _found.SelectMany(k => k.AuthPrincipals.Select(p => UnlistedAccess.Of(k.KeyUri!, p, k.Region)))];
    }

    private IReadOnlyList<CmekAccess> GivenKeys()
    {
        if (AuthPrincipal.Length != 1 && AuthPrincipal.Length != KeyUri.Length)
        {
            throw new CmekException(
                "RegionKeyCountMismatch",
                CmekErrorKind.InvalidArgument,
                $"{KeyUri.Length} keys and {AuthPrincipal.Length} principals do not go together. Nothing was cut.",
                "Give one -AuthPrincipal for all keys, or one for each, in the same order.");
        }

        return [.. KeyUri.Select((uri, i) => UnlistedAccess.Of(uri, AuthPrincipal[AuthPrincipal.Length == 1 ? 0 : i]))];
    }
}
