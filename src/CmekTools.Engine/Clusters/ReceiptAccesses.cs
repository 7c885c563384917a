using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>What of a receipt may be given back to a cluster.</summary>
internal static class ReceiptAccesses
{
    /// <summary>
    /// Sorts a receipt's accesses into those that may be given back and those that may not. An access may be given back only where the
    /// service or the inventory lists its key with its principal for this cluster; of a receipt that is not verified, only what a
    /// cluster needs of a key (its roles and actions, no others) is left in the snapshot.
    /// </summary>
    /// <param name="receipt">The receipt.</param>
    /// <param name="trust">How far it can be trusted.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="listed">Every key with its principal that the service or the inventory lists for this cluster.</param>
    public static IReadOnlyList<JudgedAccess> Sort(
        StoredReceipt receipt,
        ReceiptTrust trust,
        CmekCluster cluster,
        IEnumerable<ListedAccess> listed)
    {
        if (trust.Standing is ReceiptStanding.Foreign or ReceiptStanding.Tampered)
        {
            return [.. receipt.Document.Accesses.Select(a => new JudgedAccess(a, AccessStanding.ReceiptUntrusted, trust.Why))];
        }

        HashSet<ListedAccess> known = [.. listed];
        return [.. receipt.Document.Accesses.Select(a => Judge(a, trust, cluster, known))];
    }

    private static JudgedAccess Judge(ReceiptAccess access, ReceiptTrust trust, CmekCluster cluster, HashSet<ListedAccess> known)
    {
        if (!known.Contains(new ListedAccess(access.KeyUri, access.AuthPrincipal)))
        {
            return new(
                access,
                AccessStanding.NotListed,
                $"neither the service nor the inventory lists {access.KeyUri} with {access.AuthPrincipal} for {cluster.Name}");
        }

        if (trust.Standing == ReceiptStanding.Verified)
        {
            return new(access, AccessStanding.MayBeGivenBack, null);
        }

        (AccessSnapshot snapshot, IReadOnlyList<string> left) = SnapshotFilter.Reduce(access, cluster);
        return new(
            access with { Snapshot = snapshot },
            AccessStanding.MayBeGivenBack,
            left.Count == 0 ? null : $"left out, because a cluster does not need it: {string.Join(", ", left)}");
    }
}

/// <summary>A key with its principal, as the service or the inventory lists it for a cluster.</summary>
internal sealed record ListedAccess(string KeyUri, string AuthPrincipal);

/// <summary>Whether an access of a receipt may be given back.</summary>
internal enum AccessStanding
{
    /// <summary>It may.</summary>
    MayBeGivenBack,

    /// <summary>Only the receipt knows of it: shown and refused.</summary>
    NotListed,

    /// <summary>The receipt as a whole is not to be acted on.</summary>
    ReceiptUntrusted,
}

/// <summary>One access of a receipt with what may be done with it.</summary>
/// <param name="Access">The access; of an unproven receipt with a snapshot that holds no more than a cluster needs.</param>
/// <param name="Standing">Whether it may be given back.</param>
/// <param name="Why">Why not, or what was left out of its snapshot; null where there is nothing to tell.</param>
internal sealed record JudgedAccess(ReceiptAccess Access, AccessStanding Standing, string? Why);
