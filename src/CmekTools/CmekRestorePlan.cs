namespace CmekTools;

/// <summary>What a restore does with one key and principal.</summary>
public enum CmekRestoreAction : long
{
    /// <summary>The access is given back: from a receipt where one has it, else as Grant-CmekAccess would give it.</summary>
    GiveBack,
    /// <summary>The principal that was named gets access to the key.</summary>
    Grant,
    /// <summary>The principal is no longer the one that the cluster acts as: it stays cut off unless it is named.</summary>
    StaysCut,
    /// <summary>
    /// A past key that is switched off or scheduled for deletion, and not by a revocation: the key is left as it is, and whoever had access
    /// to it gets that back; another principal that was named gets none.
    /// </summary>
    LeftRetired,
    /// <summary>What is in the receipt is not to be trusted, or is none of this cluster's: nothing is done.</summary>
    Refused,
    /// <summary>The key's service did not answer: nothing is done for it now, and the same command again does it.</summary>
    Unreachable,
}

/// <summary>One line of the plan of a restore: made from what a receipt says, what is there now, and what the cluster needs.</summary>
public sealed record CmekRestorePlan
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The cluster's region.</summary>
    public required string Region { get; init; }

    /// <summary>The key.</summary>
    public required string KeyUri { get; init; }

    /// <summary>The key's place.</summary>
    public CmekKeyPlace Place { get; init; }

    /// <summary>The principal.</summary>
    public required string AuthPrincipal { get; init; }

    /// <summary>What is done.</summary>
    public CmekRestoreAction Action { get; init; }

    /// <summary>Why.</summary>
    public required string Reason { get; init; }

    /// <summary>Who can use or administer the key or the principal now, and could not when the receipt was written.</summary>
    public IReadOnlyList<string> Newcomers { get; init => field = Lists.Indexable(value); } = Lists.Indexable<string>([]);

    /// <summary>The receipt that the access comes back from, or null.</summary>
    public string? ReceiptPath { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName ?? ClusterId}/{Region} {Action} {AuthPrincipal} on {KeyUri}: {Reason}";
}
