using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;

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
        string[] users = [.. (await UsersAsync([keyUri], null, op).ConfigureAwait(false))[keyUri]];
        if (users.Length > 0)
        {
            throw InUse(keyUri, users);
        }

        CmekKey key = await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false);
        if (KeyProviders.FromKeyUri(keyUri) != CmekProvider.GCP && key.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed)
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
        if (changes.Count == 0 && !op.Declined)
        {
            await op.Host.VerboseAsync($"{keyUri} is {key.State} already; nothing was changed.").ConfigureAwait(false);
        }

        return await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false) with { Changes = changes };
    }

    /// <summary>Who lists keys, past entries included: every cluster that the API key can see, but one. Each cluster is read once.</summary>
    /// <param name="keyUris">The keys.</param>
    /// <param name="except">The id of a cluster that does not count, or null.</param>
    /// <param name="op">The run.</param>
    public static async Task<ILookup<string, string>> UsersAsync(IReadOnlyCollection<string> keyUris, string? except, Operation op)
    {
        List<(string Uri, string User)> users = [];
        await foreach (CmekCluster cluster in op.Session.Cloud.ListClustersAsync(op.Cancellation).ConfigureAwait(false))
        {
            if (!cluster.SupportsCmek || cluster.State == "DELETED" || cluster.Id == except)
            {
                continue;
            }

            CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
            users.AddRange(status.Regions.SelectMany(r => r.Keys
                .Where(k => keyUris.Contains(k.KeyUri, StringComparer.OrdinalIgnoreCase))
                .Select(k => (k.KeyUri!, $"{cluster.Name}/{r.Region} ({KeyPlaceText.Of(k.Place)}, {k.State})"))));
        }

        return users.ToLookup(u => u.Uri, u => u.User, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The error for a key that clusters list.</summary>
    public static CmekException InUse(string keyUri, IEnumerable<string> users) => new(
        "KeyInUse",
        CmekErrorKind.InvalidOperation,
        $"{keyUri} is listed by {string.Join(", ", users)}: without it their data or backups cannot be read. It was not touched.",
        "Move the clusters to other keys and keep this one for as long as they list it. To make data unreadable on purpose: Revoke-CmekAccess -Permanent.",
        keyUri);
}
