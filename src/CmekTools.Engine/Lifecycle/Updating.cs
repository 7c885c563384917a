using CmekTools.Engine.Text;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Moves regions to other keys, or wraps the store key anew under the newest version of the same keys.</summary>
internal static class Updating
{
    // How far the provider's clock and this one may be apart when a rotation is matched with its announcement.
    private static readonly TimeSpan s_clockSlack = TimeSpan.FromSeconds(5);

    // How long an interrupted -RotateKey run is gone on with; later a run means new versions.
    private static readonly TimeSpan s_resumable = TimeSpan.FromDays(1);

    /// <summary>Moves the regions of the accesses; the others stay.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="accesses">One a region.</param>
    /// <param name="rotateKey">Make a new version of each key first.</param>
    /// <param name="allowPast">Keys that regions have moved away from are meant.</param>
    /// <param name="options">How.</param>
    /// <param name="op">The run.</param>
    public static async Task<CmekStatus> MoveAsync(
        CmekCluster cluster, IEnumerable<CmekAccess> accesses, bool rotateKey, bool allowPast, SwitchOptions options, Operation op)
    {
        op.About(cluster);
        ClusterRequirements.RequireCmekPossible(cluster);
        SortedDictionary<string, CmekAccess> wanted = Specs.Validate(cluster, accesses, allRegions: false, newRegions: false, op);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        RequireEncrypted(cluster, status, wanted.Keys, SwitchCommand.Update);
        await RequireNotLeftBehindAsync(cluster, status, wanted.Values, allowPast, op).ConfigureAwait(false);
        RotationRun run = await RotateKeysAsync(cluster, status, wanted.Values, rotateKey, options, op).ConfigureAwait(false);
        status = run.Status;
        options = options with { Limit = run.Left };
        Dictionary<string, DateTimeOffset?> stamps = [];
        List<CmekAccess> pending = [];
        foreach (CmekAccess access in wanted.Values)
        {
            CmekRegionStatus? region = status.Regions.FirstOrDefault(r => r.Region == access.Region);
            bool settled = region is { State: CmekState.ENABLED or CmekState.ROTATING or CmekState.ENABLING } && region.Goal() is { } goal
                && Specs.Matches(goal, access);
            if (settled && rotateKey)
            {
                // A new version of a key that is in use already is worth nothing until the store key is wrapped under it.
                stamps[access.Region] = region!.Current!.UpdatedAt;
                settled = region.State != CmekState.ENABLED;
            }

            if (!settled)
            {
                pending.Add(access);
            }
        }

        if (pending.Count == 0 && status.Regions.Where(r => wanted.ContainsKey(r.Region)).All(r => r.State == CmekState.ENABLED))
        {
            await op.Host.VerboseAsync($"{cluster.Name} uses these keys already; nothing was changed.").ConfigureAwait(false);
            await EndAsync(run, op).ConfigureAwait(false);
            return status with { Rotations = run.Rotations };
        }

        string[] old =
        [
            .. status.Regions.Where(
                r => pending.Any(p => p.Region == r.Region)).Select(r => r.KeyUri).OfType<string>().Except(
                    pending.Select(p => p.KeyUri!)).Distinct(),
        ];
        if (old.Length > 0)
        {
            await op.Host.WarningAsync(
                "The keys in use until now must stay usable: data and managed backups written under them still need them. Keep "
                    + $"{string.Join(", ", old)}.").ConfigureAwait(false);
        }

        return await SendAsync(
            cluster,
            status,
            pending,
            StatusGoal.Keys("Moving to other keys", wanted),
            stamps,
            run,
            options,
            op).ConfigureAwait(false);
    }

