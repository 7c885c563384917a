namespace CmekTools;

/// <summary>One key of a region, current or past, as the Cloud API lists it.</summary>
public sealed record CmekKeyStatus
{
    /// <summary>The state of this key.</summary>
    public CmekState State { get; init; }

    /// <summary>AWS_KMS, GCP_CLOUD_KMS, AZURE_KEY_VAULT or NULL_KMS (CockroachDB-managed).</summary>
    public string? KeyType { get; init; }

    /// <summary>The key's URI.</summary>
    public string? KeyUri { get; init; }

    /// <summary>The principal that the cluster acts as.</summary>
    public string? AuthPrincipal { get; init; }

    /// <summary>The service's words for the customer.</summary>
    public string? UserMessage { get; init; }

    /// <summary>When the entry was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>The key's place in the region: in use, on its way in, failed or past.</summary>
    public CmekKeyPlace Place { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{State} {KeyUri ?? KeyType}";
}

/// <summary>One region's CMEK state, with its current key and the past ones.</summary>
public sealed record CmekRegionStatus
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The region's name.</summary>
    public required string Region { get; init; }

    /// <summary>The region's state.</summary>
    public CmekState State { get; init; }

    /// <summary>Every key that the service lists, newest first.</summary>
    public IReadOnlyList<CmekKeyStatus> Keys { get; init => field = Lists.Indexable(value); } = Lists.Indexable<CmekKeyStatus>([]);

    /// <summary>
    /// The key in use; where the region has none yet, the one that it is to use (ENABLING), or could not (ENABLE_FAILED). Null where
    /// there is none. After ROTATE_FAILED that is the key from before, not the one that failed.
    /// </summary>
    public CmekKeyStatus? Current { get; init; }

    /// <summary>The key that the region is moving to; null where it stays with <see cref="Current"/>.</summary>
    public CmekKeyStatus? Incoming { get; init; }

    /// <summary>The URI of <see cref="Current"/>.</summary>
    public string? KeyUri => Current?.KeyUri;

    /// <summary>The principal of <see cref="Current"/>.</summary>
    public string? AuthPrincipal => Current?.AuthPrincipal;

    /// <summary>The service's message about the newest key that is not past: of a failed one it says why it failed.</summary>
    public string? UserMessage =>
        State == CmekState.DISABLED ? null : Keys.FirstOrDefault(k => k.Place > CmekKeyPlace.Past)?.UserMessage ?? Current?.UserMessage;

    /// <inheritdoc/>
    public override string ToString() => $"{Region}={State}";
}

/// <summary>What the Cloud API says about a cluster's CMEK.</summary>
public sealed record CmekStatus
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public required string ClusterName { get; init; }

    /// <summary>The cluster's provider.</summary>
    public CmekProvider Provider { get; init; }

    /// <summary>The cluster's state.</summary>
    public CmekState State { get; init; }

    /// <summary>The regions; every region of the cluster is there, also one that the service does not list (UNKNOWN).</summary>
    public IReadOnlyList<CmekRegionStatus> Regions { get; init => field = Lists.Indexable(value); } = Lists.Indexable<CmekRegionStatus>([]);

    /// <summary>What the service is doing to the cluster now.</summary>
    public string? OperationStatus { get; init; }

    /// <summary>When the service was asked.</summary>
    public DateTimeOffset AsOf { get; init; }

    /// <summary>
    /// True where the service answered that there is nothing (404): a cluster that never had CMEK, or one that is hidden from the API
    /// key.
    /// </summary>
    internal bool NotFound { get; init; }

    /// <summary>What a command rotated on the way here: the proof of <c>-RotateKey</c>.</summary>
    public IReadOnlyList<CmekKeyRotation> Rotations { get; init => field = Lists.Indexable(value); } = Lists.Indexable<CmekKeyRotation>([]);

    /// <summary>True where a command changed something to get here.</summary>
    public bool Changed { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName}: {State} ({string.Join(", ", Regions)})";
}
