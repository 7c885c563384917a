using CmekTools.Engine.Providers;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Schedules a key's deletion, only where no cluster lists it.</summary>
internal static class Removing
{
    /// <summary>Looks at every cluster that the API key can see, past keys included, before it asks.</summary>
    /// <exception cref="CmekException"><c>KeyInUse</c>, or what stopped the look: a cluster that cannot be read counts as using the key.</exception>
    public static async Task<CmekKey> RemoveAsync(string keyUri, int days, Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(KeyProviders.FromKeyUri(keyUri));
        provider.ValidateKeyUri(keyUri);
        List<string> users = [];
        await foreach (CmekCluster cluster in op.Session.Cloud.ListClustersAsync(op.Cancellation).ConfigureAwait(false))
        {
            if (!cluster.SupportsCmek || cluster.State == "DELETED")
            {
                continue;
            }

            CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
            users.AddRange(status.Regions.SelectMany(r => r.Keys
                .Where(k => string.Equals(k.KeyUri, keyUri, StringComparison.OrdinalIgnoreCase))
                .Select(k => $"{cluster.Name}/{r.Region} ({(ReferenceEquals(k, r.Current) ? "in use" : "past")}, {k.State})")));
        }

        if (users.Count > 0)
        {
            throw new CmekException(
                "KeyInUse",
                CmekErrorKind.InvalidOperation,
                $"{keyUri} is listed by {string.Join(", ", users)}: without it their data or backups cannot be read. It was not touched.",
                "Move the clusters to other keys and keep this one for as long as they list it. To make data unreadable on purpose: Revoke-CmekAccess -Permanent.",
                keyUri);
        }

        CmekKey key = await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false);
        if (key.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed)
        {
            await op.Host.VerboseAsync($"{keyUri} is {key.State} already; nothing was changed.").ConfigureAwait(false);
            return key;
        }

        DateTimeOffset? when = await provider.ScheduleDeletionAsync(keyUri, days, op).ConfigureAwait(false);
        if (when is null)
        {
            return key;
        }

        IReadOnlyList<string> changes = op.TakeChanges();
        return await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false) with { Changes = changes };
    }
}
