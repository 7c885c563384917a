using System.Text.Json.Nodes;

namespace CmekTools.Engine.Access;

/// <summary>How keys are to be made. Null leaves it to what is derived from the cluster.</summary>
internal sealed record KeyOptions
{
    /// <summary>AWS: the alias without <c>alias/</c>; derived where null.</summary>
    public string? AliasName { get; init; }

    /// <summary>AWS: multi-region primary in the cluster's first region, replicas in the others.</summary>
    public bool MultiRegion { get; init; }

    /// <summary>Automatic rotation, also of a key that is there already.</summary>
    public bool EnableRotation { get; init; }

    /// <summary>
    /// Automatic rotation of a key that this run makes, or that a run that broke off made; one that is whole stays as it is.
    /// </summary>
    public bool RotateNew { get; init; }

    /// <summary>
    /// Days between automatic rotations (AWS 90–2560; Google at least 1); null: the provider's default (AWS 365; Google 90).
    /// </summary>
    public int? RotationPeriodDays { get; init; }

    /// <summary>Which generation of the cluster's keys: 1 has the plain derived name, later ones a name that says so.</summary>
    public int Generation { get; init; } = 1;

    /// <summary>A key is looked for by its derived name alone, and not by what it is marked with.</summary>
    public bool ByName { get; init; }

    /// <summary>Further tags or labels.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>Google: the project that holds the key.</summary>
    public string? Project { get; init; }

    /// <summary>Google: the location; the cluster's region where null.</summary>
    public string? Location { get; init; }

    /// <summary>Google: the key ring; derived where null.</summary>
    public string? KeyRing { get; init; }

    /// <summary>Google: the key's name; derived where null.</summary>
    public string? KeyName { get; init; }

    /// <summary>Google: SOFTWARE (default) or HSM.</summary>
    public string? ProtectionLevel { get; init; }
}

/// <summary>Which principal the cluster is to act as.</summary>
internal sealed record PrincipalOptions
{
    /// <summary>AWS: the role's name, made if absent; derived where null.</summary>
    public string? RoleName { get; init; }

    /// <summary>AWS: a role that others manage: its trust is checked, never written.</summary>
    public string? RoleArn { get; init; }

    /// <summary>Google: the service account's email, or its id in the key's project; made if absent; derived where null.</summary>
    public string? ServiceAccount { get; init; }

    /// <summary>
    /// Google: whoever is named is let in although a revocation cut it off: a restore says so, a grant does not. On AWS a restore has
    /// taken the Deny out before it grants.
    /// </summary>
    public bool Again { get; init; }

    /// <summary>Google: the role to grant on the key in place of Encrypter/Decrypter.</summary>
    public string? RoleId { get; init; }

    /// <summary>
    /// Do they name this principal? A role by its name, whatever its path, or by its ARN; an account by its address or by what stands
    /// before the @.
    /// </summary>
    public bool Names(string principal) =>
        (RoleName is { } role && principal.EndsWith("/" + role, StringComparison.OrdinalIgnoreCase))
        || string.Equals(RoleArn, principal, StringComparison.Ordinal)
        || (ServiceAccount is { } account
            && (
                string.Equals(principal, account, StringComparison.OrdinalIgnoreCase)
                    || principal.StartsWith(account + "@", StringComparison.OrdinalIgnoreCase)));

    /// <summary>The same options for a principal that is there already, and the key that it is to use.</summary>
    public PrincipalOptions For(string principal, string keyUri)
    {
        if (principal.Contains('@', StringComparison.Ordinal))
        {
            return this with { ServiceAccount = principal };
        }

        // A role of another account than the key's is managed there; it is used as it is.
        string[] role = principal.Split(':');
        string[] key = keyUri.Split(':');
        bool own = role.Length > 5 && key.Length > 5 && role[4] == key[4];
        return own ? this with { RoleName = principal[(principal.LastIndexOf('/') + 1)..] } : this with { RoleArn = principal };
    }
}

/// <summary>Everything about one access as it was at one moment: enough to put it back exactly. Plain JSON, goes into a receipt.</summary>
/// <param name="Kind">The shape of <paramref name="Data"/>: <see cref="AwsKind"/> or <see cref="GcpKind"/>.</param>
/// <param name="Data">Policies (as objects where they parse, and their exact text), key state, principal's unique id.</param>
internal sealed record AccessSnapshot(string Kind, JsonObject Data)
{
    /// <summary>The shape of a snapshot on AWS.</summary>
    public const string AwsKind = "aws/1";

