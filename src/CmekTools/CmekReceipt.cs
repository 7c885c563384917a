namespace CmekTools;

/// <summary>What a revocation changed, enough to undo it exactly. Plain JSON on disk; this is its head.</summary>
public sealed record CmekReceipt
{
    /// <summary>The receipt's id.</summary>
    public required string Id { get; init; }

    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name when it was written.</summary>
    public required string ClusterName { get; init; }

    /// <summary>The organization's id.</summary>
    public required string OrganizationId { get; init; }

    /// <summary>When it was begun.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its revocation was undone, or null while it stands.</summary>
    public DateTimeOffset? RestoredAt { get; init; }

    /// <summary>
    /// When it was seen that the cluster acts as none of its principals any more, or null: they stay cut off, and nothing is left to
    /// be undone.
    /// </summary>
    public DateTimeOffset? SupersededAt { get; init; }

    /// <summary>The accesses that were cut.</summary>
    public IReadOnlyList<CmekAccess> Accesses { get; init => field = Lists.Indexable(value); } = Lists.Indexable<CmekAccess>([]);

    /// <summary>Whether the receipt is what this user's CmekTools wrote. Restore-CmekAccess takes only a verified one by itself.</summary>
    public CmekSealState Seal { get; init; }

    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Path;
}
