namespace CmekTools;

/// <summary>A key in the customer's KMS, and the cluster's region that it is for (where it is for one).</summary>
public sealed record CmekKey
{
    /// <summary>The cluster's id, or null for a key that was looked up by its URI alone.</summary>
    public string? ClusterId { get; init; }

    /// <summary>The cluster's name, or null.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The cloud whose KMS holds the key.</summary>
    public CmekProvider Provider { get; init; }

    /// <summary>The cluster's region that the key is for, or null for a key that was looked up by its URI alone.</summary>
    public string? Region { get; init; }

    /// <summary>What the cluster is given: the key's ARN, or its resource name without a version. Null while only planned.</summary>
    public string? KeyUri { get; init; }

    /// <summary>Where the key itself is: an AWS region or a Google Cloud location.</summary>
    public string? Location { get; init; }

    /// <summary>What the key is good for now.</summary>
    public CmekKeyState State { get; init; }

    /// <summary>When a scheduled deletion will happen, or null.</summary>
    public DateTimeOffset? DeletionDate { get; init; }

    /// <summary>SOFTWARE or HSM on Google Cloud; AWS_KMS, AWS_CLOUDHSM, EXTERNAL (the origin) on AWS.</summary>
    public string? ProtectionLevel { get; init; }

    /// <summary>
    /// The kind of key, as the provider names it: SYMMETRIC_DEFAULT on AWS, GOOGLE_SYMMETRIC_ENCRYPTION on Google Cloud for one that
    /// can be a CMEK.
    /// </summary>
    public string? KeySpec { get; init; }

    /// <summary>
    /// What the key may be used for, as the provider names it: ENCRYPT_DECRYPT (the key usage on AWS, the purpose on Google Cloud)
    /// for one that can be a CMEK.
    /// </summary>
    public string? KeyUsage { get; init; }

    /// <summary>The alias (AWS), without which the key works too.</summary>
    public string? Alias { get; init; }

    /// <summary>True for a multi-region key (AWS) or a multi-region location (Google Cloud).</summary>
    public bool MultiRegion { get; init; }

    /// <summary>Automatic rotation; null where it could not be seen.</summary>
    public bool? RotationEnabled { get; init; }

    /// <summary>Days between automatic rotations, or null.</summary>
    public int? RotationPeriodDays { get; init; }

    /// <summary>When the provider will rotate the key next, or null.</summary>
    public DateTimeOffset? NextRotation { get; init; }

    /// <summary>
    /// When the key last got new material (an on-demand or automatic rotation; the making of the version that is primary), or null
    /// where it never did or that could not be seen.
    /// </summary>
    public DateTimeOffset? LastRotation { get; init; }

    /// <summary>The primary version's number (Google Cloud), or null.</summary>
    public string? PrimaryVersion { get; init; }

    /// <summary>When the key was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>Google Cloud: the project that a planned key will be in; a key that is there says it in its URI.</summary>
    internal string? PlannedProject { get; init; }

    /// <summary>It was found by its marks alone, and is cut by itself.</summary>
    internal bool Discovered { get; init; }

    /// <summary>How long after its scheduling the destruction comes, where the key says that itself (Google Cloud).</summary>
    internal TimeSpan? DestructionWait { get; init; }

    /// <summary>This command has made it.</summary>
    internal bool Made { get; init; }

    /// <summary>
    /// For a key that was made just now: what the service said of the cluster before, where it listed no key then. Nobody can have been
    /// cut off from such a key, nor from the cluster's.
    /// </summary>
    internal CmekStatus? KeylessBefore { get; init; }

    /// <summary>The key's place in the cluster's region, where it was read for a cluster.</summary>
    public CmekKeyPlace Place { get; init; }

    /// <summary>When the service retired a past key, or null.</summary>
    public DateTimeOffset? RetiredAt { get; init; }

    /// <summary>The principals that are known to have used it for the cluster, the one of its place first.</summary>
    public IReadOnlyList<string> AuthPrincipals { get; init => field = Lists.Indexable(value); } = Lists.Indexable<string>([]);

    /// <summary>Tags (AWS) or labels (Google Cloud).</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init => field = Lists.Telling(value); } = Lists.Telling(
        new Dictionary<string, string>());

    /// <summary>What this command did: empty where everything was as wanted already.</summary>
    public IReadOnlyList<string> Changes { get; init => field = Lists.Indexable(value); } = Lists.Indexable<string>([]);

    /// <summary>True where this command changed something.</summary>
    public bool Changed => Changes.Count > 0;

    /// <inheritdoc/>
    public override string ToString() => KeyUri ?? $"(planned key for {ClusterName}/{Region})";
}

/// <summary>Key and principal: one region's entry in a CMEK specification.</summary>
public sealed record CmekAccess
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The cloud whose KMS holds the key.</summary>
    public CmekProvider Provider { get; init; }

    /// <summary>The cluster's region.</summary>
    public required string Region { get; init; }

    /// <summary>The key's ARN or resource name. Null while only planned.</summary>
    public string? KeyUri { get; init; }

    /// <summary>The role's ARN or the service account's email that the cluster acts as. Null while only planned.</summary>
    public string? AuthPrincipal { get; init; }

    /// <summary>True where the output is a <c>-WhatIf</c> run's: what would be granted.</summary>
    public bool Planned { get; init; }

    /// <summary>What this command did: empty where everything was as wanted already.</summary>
    public IReadOnlyList<string> Changes { get; init => field = Lists.Indexable(value); } = Lists.Indexable<string>([]);

    /// <summary>True where this command changed something.</summary>
    public bool Changed => Changes.Count > 0;

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName ?? ClusterId}/{Region}: {KeyUri} as {AuthPrincipal}";
}
