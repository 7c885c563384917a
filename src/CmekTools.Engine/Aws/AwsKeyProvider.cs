using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>AWS KMS keys and IAM roles, as the life cycle needs them: a facade over parts that can be read alone.</summary>
internal sealed class AwsKeyProvider : IKeyProvider
{
    private readonly AwsClients _clients;
    private readonly AwsKeyReader _reader;
    private readonly AwsKeyMaker _maker;
    private readonly AwsKeyLife _life;
    private readonly AwsAccessGranting _granting;
    private readonly AwsCut _cut;
    private readonly AwsDecisions _decisions;
    private readonly AwsChecks _checks;
    private readonly AwsOtherAccess _otherAccess;
    private readonly AwsKeyMarks _marks;
    private readonly AwsNewcomers _newcomers;
    private readonly AwsReadiness _readiness;
    private readonly AwsSheet _byHand;
    private readonly AwsDiscovery _discovery;

    /// <summary>Makes the parts for a session; nothing is asked of AWS yet.</summary>
    public AwsKeyProvider(SessionContext session)
    {
        _clients = new AwsClients(
            session.ProviderOptions,
            session.Timings,
            session.Time) { CallerKnown = caller => session.Who.Note("aws", caller.Arn) };
        _reader = new AwsKeyReader(_clients);
        _maker = new AwsKeyMaker(_clients, _reader);
        _life = new AwsKeyLife(_clients, _reader);
        AwsRoleReader roles = new(_clients);
        AwsPrincipals principals = new(_clients, roles);
        KeyPolicyWriter policies = new(_clients, _reader);
        _granting = new AwsAccessGranting(_reader, principals, policies);
        _otherAccess = new AwsOtherAccess(_clients, _reader);
        _cut = new AwsCut(_reader, roles, principals, policies, _life, _otherAccess);
        _marks = new AwsKeyMarks(_reader);
        _newcomers = new AwsNewcomers(_reader, roles);
        _readiness = new AwsReadiness(_clients, _reader, _otherAccess);
        _byHand = new AwsSheet(_reader, _otherAccess);
        _discovery = new AwsDiscovery(_reader);
        _decisions = new AwsDecisions(_reader, roles, _otherAccess);
        _checks = new AwsChecks(_reader, roles, _otherAccess, new AwsOpinion(_clients));
    }

    /// <inheritdoc/>
    public CmekProvider Provider => CmekProvider.AWS;

    /// <inheritdoc/>
    public string KeyType => "AWS_KMS";

    /// <inheritdoc/>
    public string RotationChange => AwsKeyLife.RotationChange;

    /// <inheritdoc/>
    public void Dispose() => _clients.Dispose();

    /// <inheritdoc/>
    public void ValidateKeyUri(string keyUri, CmekCluster? cluster = null, string? region = null) =>
        AwsInput.ValidateKeyUri(keyUri, cluster, region);

    /// <inheritdoc/>
    public void ValidatePrincipal(string principal) => AwsInput.ValidatePrincipal(principal);

    /// <inheritdoc/>
    public void RequireUsable(CmekKey key) => AwsKeyReader.RequireUsable(key);

    /// <inheritdoc/>
    public string MaterialOf(string keyUri) => AwsKeyLife.MaterialOf(keyUri);

    /// <inheritdoc/>
    public Task<CmekKey> GetKeyAsync(string keyUri, Operation op) => _reader.GetKeyAsync(keyUri, op);

    /// <inheritdoc/>
    public IAsyncEnumerable<CmekKey> FindKeysAsync(CmekCluster cluster, string? region, KeyOptions options, Operation op) =>
        _maker.FindKeysAsync(cluster, region, options, op);

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
    public Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op) =>
        _life.ScheduleDeletionAsync(keyUri, days, op);

    /// <inheritdoc/>
    public Task ReviveKeyAsync(string keyUri, Revival how, Operation op) => _life.ReviveKeyAsync(keyUri, how, op);

    /// <inheritdoc/>
    public Task MarkRevokedAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, Operation op) =>
        _life.MarkRevokedAsync(keyUri, clusters, op);

    /// <inheritdoc/>
    public Task UnmarkRevokedAsync(string keyUri, Operation op) => _life.UnmarkRevokedAsync(keyUri, op);

    /// <inheritdoc/>
    public Task DisableKeyAsync(string keyUri, Operation op) => _life.DisableKeyAsync(keyUri, op);

    /// <inheritdoc/>
    public Task<KeyIdentity> IdentifyAsync(string keyUri, Operation op) => Task.FromResult(AwsOtherAccess.Identify(keyUri));

    /// <inheritdoc/>
    public Task<OtherAccess> ReadOtherAccessAsync(string keyUri, Operation op) => _otherAccess.ReadAsync(keyUri, op);

    /// <inheritdoc/>
    public Task<KeyMarks> ReadMarksAsync(string keyUri, Operation op) => _marks.ReadAsync(keyUri, op);

    /// <inheritdoc/>
    public bool CutStandsInPolicy => true;

    /// <inheritdoc/>
    public bool WasCut(AccessTarget target, AccessSnapshot snapshot) => AwsNewcomers.WasCut(target, snapshot);

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ReadNewcomersAsync(AccessTarget target, AccessSnapshot snapshot, Operation op) =>
        _newcomers.ReadAsync(target, snapshot, op);

    /// <inheritdoc/>
    public Task<RotationBudget> ReadRotationBudgetAsync(string keyUri, Operation op) => _life.ReadRotationBudgetAsync(keyUri, op);

    /// <inheritdoc/>
    public Task RevokeGrantAsync(KeyGrant grant, Operation op) => _otherAccess.RevokeGrantAsync(grant, op);

    /// <inheritdoc/>
    public Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op) => _cut.CaptureAsync(target, op);

    /// <inheritdoc/>
    public Task CutAsync(AccessTarget target, CutOptions options, Operation op) => _cut.CutAsync(target, options, op);

    /// <inheritdoc/>
    public Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op) => _cut.RestoreAsync(target, snapshot, op);

    /// <inheritdoc/>
    public Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op) => _decisions.EvaluateAsync(target, op);

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
}
