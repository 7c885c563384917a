namespace CmekTools;

/// <summary>One step of a break-glass or its undoing, given when it has been seen done.</summary>
public sealed record CmekStep
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The region, or null for a step that concerns the whole cluster.</summary>
    public string? Region { get; init; }

    /// <summary>The key, or null for a step that concerns the whole cluster.</summary>
    public string? KeyUri { get; init; }

    /// <summary>Who is cut off from the key, or has the access, on a step that is about one; null on the others.</summary>
    public string? AuthPrincipal { get; init; }

    /// <summary>
    /// The step's stable name: Receipt, Cut, Grant, Proof, Revoke, Revoked, Deletion, Restore, Access, Move, SupportRequest, Enabled.
    /// </summary>
    public required string Step { get; init; }

    /// <summary>What was done or seen.</summary>
    public required string Result { get; init; }

    /// <summary>What is true now, in words: for example "key cut, cluster still running".</summary>
    public required string Now { get; init; }

    /// <summary>
    /// True only where every key of the cluster, past ones and copies too, has been read to be cut off from all of its principals;
    /// false where one has been read to be open; null where something was not seen (yet).
    /// </summary>
    public bool? KeyCut { get; init; }

    /// <summary>What was read of this step's key; of all of the cluster's keys together where the step has none.</summary>
    public CmekCutState CutState { get; init; }

    /// <summary>True where the service says REVOKED for every region.</summary>
    public bool Revoked { get; init; }

    /// <summary>
    /// How long it took, in seconds: a restore's step by itself, a revocation's from the answer to its question until it was seen done.
    /// </summary>
    public double DurationSeconds { get; init; }

    /// <summary>When it was done.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>The receipt's file, where there is one.</summary>
    public string? ReceiptPath { get; init; }

    /// <summary>The text for the vendor's ticket, on the step SupportRequest; null on the others.</summary>
    public CmekSupportRequest? SupportRequest { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName ?? ClusterId}{(Region is null ? string.Empty : "/" + Region)} {Step}: {Result}";
}