    /// <summary>Sends the same keys again, so that the store key is wrapped under their newest version.</summary>
    public static async Task<CmekStatus> RewrapAsync(
        CmekCluster cluster,
        IReadOnlyList<string> regions,
        bool rotateKey,
        SwitchOptions options,
        Operation op)
    {
        op.About(cluster);
        ClusterRequirements.RequireCmekPossible(cluster);
        string[] names = regions.Count == 0
            ? [.. cluster.Regions.Select(r => r.Name)]
            : [.. regions.Select(r => ClusterRequirements.RequireRegion(cluster, r)).Distinct()];
        CmekStatus before = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        RequireEncrypted(cluster, before, names, SwitchCommand.Rewrap);
        SortedDictionary<string, CmekAccess> same = new(StringComparer.Ordinal);
        foreach (CmekRegionStatus region in before.Regions.Where(r => names.Contains(r.Region)))
        {
            same[region.Region] = Specs.ToAccess(cluster, region, region.Goal());
        }

        RotationRun run = await RotateKeysAsync(cluster, before, same.Values, rotateKey, options, op).ConfigureAwait(false);
        before = run.Status;
        options = options with { Limit = run.Left };
        Dictionary<string, DateTimeOffset?> stamps = before.Regions.Where(r => same.ContainsKey(r.Region)).ToDictionary(
            r => r.Region,
            r => r.Current?.UpdatedAt,
            StringComparer.Ordinal);
        HashSet<string> rotating = Rotating(before);
        CmekAccess[] pending = [.. same.Values.Where(a => !rotating.Contains(a.Region))];
        if (pending.Length > 0)
        {
            await op.Host.WarningAsync(
                "The keys' older versions must stay usable: data and managed backups written under them still need them.")
                    .ConfigureAwait(false);
        }
        else
        {
            await op.Host.VerboseAsync($"{cluster.Name} is being rotated already; nothing was sent again.").ConfigureAwait(false);
        }

        return await SendAsync(
            cluster,
            before,
            pending,
            StatusGoal.Keys("Wrapping anew", same),
            stamps,
            run,
            options,
            op).ConfigureAwait(false);
    }

    // Sends what is pending, waits where that is wanted, and ends the run of rotations. The stamps are of the regions whose key stays.
    private static async Task<CmekStatus> SendAsync(
        CmekCluster cluster,
        CmekStatus before,
        IReadOnlyList<CmekAccess> pending,
        StatusGoal keys,
        Dictionary<string, DateTimeOffset?> stamps,
        RotationRun run,
        SwitchOptions options,
        Operation op)
    {
        bool changed = false;
        CmekStatus status = before;
        if (pending.Count > 0)
        {
            (changed, status) = await PutAsync(cluster, before, pending, Summary(pending, stamps), options, op).ConfigureAwait(false);
            if (!changed)
            {
                await EndAsync(run, op).ConfigureAwait(false);
                return status with { Rotations = run.Rotations };
            }
        }

        if (options.Wait)
        {
            status = await StatusWatch.WaitAsync(
                cluster,
                Anew(keys, [.. Rotating(before), .. Rotating(status)], stamps),
                options.Limit,
                op).ConfigureAwait(false);
        }

        await EndAsync(run, op).ConfigureAwait(false);
        return status with { Changed = changed, Rotations = run.Rotations };
    }

    private static HashSet<string> Rotating(CmekStatus status) =>
        [.. status.Regions.Where(r => r.State == CmekState.ROTATING).Select(r => r.Region)];

    /// <summary>Sends a PUT for some regions.</summary>
    public static async Task<(bool Changed, CmekStatus Status)> PutAsync(
        CmekCluster cluster,
        CmekStatus before,
        IReadOnlyList<CmekAccess> accesses,
        string summary,
        SwitchOptions options,
        Operation op)
    {
        op.About(cluster);
        if (!options.SkipPreflight)
        {
            await Checks.Preflight.RequireAsync(cluster, accesses, op).ConfigureAwait(false);
        }

        CmekSpecWire body = Specs.ToWire(cluster, accesses);
        CmekSpecWire was = Specs.ToWire(
            cluster,
            before.Regions.Where(
                r => r.Current is not null && accesses.Any(a => a.Region == r.Region)).Select(r => Specs.ToAccess(cluster, r)));
        CmekStatus status = before;
        bool changed = await op.ChangeAsync(
            new PlannedChange("cmek:Update", cluster.ToString(), summary, Specs.ToText(body), Specs.ToNode(was), Specs.ToNode(body)),
            async token => status = await Enabling.SpreadAsync(cluster, accesses, c => LostAnswerRetry.SendAsync(
                op,
                $"the change of {cluster.Name}'s keys",
                t => op.Session.Cloud.UpdateCmekAsync(cluster, body, t),
                t => Enabling.SeenAsync(cluster, r => IsChanged(before, r, accesses), accesses.Select(a => a.Region), op, t),
                TimeSpan.Zero,
                c), op, token).ConfigureAwait(false)).ConfigureAwait(false);
        return (changed, status);
    }

