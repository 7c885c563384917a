using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Keys and access on Google Cloud: a thin face of the parts beside it.</summary>
internal sealed class GcpKeyProvider : IKeyProvider
{
    private readonly GcpClients _clients;
    private readonly GcpKeyReader _reader;
    private readonly GcpKeyMaker _maker;
    private readonly GcpKeyLife _life;
    private readonly GcpPrincipals _principals;
    private readonly GcpAccessGranting _granting;
    private readonly GcpCut _cut;
    private readonly GcpDecisions _decisions;
    private readonly GcpOtherAccess _otherAccess;
    private readonly GcpChecks _checks;
    private readonly GcpReadiness _readiness;
    private readonly GcpSheet _byHand;
    private readonly GcpDiscovery _discovery;

    public GcpKeyProvider(SessionContext session)
    {
        _clients = new GcpClients(session);
        _reader = new GcpKeyReader(_clients);
        _maker = new GcpKeyMaker(_clients, _reader);
        _life = new GcpKeyLife(_clients, _reader);
        _principals = new GcpPrincipals(_clients);
        _granting = new GcpAccessGranting(_clients, _principals);
        GcpEvidenceReader evidence = new(_clients, _principals);
        _cut = new GcpCut(_clients, _principals, evidence);
        _decisions = new GcpDecisions(_clients, evidence);
        _otherAccess = new GcpOtherAccess(_clients, evidence);
        _checks = new GcpChecks(evidence, new GcpOpinion(_clients));
        _byHand = new GcpSheet(_clients);
        _discovery = new GcpDiscovery(_clients);
        _readiness = new GcpReadiness(session, _clients, evidence);
    }

    /// <inheritdoc/>
    public CmekProvider Provider => CmekProvider.GCP;

    /// <inheritdoc/>
    public string KeyType => "GCP_CLOUD_KMS";

    /// <inheritdoc/>
    public string RotationChange => GcpKeyLife.RotationChange;

    /// <inheritdoc/>
    public void ValidateKeyUri(string keyUri, CmekCluster? cluster = null, string? region = null) => GcpNames.RequireKey(keyUri);

    /// <inheritdoc/>
    public void ValidatePrincipal(string principal) => GcpNames.ParseAccount(principal);

    /// <inheritdoc/>
    public void RequireUsable(CmekKey key) => GcpKeyReader.RequireUsable(key);

    /// <inheritdoc/>
    public string MaterialOf(string keyUri) => keyUri;

    /// <inheritdoc/>
    public Task<CmekKey> GetKeyAsync(string keyUri, Operation op) => _reader.GetKeyAsync(keyUri, op);

    /// <inheritdoc/>
    public IAsyncEnumerable<CmekKey> FindKeysAsync(CmekCluster cluster, string? region, KeyOptions options, Operation op) =>
        _reader.FindKeysAsync(cluster, region, options, op);

    /// <inheritdoc/>
    public Task DiscoverAsync(DiscoveryPlaces places, Operation op) => _discovery.DiscoverAsync(places, op);

    /// <inheritdoc/>
    public Task<CmekKey> EnsureKeyAsync(CmekCluster cluster, string region, KeyOptions options, Operation op) =>
        _maker.EnsureKeyAsync(cluster, region, options, op);

    /// <inheritdoc/>
    public Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op) =>
        _granting.GrantAsync(cluster, key, region, options, op);

    /// <inheritdoc/>
    public Task<CmekKeyRotation?> RotateKeyAsync(string keyUri, Operation op) => _life.RotateKeyAsync(keyUri, op);

    /// <inheritdoc/>
    public Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op) => _cut.CaptureAsync(target, op);

    /// <inheritdoc/>
    public Task CutAsync(AccessTarget target, CutOptions options, Operation op) => _cut.CutAsync(target, options, op);

    /// <inheritdoc/>
    public Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op) => _decisions.EvaluateAsync(target, op);

    /// <inheritdoc/>
    public Task<KeyIdentity> IdentifyAsync(string keyUri, Operation op) => _otherAccess.IdentifyAsync(keyUri, op);

    /// <inheritdoc/>
    public Task<OtherAccess> ReadOtherAccessAsync(string keyUri, Operation op) => _otherAccess.ReadAsync(keyUri, op);

    /// <inheritdoc/>
    public async Task<KeyMarks> ReadMarksAsync(string keyUri, Operation op) =>
        await GcpKeyMarks.ReadAsync(await _clients.ConnectAsync(op).ConfigureAwait(false), keyUri, op).ConfigureAwait(false);

    /// <inheritdoc/>
    public bool CutStandsInPolicy => false;

    /// <inheritdoc/>
    public bool WasCut(AccessTarget target, AccessSnapshot snapshot) => GcpNewcomers.WasCut(target, snapshot);

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> ReadNewcomersAsync(AccessTarget target, AccessSnapshot snapshot, Operation op) =>
        await GcpNewcomers.ReadAsync(
            await _clients.ConnectAsync(op).ConfigureAwait(false),
            target,
            snapshot,
            op).ConfigureAwait(false);

    /// <inheritdoc/>
    public Task<RotationBudget> ReadRotationBudgetAsync(string keyUri, Operation op) => Task.FromResult(RotationBudget.Unlimited);

    /// <inheritdoc/>
    public Task RevokeGrantAsync(KeyGrant grant, Operation op) =>
        throw new CmekException(
            "GrantNotSupported",
            CmekErrorKind.InvalidOperation,
            "Cloud KMS has no grants.",
            "Take the binding away instead.",
            grant.KeyUri);

    /// <inheritdoc/>
    public Task MarkRevokedAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, Operation op) =>
        _life.MarkRevokedAsync(keyUri, clusters, op);

    /// <inheritdoc/>
    public async Task UnmarkRevokedAsync(string keyUri, Operation op) =>
        await RevokedLabel.TakeAsync(await _clients.ConnectAsync(op).ConfigureAwait(false), keyUri, op).ConfigureAwait(false);

    /// <inheritdoc/>
    public Task DisableKeyAsync(string keyUri, Operation op) => _life.DisableKeyAsync(keyUri, op);

    /// <inheritdoc/>
    public Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op) => _cut.RestoreAsync(target, snapshot, op);

    /// <inheritdoc/>
    public Task ReviveKeyAsync(string keyUri, Revival how, Operation op) => _life.ReviveKeyAsync(keyUri, how, op);

    /// <inheritdoc/>
    public Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op) =>
        _life.ScheduleDeletionAsync(keyUri, days, op);

    /// <inheritdoc/>
    public Task<CallerStanding> ReadCallerAsync(string keyUri, Operation op) => _readiness.CallerAsync(keyUri, op);

    /// <inheritdoc/>
    public Task<IReadOnlyList<CmekCheck>> CheckCutAsync(IReadOnlyList<AccessTarget> targets, Operation op) =>
        _readiness.CheckAsync(targets, op);

    /// <inheritdoc/>
    public Task<ByHand> WriteByHandAsync(IReadOnlyList<AccessTarget> targets, int number, Operation op) =>
        _byHand.WriteAsync(targets, number, op);

    /// <inheritdoc/>
    public IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op, CheckDepth depth = CheckDepth.Usual) =>
        _checks.CheckAsync(target, op, depth);

    /// <inheritdoc/>
    public void Dispose() => _clients.Dispose();
}