    /// <summary>The shape of a snapshot on Google Cloud.</summary>
    public const string GcpKind = "gcp/1";

    /// <summary>The shape of a provider's snapshots.</summary>
    public static string KindOf(CmekProvider provider) => provider == CmekProvider.AWS ? AwsKind : GcpKind;
}

/// <summary>How access is to be cut.</summary>
/// <param name="DisablePrincipal">Google: also disable the service account.</param>
internal sealed record CutOptions(bool DisablePrincipal);

/// <summary>
/// A cloud's KMS and IAM as the life cycle needs them: one implementation a provider. All writes go through <see
/// cref="Operation.ChangeAsync"/>.
/// </summary>
internal interface IKeyProvider : IDisposable
{
    /// <summary>The cloud.</summary>
    CmekProvider Provider { get; }

    /// <summary>The Cloud API's name of the key type: AWS_KMS or GCP_CLOUD_KMS.</summary>
    string KeyType { get; }

    /// <summary>Checks a key's URI without any request, and that the cluster's region can use it where one is given.</summary>
    /// <exception cref="CmekException"><c>KeyUriInvalid</c>, with what was given, what is needed and how to get it.</exception>
    void ValidateKeyUri(string keyUri, CmekCluster? cluster = null, string? region = null);

    /// <summary>Checks a principal's name without any request.</summary>
    /// <exception cref="CmekException"><c>PrincipalInvalid</c>.</exception>
    void ValidatePrincipal(string principal);

    /// <summary>Reads any key, whoever made it.</summary>
    /// <exception cref="CmekException"><c>KeyNotFound</c>, <c>KeyUriInvalid</c>, or the service's error.</exception>
    Task<CmekKey> GetKeyAsync(string keyUri, Operation op);

    /// <summary>Finds the keys that are marked as the cluster's (by derived name and tags), for a region or all regions.</summary>
    IAsyncEnumerable<CmekKey> FindKeysAsync(CmekCluster cluster, string? region, KeyOptions options, Operation op);

    /// <summary>
    /// Finds every key that is marked as some cluster's, whoever knows of it, with the principals that its policy lets in for that
    /// cluster. Each is told as soon as it is found; a place that does not answer is an error of its own. Sends no write.
    /// </summary>
    /// <param name="places">Where to look; nothing: wherever this provider can be looked at.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException">There is nothing to look with or at: no credentials, no project.</exception>
    Task DiscoverAsync(DiscoveryPlaces places, Operation op);

    /// <summary>Throws where the key cannot be a CMEK: asymmetric, pending deletion, disabled, imported without material…</summary>
    void RequireUsable(CmekKey key);

    /// <summary>Finds the region's key, or makes it and completes what is missing (alias, tags, rotation).</summary>
    /// <returns>The key; a planned one (<see cref="CmekKeyState.Planned"/>) where the change was declined.</returns>
    Task<CmekKey> EnsureKeyAsync(CmekCluster cluster, string region, KeyOptions options, Operation op);