    // A region that keeps its key is changed where that is wrapped anew: now, or since it was looked at.
    private static bool IsChanged(CmekStatus before, CmekRegionStatus now, IReadOnlyList<CmekAccess> accesses)
    {
        CmekAccess access = accesses.First(a => a.Region == now.Region);
        CmekRegionStatus? was = before.Regions.FirstOrDefault(r => r.Region == now.Region);
        bool same = was?.Current is { } current && Specs.Matches(current, access);
        return Enabling.IsOnItsWay(now, access)
            && (
                !same || (now.State == CmekState.ROTATING && was!.State != CmekState.ROTATING)
                    || now.Current?.UpdatedAt != was!.Current!.UpdatedAt);
    }

    private static string Summary(IReadOnlyList<CmekAccess> accesses, Dictionary<string, DateTimeOffset?> rewrapped)
    {
        string[] parts =
        [
            Part("move ", accesses.Where(a => !rewrapped.ContainsKey(a.Region)), " to other keys"),
            Part(
                "wrap the store key of ",
                accesses.Where(a => rewrapped.ContainsKey(a.Region)),
                " anew under the newest version of the same key"),
        ];
        return string.Join("; ", parts.Where(p => p.Length > 0));

        static string Part(string before, IEnumerable<CmekAccess> some, string after)
        {
            string regions = string.Join(", ", some.Select(a => a.Region));
            return regions.Length == 0 ? string.Empty : before + regions + after;
        }
    }

    // ENABLED with the same key was true before too: what counts is that the rotation was seen, by the key's new time of change, or by
    // its state and two looks in a row that say ENABLED: one may be from before the request.
    private static StatusGoal Anew(StatusGoal keys, HashSet<string> rotating, Dictionary<string, DateTimeOffset?> stamps)
    {
        HashSet<string> once = [];
        return keys with
        {
            Reached = r =>
            {
                if (r.State == CmekState.ROTATING)
                {
                    rotating.Add(r.Region);
                }

                if (!keys.Reached(r))
                {
                    once.Remove(r.Region);
                    return false;
                }

                return !stamps.TryGetValue(r.Region, out DateTimeOffset? stamp)
                    || r.Current!.UpdatedAt != stamp
                    || (rotating.Contains(r.Region) && !once.Add(r.Region));
            },
        };
    }

    private static void RequireEncrypted(CmekCluster cluster, CmekStatus status, IEnumerable<string> regions, SwitchCommand command)
    {
        foreach (string name in regions)
        {
            CmekRegionStatus? region = status.Regions.FirstOrDefault(r => r.Region == name);
            Way way = WaysOut.Of(region?.State ?? CmekState.DISABLED, command);
            if (way is not (Way.Go or Way.Done) || region?.Current is null)
            {
                throw WaysOut.Refuse(cluster, status, name, way is Way.Go or Way.Done ? Way.UseEnable : way);
            }
        }
    }

