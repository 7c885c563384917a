namespace CmekTools.Engine.State;

/// <summary>How far a receipt can be trusted for one cluster.</summary>
internal enum ReceiptStanding
{
    /// <summary>Sealed by this user and of this cluster and organization: may be acted on.</summary>
    Verified,

    /// <summary>
    /// Without a seal, or sealed elsewhere: may be read, and acted on only where it was named and confirmed, and then through the
    /// filter.
    /// </summary>
    Unproven,

    /// <summary>Of another cluster or organization: never acted on.</summary>
    Foreign,

    /// <summary>Changed since it was sealed, or an earlier copy of one that was closed: never acted on.</summary>
    Tampered,
}

/// <summary>What a receipt may be used for, and why.</summary>
/// <param name="Standing">How far it can be trusted.</param>
/// <param name="Why">Why, in a sentence for the user.</param>
internal sealed record ReceiptTrust(ReceiptStanding Standing, string Why)
{
    /// <summary>
    /// Can both be the same organization? A cut that was made without a connection does not know whose the cluster is, and its receipt
    /// leaves that empty; a cluster's id is its own in every organization.
    /// </summary>
    public static bool MayBeOf(string organizationId, string other) =>
        organizationId == other || organizationId.Length == 0 || other.Length == 0;

    /// <summary>Judges a receipt for a cluster.</summary>
    /// <param name="receipt">The receipt.</param>
    /// <param name="clusterId">The cluster that it is to be used for.</param>
    /// <param name="organizationId">The organization of the connection.</param>
    public static ReceiptTrust Judge(StoredReceipt receipt, string clusterId, string organizationId)
    {
        ReceiptDocument document = receipt.Document;
        if (document.ClusterId != clusterId || !MayBeOf(document.OrganizationId, organizationId))
        {
            return new(
                ReceiptStanding.Foreign,
                $"{receipt.Path} is a receipt of the cluster {document.ClusterName} ({document.ClusterId}) in the organization "
                    + $"{document.OrganizationId}.");
        }

        return receipt.Seal switch
        {
            CmekSealState.Verified => new(ReceiptStanding.Verified, $"{receipt.Path} is sealed by this user and unchanged."),
            CmekSealState.Broken => new(
                ReceiptStanding.Tampered,
                $"{receipt.Path} was changed since CmekTools sealed it, or is an earlier copy of a receipt that was closed."),
            CmekSealState.Elsewhere => new(
                ReceiptStanding.Unproven,
                $"{receipt.Path} was sealed by another user or on another machine: whether it was changed cannot be told here."),
            _ => new(ReceiptStanding.Unproven, $"{receipt.Path} has no seal: anybody who may write in its folder can have written it."),
        };
    }
}