    /// <summary>
    /// Makes or completes the principal and its access to the key, waits until it has spread, and reads back what it wrote.
    /// </summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="key">The key; may be a planned one in a <c>-WhatIf</c> run.</param>
    /// <param name="region">The cluster's region.</param>
    /// <param name="options">Which principal.</param>
    /// <param name="op">The run.</param>
    Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op);

    /// <summary>The kind of the change that completes a rotation, as the journal has it.</summary>
    string RotationChange { get; }

    /// <summary>
    /// What a rotation rotates: the same text for keys that share their material (an AWS multi-region key and its replicas), else the
    /// URI.
    /// </summary>
    string MaterialOf(string keyUri);

    /// <summary>Makes a new version of the key's material at the provider; the URI stays.</summary>
    /// <returns>The version before and now; null where the change was declined.</returns>
    Task<CmekKeyRotation?> RotateKeyAsync(string keyUri, Operation op);

    /// <summary>Reads everything that a cut may touch. Sends no write.</summary>
    Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op);

    /// <summary>Cuts the access at the provider. Safe to call again: what is done already is left.</summary>
    Task CutAsync(AccessTarget target, CutOptions options, Operation op);

    /// <summary>Reads the policies anew and evaluates them for the principal and the actions that a cluster needs.</summary>
    Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op);

    /// <summary>Which key a URI names: the same key under two spellings, or a copy of it, has the same material.</summary>
    Task<KeyIdentity> IdentifyAsync(string keyUri, Operation op);

    /// <summary>Reads what opens a key beside its policy: copies and grants. What cannot be read is named, not thrown.</summary>
    Task<OtherAccess> ReadOtherAccessAsync(string keyUri, Operation op);

    /// <summary>
    /// Reads what is written on a key and in its policy about who uses it: marks, our cuts, users. What cannot be read is named, not
    /// thrown.
    /// </summary>
    Task<KeyMarks> ReadMarksAsync(string keyUri, Operation op);

    /// <summary>
    /// True where a cut leaves a mark in the policy by which it is known again; else an access that is not there may have been cut,
    /// or never was.
    /// </summary>
    bool CutStandsInPolicy { get; }

    /// <summary>Was the access cut off already when a snapshot was taken? Then the snapshot does not say what was there before.</summary>
    bool WasCut(AccessTarget target, AccessSnapshot snapshot);

    /// <summary>
    /// Who can use or administer the key, or act as the principal, now and could not when a snapshot was taken: a line each, which begins
    /// with the principal. What
    /// CmekTools writes for the cluster itself is not among them.
    /// </summary>
    Task<IReadOnlyList<string>> ReadNewcomersAsync(AccessTarget target, AccessSnapshot snapshot, Operation op);

    /// <summary>How often the key was given new material by hand, and how often it may be.</summary>
    Task<RotationBudget> ReadRotationBudgetAsync(string keyUri, Operation op);

    /// <summary>Takes a grant back. Safe to call again.</summary>
    /// <exception cref="CmekException"><c>GrantNotSupported</c>: the cloud has no grants.</exception>
    Task RevokeGrantAsync(KeyGrant grant, Operation op);

    /// <summary>
    /// Disables a key, so that nobody can use it: the rung of the cut below the policy. Safe to call again; <see
    /// cref="ReviveKeyAsync"/> undoes it.
    /// </summary>
    Task DisableKeyAsync(string keyUri, Operation op);

    /// <summary>
    /// Undoes a cut: takes out exactly what the cut put in, puts back exactly what it took out (from the snapshot, or, without one, what a
    /// grant would write), cancels a scheduled deletion, enables a disabled key or principal, repairs the policy where the principal was
    /// made anew under the same name. Changes that others have made since stay.
    /// </summary>
    Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op);

    /// <summary>Cancels a scheduled deletion and enables a disabled key; touches no policy. Safe to call again.</summary>
    Task ReviveKeyAsync(string keyUri, Revival how, Operation op);

    /// <summary>
    /// Marks a key on itself as switched off by a revocation, so that a restore on another machine knows that it is to be brought
    /// back, and how far: what is off already, and was not switched off by this very provider, stays off. To be put on before a
    /// deletion is scheduled: afterwards AWS takes no tag. Safe to call again; a mark that is there stays as it is, and names these
    /// clusters too from then on.
    /// </summary>
    Task MarkRevokedAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, Operation op);

    /// <summary>Takes that mark off. Safe to call again, and for a key that has none.</summary>
    Task UnmarkRevokedAsync(string keyUri, Operation op);

    /// <summary>Schedules the key's deletion (AWS: 7–30 days; Google Cloud: every version, after the key's own waiting time).</summary>
    /// <returns>When it will be gone, or null where declined.</returns>
    Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op);

    /// <summary>Who calls the cloud of a key, and for how long.</summary>
    /// <exception cref="CmekException">There are no credentials, or they are refused.</exception>
    Task<CallerStanding> ReadCallerAsync(string keyUri, Operation op);

    /// <summary>
    /// Whether the caller could cut a key off now: what may be written, what is in the way, what a cut would leave open. Reads only.
    /// </summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException">The key's service cannot be reached.</exception>
    Task<IReadOnlyList<CmekCheck>> CheckCutAsync(IReadOnlyList<AccessTarget> targets, Operation op);

    /// <summary>Writes a key's cut and restore as commands of the cloud's own program. What cannot be read is a note.</summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="number">Tells the files that the commands write from other keys'.</param>
    /// <param name="op">The run.</param>
    Task<ByHand> WriteByHandAsync(IReadOnlyList<AccessTarget> targets, int number, Operation op);

    /// <summary>
    /// Every reason why the cluster could not use the key, and what is weaker than it should be. Reads only; independent reads run
    /// side by side.
    /// </summary>
    /// <param name="target">The access.</param>
    /// <param name="op">The run.</param>
    /// <param name="depth">Whether the cloud's own judge is asked too; what it does not answer is Unknown and changes no other check.
    /// </param>
    IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op, CheckDepth depth = CheckDepth.Usual);
}