    /// <summary>
    /// Nothing goes back to a key that a region has moved away from, unless that is said: it may have been left because it is
    /// compromised.
    /// </summary>
    /// <exception cref="CmekException"><c>KeyLeftBehind</c>; nothing was sent.</exception>
    public static async Task RequireNotLeftBehindAsync(
        CmekCluster cluster,
        CmekStatus status,
        IEnumerable<CmekAccess> accesses,
        bool allow,
        Operation op)
    {
        if (allow)
        {
            return;
        }

        ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false);
        foreach (CmekAccess access in accesses.Where(a => a.KeyUri is not null))
        {
            // A key that failed is not left behind: trying it once more is what follows a failure.
            if (keys.All.FirstOrDefault(k => k.Region == access.Region && k.KeyUri == access.KeyUri) is { Place: CmekKeyPlace.Past } known
                && keys.IsLeftBehind(known))
            {
                throw Keys.LeftBehind(keys, known);
            }
        }
    }

    // What was rotated, the cluster as it was seen last before that, and how much is left of the time that it may take.
    private sealed record RotationRun(
        JournalTicket? Ticket,
        IReadOnlyList<CmekKeyRotation> Rotations,
        CmekStatus Status,
        TimeSpan Left);

    // Makes one new version of each key, once in a run however often the run is interrupted: the journal says what an unfinished run
    // has done.
    private static async Task<RotationRun> RotateKeysAsync(
        CmekCluster cluster,
        CmekStatus status,
        IEnumerable<CmekAccess> accesses,
        bool rotateKey,
        SwitchOptions options,
        Operation op)
    {
        if (!rotateKey)
        {
            return new RotationRun(null, [], status, options.Limit);
        }

        // A version is used up for good: what would keep the cluster from using it is looked for before the first one is made.
        CmekAccess[] all = [.. accesses.Where(a => a.KeyUri is not null)];
        if (!options.SkipPreflight)
        {
            await Checks.Preflight.RequireAsync(cluster, all, op).ConfigureAwait(false);
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        IReadOnlyList<CmekJournalEntry> journal = JournalReader.Read(op.Session.Journal.FilePath);
        // A run that was interrupted may itself have gone on with an earlier one: what counts is when the first of them began.
        CmekJournalEntry? unfinished = journal.Where(
            e => e.Kind == "cmek:RotateRun" && e.Target == cluster.Id).Reverse().TakeWhile(e => e.Outcome == "unknown").LastOrDefault();
        if (unfinished is not null && op.Session.Time.GetUtcNow() - unfinished.Time > s_resumable)
        {
            await op.Host.WarningAsync(
                $"A -RotateKey run of {unfinished.Time:u} was never finished; that is too long ago to go on with, so the "
                    + "keys get new versions now.").ConfigureAwait(false);
            unfinished = null;
        }

        List<string> due = [];
        foreach (string uri in all.Select(a => a.KeyUri!).DistinctBy(provider.MaterialOf))
        {
            if (unfinished is not null && await RotatedSinceAsync(uri, unfinished.Time, journal, provider, op).ConfigureAwait(false))
            {
                await op.Host.WarningAsync(
                    $"{uri} was rotated by the run that was interrupted ({unfinished.Time:u}); it is not rotated again. Once this run "
                        + "has ended, the next makes new versions; one that never ends is gone on with for "
                            + $"{s_resumable.TotalHours:0} hours.").ConfigureAwait(false);
                continue;
            }

            due.Add(uri);
        }

        // A region that is being rotated is sent no second request, and what it is being wrapped under is not what would be made now.
        long start = op.Session.Time.GetTimestamp();
        CmekAccess[] busy =
        [
            .. all.Where(a => due.Exists(d => provider.MaterialOf(d) == provider.MaterialOf(a.KeyUri!))
                && status.Regions.FirstOrDefault(r => r.Region == a.Region) is { State: CmekState.ROTATING } region
                && region.Goal() is { } goal && Specs.Matches(goal, a)),
        ];
        if (busy.Length > 0)
        {
            status = await RotatedAsync(cluster, status, busy, options, op).ConfigureAwait(false);
        }

        // All of them are looked at before the first is used up.
        foreach (string uri in due)
        {
            await RequireBudgetAsync(cluster, uri, provider, op).ConfigureAwait(false);
        }

        JournalTicket? run = op.Host.WhatIf
            ? null
            : await op.Session.Journal.BeginAsync(
                op,
                new PlannedChange("cmek:RotateRun", cluster.Id, $"rotate the keys of {cluster.Name}")).ConfigureAwait(false);
        List<CmekKeyRotation> rotations = [];
        foreach (string uri in due)
        {
            if (await provider.RotateKeyAsync(uri, op).ConfigureAwait(false) is { } rotation)
            {
                rotations.Add(rotation);
            }
        }

        if (op.Host.WhatIf)
        {
            // A key that is only planned has no name yet; it would be rotated like the others.
            foreach (CmekAccess planned in accesses.Where(a => a.KeyUri is null))
            {
                await op.ChangeAsync(
                    new PlannedChange(
                        provider.RotationChange,
                        $"the key to be made for {cluster.Name}/{planned.Region}",
                        "make a new version of the key"),
                    _ => Task.CompletedTask).ConfigureAwait(false);
            }
        }

        return new RotationRun(run, rotations, status, options.Limit - op.Session.Time.GetElapsedTime(start));
    }

    // The rotation that is under way comes to its end first, where somebody waits.
    private static async Task<CmekStatus> RotatedAsync(
        CmekCluster cluster,
        CmekStatus status,
        IReadOnlyList<CmekAccess> busy,
        SwitchOptions options,
        Operation op)
    {
        string regions = string.Join(", ", busy.Select(a => a.Region));
        if (!options.Wait || op.Host.WhatIf)
        {
            throw new CmekException(
                "ClusterBusy",
                CmekErrorKind.ResourceUnavailable,
                $"{cluster.Name} is being rotated in {regions}: what it is wrapped under is not what would be made now. "
                    + "No key was rotated.",
                $"Wait-CmekStatus -ClusterName {PowerShellText.Quote(cluster.Name)}, then run the command again; with -Wait it waits for "
                    + "that by itself.",
                status);
        }

        await op.Host.VerboseAsync($"{cluster.Name} is being rotated in {regions} already; that is waited for first.")
            .ConfigureAwait(false);
        return await StatusWatch.WaitAsync(
            cluster,
            StatusGoal.Keys("Waiting for the rotation under way", busy.ToDictionary(a => a.Region, StringComparer.Ordinal)),
            options.Limit,
            op).ConfigureAwait(false);
    }

    private static async Task RequireBudgetAsync(CmekCluster cluster, string uri, IKeyProvider provider, Operation op)
    {
        RotationBudget budget = await provider.ReadRotationBudgetAsync(uri, op).ConfigureAwait(false);
        if (budget.Limit == 0)
        {
            return;
        }

        if (!budget.Seen)
        {
            await op.Host.WarningAsync(
                $"How many of the {budget.Limit} on-demand rotations of {uri} are left could not be read.").ConfigureAwait(false);
        }
        else if (budget.Left == 0)
        {
            throw new CmekException(
                "RotationLimitReached",
                CmekErrorKind.LimitsExceeded,
                $"{uri} has had all {budget.Limit} on-demand rotations that a key can have; no quota raises that. No key was rotated.",
                $"New-CmekKey -ClusterName {PowerShellText.Quote(cluster.Name)} -NewGeneration | Grant-CmekAccess | Update-CmekCluster "
                    + "-Wait moves the cluster to new keys, which can be rotated again. Automatic rotation does not "
                        + "count against the limit.",
                uri);
        }
        else
        {
            string left = $"{budget.Used} of {budget.Limit} on-demand rotations of {uri} are used up; this one leaves {budget.Left - 1}.";
            await (budget.Left > 5 ? op.Host.VerboseAsync(left) : op.Host.WarningAsync(left)).ConfigureAwait(false);
        }
    }

    private static async Task<bool> RotatedSinceAsync(
        string uri,
        DateTimeOffset begun,
        IReadOnlyList<CmekJournalEntry> journal,
        IKeyProvider provider,
        Operation op)
    {
        CmekJournalEntry? last = journal.LastOrDefault(
            e => e.Kind == provider.RotationChange && e.Time >= begun && provider.MaterialOf(e.Target!) == provider.MaterialOf(uri));
        if (last?.Outcome == "done")
        {
            return true;
        }

        CmekKey key = await provider.GetKeyAsync(uri, op).ConfigureAwait(false);
        return key.LastRotation is { } rotated && rotated >= begun - s_clockSlack;
    }

    private static Task EndAsync(RotationRun run, Operation op) =>
        run.Ticket is null ? Task.CompletedTask : op.Session.Journal.EndAsync(run.Ticket, "done");
}
