using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Lifecycle;

/// <summary>
/// A revocation that begins while a grant is under way wins. What shows it is looked at before the grant and again after it: a receipt
/// is written before the cut, and the service is told beside it. What came in between takes the grant back. A revocation for its part
/// looks at its keys again after the service was told, so that one of the two sees the other.
/// </summary>
internal sealed class GrantBesideRevocation
{
    private readonly CmekCluster _cluster;
    private readonly HashSet<string> _receipts;
    private readonly HashSet<string> _revoked;
    private readonly IReadOnlyList<string> _acting;

    private GrantBesideRevocation(CmekCluster cluster, HashSet<string> receipts, HashSet<string> revoked, IReadOnlyList<string> acting)
    {
        _cluster = cluster;
        _receipts = receipts;
        _revoked = revoked;
        _acting = acting;
    }

    /// <summary>What there is before the grant.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="status">Its status as it was seen.</param>
    /// <param name="acting">As whom it acts.</param>
    /// <param name="op">The run.</param>
    public static GrantBesideRevocation Before(CmekCluster cluster, CmekStatus status, IReadOnlyList<string> acting, Operation op) => new(
        cluster,
        [.. Receipts(cluster, op).Select(NameOf)],
        [.. Revoked(status)],
        acting);

    /// <summary>Takes the grant back where a revocation of the cluster has begun since.</summary>
    /// <param name="access">What was granted.</param>
    /// <param name="provider">The key's cloud.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException"><c>AccessRevoked</c>: it was taken back.</exception>
    public Task AfterAsync(CmekAccess access, IKeyProvider provider, Operation op) =>
        LookAsync(access.Region, access.KeyUri!, access.AuthPrincipal!, null, provider, op);

    /// <summary>The same where the grant has failed: what it had written by then counts as well.</summary>
    /// <param name="region">The region.</param>
    /// <param name="keyUri">The key.</param>
    /// <param name="principals">Whom it may have let in.</param>
    /// <param name="failure">Why it failed.</param>
    /// <param name="provider">The key's cloud.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException"><c>AccessRevoked</c>: it was taken back.</exception>
    public async Task AfterFailureAsync(
        string region,
        string keyUri,
        IReadOnlyList<string> principals,
        CmekException failure,
        IKeyProvider provider,
        Operation op)
    {
        foreach (string principal in principals)
        {
            await LookAsync(region, keyUri, principal, failure, provider, op).ConfigureAwait(false);
        }
    }

    private async Task LookAsync(
        string region,
        string uri,
        string principal,
        CmekException? failure,
        IKeyProvider provider,
        Operation op)
    {
        StoredReceipt? receipt = Receipts(_cluster, op).FirstOrDefault(
            r => !_receipts.Contains(NameOf(r))
                && (_acting.Contains(principal) || r.Document.Accesses.Any(a => a.AuthPrincipal == principal)));
        string? why = receipt is not null ? $"the receipt {receipt.Path} was written meanwhile"
            : await MarkAsync(uri, principal, provider, op).ConfigureAwait(false)
            ?? (_acting.Contains(principal) ? await RevokedSinceAsync(op).ConfigureAwait(false) : null);
        if (why is null)
        {
            return;
        }

        await provider.CutAsync(
            new AccessTarget(_cluster, op.Session.Organization.Id, region, uri, principal),
            new CutOptions(false),
            op).ConfigureAwait(false);
        throw new CmekException(
            "AccessRevoked",
            CmekErrorKind.InvalidOperation,
            $"{_cluster.Name} was revoked while {principal} was given {uri}: {why}. What it was given has been taken back.",
            $"Restore-CmekAccess -ClusterName {Text.PowerShellText.Quote(_cluster.Name)} gives the access back, where that is meant.",
            uri,
            failure);
    }

    // A cut leaves its mark on the key, whoever made it and wherever; a grant begins only where there is none.
    private async Task<string?> MarkAsync(string uri, string principal, IKeyProvider provider, Operation op) =>
        (await provider.ReadMarksAsync(uri, op).ConfigureAwait(false)).Cuts.FirstOrDefault(
            c => c.Principal == principal && c.IsOf(_cluster.Id)) is { } cut
            ? $"{cut.Where} says that it was cut off meanwhile"
            : null;

    private async Task<string?> RevokedSinceAsync(Operation op)
    {
        try
        {
            CmekStatus now = await op.Session.Cloud.GetCmekAsync(_cluster, op.Cancellation).ConfigureAwait(false);
            string[] since = [.. Revoked(now).Except(_revoked)];
            return since.Length == 0 ? null : $"the service says {now}";
        }
        catch (CmekException e)
        {
            await op.Host.WarningAsync(
                $"Whether {_cluster.Name} was revoked while it was given a key could not be seen: {e.Message}").ConfigureAwait(false);
            return null;
        }
    }

    private static IReadOnlyList<StoredReceipt> Receipts(CmekCluster cluster, Operation op) =>
        new ReceiptStore(op.Session.Journal.Folder).Open(cluster.Id);

    // A revocation goes on with a receipt that stands: it is the same file then, and has been written anew.
    private static string NameOf(StoredReceipt receipt) => $"{receipt.Path}\n{receipt.Document.Revision}";

    private static IEnumerable<string> Revoked(CmekStatus status) =>
        status.Regions.Where(r => r.State is CmekState.REVOKED or CmekState.REVOKING).Select(r => r.Region);
}
