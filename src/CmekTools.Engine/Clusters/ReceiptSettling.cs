using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// Closes receipts by what is true now, wherever the restore ran: what a receipt on this machine says of itself may be long past.
/// </summary>
internal static class ReceiptSettling
{
    /// <summary>
    /// Looks at a cluster's open receipts. One whose principals are all replaced is superseded; one whose accesses are open again, or
    /// superseded, is restored; any other stands open. One that another user or machine sealed is closed by what the service lists
    /// alone, and only for this user.
    /// </summary>
    /// <param name="keys">The cluster's keys as they are now.</param>
    /// <param name="receipts">The receipts to look at.</param>
    /// <param name="done">Accesses that this run has given back without a failure: they count unless they are seen to be stopped.</param>
    /// <param name="op">The run.</param>
    public static async Task SettleAsync(
        ClusterKeys keys,
        IReadOnlyList<StoredReceipt> receipts,
        IReadOnlyCollection<string> done,
        Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(keys.Cluster.Provider);
        string[] acting = [.. keys.Acting];
        foreach (
            (StoredReceipt receipt, ReceiptStanding trust) in receipts.Where(r => r.Document.IsOpen)
                .Select(r => (r, ReceiptTrust.Judge(r, keys.Cluster.Id, keys.OrganizationId).Standing))
                .Where(r => r.Standing is ReceiptStanding.Verified or ReceiptStanding.Unproven))
        {
            (string path, ReceiptDocument document) = (receipt.Path, receipt.Document);
            bool proven = trust == ReceiptStanding.Verified;
            ReceiptAccess[] standing = [.. document.Accesses.Where(a => acting.Contains(a.AuthPrincipal))];
            bool closes = keys.All.Any(k => k.Sources.HasFlag(KeySources.Service))
                && (proven || document.Accesses.All(a => keys.All.Any(
                    k => k.KeyUri == a.KeyUri && k.Sources.HasFlag(KeySources.Service))));
            foreach (ReceiptAccess access in standing)
            {
                closes = closes && await IsOpenAsync(keys, access, done.Contains(access.Identity), provider, op).ConfigureAwait(false);
            }

            if (!closes || op.Host.WhatIf)
            {
                continue;
            }

            DateTimeOffset now = op.Session.Time.GetUtcNow();
            try
            {
                if (!proven)
                {
                    ReceiptStore.CloseUnproven(path, now);
                    continue;
                }

                ReceiptStore.Save(path, standing.Length == 0 ? document with { SupersededAt = now } : document with { RestoredAt = now });
                op.Session.Shared?.Offer();
            }
            catch (CmekException e)
            {
                // What the receipt is about is true whether the file says so or not.
                await op.Host.ErrorAsync(e).ConfigureAwait(false);
            }
        }
    }

    private static async Task<bool> IsOpenAsync(ClusterKeys keys, ReceiptAccess access, bool done, IKeyProvider provider, Operation op)
    {
        AccessTarget target = new(keys.Cluster, keys.OrganizationId, access.Region, access.KeyUri, access.AuthPrincipal);
        try
        {
            AccessDecision decision = await provider.EvaluateAsync(target, op).ConfigureAwait(false);
            if (decision.Use == Decision.Allowed || (done && decision.Use != Decision.Denied))
            {
                return true;
            }

            // A past key that was retired on purpose lets nobody in; what counts is that no cut of ours is left on it.
            bool needed = keys.Needed.Any(k => k.KeyUri == access.KeyUri);
            if (!needed && decision.Use == Decision.Missing)
            {
                // A past key that is gone cannot be given back, and the receipt does not stand open for it for ever.
                return true;
            }

            return !needed && done
                && (
                    await provider.ReadMarksAsync(access.KeyUri, op).ConfigureAwait(false)).Cuts.All(
                        c => c.Principal != access.AuthPrincipal);
        }
        catch (CmekException e)
        {
            return e.Kind == CmekErrorKind.ObjectNotFound && !keys.Needed.Any(k => k.KeyUri == access.KeyUri);
        }
    }
}
