using System.Globalization;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>The end of the keys: asked about after the last cut of all, so that no answer keeps a key open.</summary>
internal sealed class PermanentRevocation(
    RevocationPlan plan,
    IReadOnlyList<KeyCut> keys,
    IReadOnlyDictionary<string, RevocationReport> reports,
    Operation op)
{
    /// <summary>Schedules the deletion of every key that no other cluster lists.</summary>
    public async Task ScheduleAsync()
    {
        List<KeyCut> free = [];
        foreach (RevocationSubject subject in plan.Subjects)
        {
            free.AddRange(await FreeAsync(subject).ConfigureAwait(false));
        }

        // In one order in each run: what was looked at first must not say what is read first.
        KeyCut[] doomed =
        [
            .. free.Distinct().OrderBy(k => k.Accesses[0].Subject.Cluster.Name, StringComparer.Ordinal)
                .ThenBy(k => k.Accesses[0].Target.Region, StringComparer.Ordinal).ThenBy(k => k.KeyUri, StringComparer.Ordinal),
        ];
        if (doomed.Length == 0 || !await IsWantedAsync(doomed).ConfigureAwait(false))
        {
            return;
        }

        if (op.Host.WhatIf)
        {
            foreach (KeyCut key in doomed)
            {
                await ScheduleAsync(key).ConfigureAwait(false);
            }

            return;
        }

        await Task.WhenAll(doomed.Select(ScheduleAsync)).ConfigureAwait(false);
    }

    // A key that other clusters list too would make their data unreadable; where that cannot be looked up, none is touched.
    private async Task<IEnumerable<KeyCut>> FreeAsync(RevocationSubject subject)
    {
        KeyCut[] own = [.. keys.Where(k => k.Accesses.Any(a => a.Subject == subject) && (k.Stage != KeyStage.Waiting || op.Host.WhatIf))];
        foreach (KeyCut hearsay in own.Where(k => !IsProven(subject, k.KeyUri)))
        {
            await op.Host.ErrorAsync(Hearsay(subject, hearsay.KeyUri)).ConfigureAwait(false);
            await reports[subject.Cluster.Id].DoneAsync(
                "Deletion",
                hearsay.Accesses[0].Target.Region,
                hearsay.KeyUri,
                $"NOT scheduled for {hearsay.KeyUri}: only a file that anybody may have written says that it is the cluster's")
                    .ConfigureAwait(false);
        }

        own = [.. own.Where(k => IsProven(subject, k.KeyUri))];
        if (own.Length == 0)
        {
            return [];
        }

        try
        {
            ILookup<string, CmekKeyUse> uses =
                await KeyUses.ReadAsync([.. own.Select(k => k.KeyUri)], subject.Cluster.Id, [subject.Cluster.Id], op).ConfigureAwait(false);
            foreach (KeyCut key in own.Where(k => uses[k.KeyUri].Any(u => u.KeepsKey)))
            {
                await op.Host.ErrorAsync(KeyUses.InUse(key.KeyUri, uses[key.KeyUri])).ConfigureAwait(false);
            }

            return own.Where(k => !uses[k.KeyUri].Any(u => u.KeepsKey));
        }
        catch (CmekException e)
        {
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
            await reports[subject.Cluster.Id].DoneAsync(
                "Deletion",
                $"NOT scheduled: whether other clusters use the keys could not be seen: {e.Message}").ConfigureAwait(false);
            return [];
        }
    }

    // A cut by a file that somebody forged is undone by a restore; a deletion is not. Whoever names keys by hand says it himself. A copy
    // is what its original is.
    private bool IsProven(RevocationSubject subject, string uri)
    {
        Access.IKeyProvider provider = op.Session.GetProvider(subject.Cluster.Provider);
        string material = provider.MaterialOf(uri);
        return subject.Unknown
            || subject.Keys.All.Any(k => k.Sources != KeySources.None && provider.MaterialOf(k.KeyUri) == material);
    }

    private static CmekException Hearsay(RevocationSubject subject, string uri) => new(
        "KeyUnproven",
        CmekErrorKind.InvalidOperation,
        $"{uri} was cut off from {subject.Cluster.Name}, and its deletion was not scheduled: neither the service nor what this user has "
            + "sealed says that it is a key of the cluster, only a journal or an inventory that anybody may have written.",
        $"Look whose key it is. Revoke-CmekAccess -KeyUri {uri} -AuthPrincipal … -Permanent names it by hand.",
        uri);

    private async Task<bool> IsWantedAsync(KeyCut[] doomed)
    {
        if (op.Host.WhatIf || plan.Options.ConfirmedName is not null)
        {
            return true;
        }

        string names = string.Join(", ", doomed.SelectMany(k => k.Accesses).Select(a => a.Subject.Cluster.Name).Distinct());
        string[] ends = await Task.WhenAll(doomed.Select(EndAsync)).ConfigureAwait(false);
        bool wanted;
        try
        {
            wanted = await op.Host.ShouldContinueAsync(
                $"{plan.Target(op)}: these keys are scheduled to be destroyed on the days that stand beside them; from then on nobody can "
                    + $"ever read the data of {names} or its backups again.{string.Concat(ends.Select(e => "\n  " + e))}\n"
                    + "Schedule their deletion?",
                "Permanent revocation").ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            // Nobody could answer: that is no yes.
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
            return false;
        }

        if (!wanted)
        {
            await op.Host.WarningAsync($"No deletion was scheduled for the keys of {names}.").ConfigureAwait(false);
        }

        return wanted;
    }

    // Its own waiting time is asked of the key; one that does not say it in time is said to be of the default.
    private async Task<string> EndAsync(KeyCut key)
    {
        CmekProvider cloud = key.Accesses[0].Subject.Cluster.Provider;
        if (cloud == CmekProvider.AWS)
        {
            return $"{key.KeyUri}: on {plan.EndOf(cloud, null, op)} ({plan.Options.DeletionDays} days)";
        }

        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
        using ITimer limit = soon.CancelAfter(op.Timings.ServicePatience, op.Session.Time);
        try
        {
            CmekKey seen = await op.Session.GetProvider(cloud)
                .GetKeyAsync(key.KeyUri, op.ForRecord(op.Host, soon.Token, op.Abort)).ConfigureAwait(false);
            TimeSpan wait = seen.DestructionWait ?? TimeSpan.FromDays(30);
            return string.Create(
                CultureInfo.InvariantCulture, $"{key.KeyUri}: on {plan.EndOf(cloud, wait, op)} ({wait.TotalDays:0.#} days)");
        }
        catch (Exception e) when (e is CmekException || !op.Cancellation.IsCancellationRequested)
        {
            return $"{key.KeyUri}: on {plan.EndOf(cloud, null, op)}, if it has no waiting time of its own: it did not answer";
        }
    }

    private async Task ScheduleAsync(KeyCut key)
    {
        CutAccess first = key.Accesses[0];
        RevocationReport told = first.Report;
        try
        {
            Access.IKeyProvider provider = op.Session.GetProvider(first.Subject.Cluster.Provider);
            Operation part = op.ForRecord(op.Host, op.Cancellation, op.Abort);
            part.About(first.Subject.Cluster);
            CmekKey seen = await provider.GetKeyAsync(key.KeyUri, part).ConfigureAwait(false);

            // On Google Cloud each version has its own state: what the primary says is not what all say.
            bool gone = first.Subject.Cluster.Provider != CmekProvider.GCP
                && seen.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed;
            if (!gone)
            {
                await RevocationMarks.PutAsync(key.KeyUri, key.Clusters, provider, part).ConfigureAwait(false);
            }

            DateTimeOffset? when = gone
                ? seen.DeletionDate
                : await provider.ScheduleDeletionAsync(key.KeyUri, plan.Options.DeletionDays, part).ConfigureAwait(false);
            if (!op.Host.WhatIf)
            {
                string date = when?.ToString("u") ?? "(the provider gave no date)";
                await told.DoneAsync(
                    "Deletion",
                    first.Target.Region,
                    key.KeyUri,
                    $"{key.KeyUri} will be gone {date}; until then Restore-CmekAccess can rescue it").ConfigureAwait(false);
            }
        }
        catch (Exception e) when (!op.Cancellation.IsCancellationRequested)
        {
            CmekException failure = e as CmekException ?? new CmekException(
                "BreakGlassFault",
                CmekErrorKind.InvalidData,
                e.Message,
                "Run the same command again.",
                key.KeyUri,
                e);
            await op.Host.ErrorAsync(failure).ConfigureAwait(false);
            await told.DoneAsync(
                "Deletion",
                first.Target.Region,
                key.KeyUri,
                $"NOT scheduled for {key.KeyUri}: {e.Message}").ConfigureAwait(false);
        }
    }
}
