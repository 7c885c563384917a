using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Schedules a key's deletion, only where nobody is known to use it and nothing that could tell was left unread.</summary>
internal static class Removing
{
    /// <summary>Looks at everybody who may use the key before it asks.</summary>
    /// <param name="keyUri">The key.</param>
    /// <param name="days">AWS: days until then; 30 where null.</param>
    /// <param name="gone">Ids of clusters that are gone for good.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException"><c>KeyInUse</c>: somebody uses it, or could not be read and so counts as using it.</exception>
    public static async Task<CmekKey> RemoveAsync(string keyUri, int? days, IReadOnlyCollection<string> gone, Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(KeyProviders.FromKeyUri(keyUri));
        provider.ValidateKeyUri(keyUri);
        ForeignOptions.RequireWindow(keyUri, provider.Provider, days is not null);
        CmekKeyUse[] uses = await RequireUnusedAsync(keyUri, gone, op).ConfigureAwait(false);
        DateTimeOffset seen = op.Session.Time.GetUtcNow();

        CmekKey key = await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false);
        if (provider.Provider != CmekProvider.GCP && key.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed)
        {
            await op.Host.VerboseAsync($"{keyUri} is {key.State} already; nothing was changed.").ConfigureAwait(false);
            return key;
        }

        // Who is hit stands in the question, not only in the refusal.
        CmekKeyUse[] hit = [.. uses.Where(u => u.Kind is CmekKeyUseKind.Principal or CmekKeyUseKind.Replica or CmekKeyUseKind.Mark)];
        string about = hit.Length == 0
            ? "nobody else is known to use it"
            : "it is known to " + string.Join("; ", hit.Select(u => u.ToString()));
        string when = provider.Provider == CmekProvider.AWS ? $" in {days ?? 30} days" : string.Empty;
        bool begun = key.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed;
        if (!begun
            && !await op.Host.ConfirmRunAsync(
                keyUri,
                $"schedule the deletion of the key{when}. No cluster lists it; {about}. When it is gone, nothing that "
                    + "it encrypted can be read",
                new Unanswered("Nothing was deleted; give -Confirm:$false.", "In a script give -Confirm:$false.")).ConfigureAwait(false))
        {
            return key;
        }

        // A question may have stood for an hour.
        if (!op.Host.WhatIf && op.Session.Time.GetUtcNow() - seen > KeyUses.Lasting)
        {
            await RequireUnusedAsync(keyUri, gone, op).ConfigureAwait(false);
        }

        if (!begun && op.Host.WhatIf)
        {
            // The question says all of it: a second line for the same change would look like a second change.
            return key;
        }

        // Whoever removes a key means it: a restore must not take it for one that a revocation switched off.
        await provider.UnmarkRevokedAsync(keyUri, op).ConfigureAwait(false);
        int before = op.ChangeCount;
        DateTimeOffset? date = await provider.ScheduleDeletionAsync(keyUri, days ?? 30, op).ConfigureAwait(false);
        IReadOnlyList<string> changes = op.ChangesSince(before);
        if (changes.Count == 0 && !op.Declined && !op.Host.WhatIf)
        {
            await op.Host.VerboseAsync($"{keyUri} is {key.State} already; nothing was changed.").ConfigureAwait(false);
        }

        string[] copies = [.. uses.Where(u => u is { Kind: CmekKeyUseKind.Replica, Detail: "a copy" }).Select(u => u.Name)];
        if (changes.Count > 0 && date is null && copies.Length > 0)
        {
            await op.Host.WarningAsync(
                $"{keyUri} is a multi-region primary: it lives for as long as its copies do ({string.Join(", ", copies)}), and has no "
                    + "date of deletion until the last of them is gone.").ConfigureAwait(false);
        }

        return changes.Count == 0 ? key : await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false) with { Changes = changes };
    }

    private static async Task<CmekKeyUse[]> RequireUnusedAsync(string keyUri, IReadOnlyCollection<string> gone, Operation op)
    {
        CmekKeyUse[] uses = [.. (await KeyUses.ReadAsync([keyUri], null, gone, op).ConfigureAwait(false))[keyUri]];
        return uses.Any(u => u.KeepsKey) ? throw KeyUses.InUse(keyUri, uses) : uses;
    }
}
