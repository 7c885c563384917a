using CmekTools.Engine.Clusters;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Moves regions to other keys, or wraps the store key anew under the newest version of the same keys.</summary>
internal static class Updating
{
    // How far the provider's clock and this one may be apart when a rotation is matched with its announcement.
    private static readonly TimeSpan s_clockSlack = TimeSpan.FromSeconds(5);

    // How long an interrupted -RotateKey run is gone on with; later a run means new versions.
    private static readonly TimeSpan s_resumable = TimeSpan.FromDays(1);

    /// <summary>Moves the regions of the accesses; the others stay.</summary>
    public static async Task<CmekStatus> MoveAsync(CmekCluster cluster, IEnumerable<CmekAccess> accesses, bool rotateKey, SwitchOptions options, Operation op)
    {
        op.About(cluster);
        ClusterLookup.RequireCmekPossible(cluster);
        SortedDictionary<string, CmekAccess> wanted = Specs.Validate(cluster, accesses, allRegions: false, newRegions: false, op);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        RequireEncrypted(cluster, status, wanted.Keys);
        JournalTicket? run = await RotateKeysAsync(cluster, wanted.Values, rotateKey, op).ConfigureAwait(false);
        Dictionary<string, DateTimeOffset?> stamps = [];
        List<CmekAccess> pending = [];
        foreach (CmekAccess access in wanted.Values)
        {
            CmekRegionStatus? region = status.Regions.FirstOrDefault(r => r.Region == access.Region);
            bool settled = region is { State: CmekState.ENABLED or CmekState.ROTATING or CmekState.ENABLING } && region.Goal() is { } goal && Specs.Matches(goal, access);
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
            return status;
        }

        string[] old = [.. status.Regions.Where(r => pending.Any(p => p.Region == r.Region)).Select(r => r.KeyUri).OfType<string>().Except(pending.Select(p => p.KeyUri!)).Distinct()];
        if (old.Length > 0)
        {
            await op.Host.WarningAsync($"The keys in use until now must stay usable: data and managed backups written under them still need them. Keep {string.Join(", ", old)}.").ConfigureAwait(false);
        }

        return await SendAsync(cluster, status, pending, StatusGoal.Keys("Moving to other keys", wanted), stamps, run, options, op).ConfigureAwait(false);
    }

    /// <summary>Sends the same keys again, so that the store key is wrapped under their newest version.</summary>
    public static async Task<CmekStatus> RewrapAsync(CmekCluster cluster, IReadOnlyList<string> regions, bool rotateKey, SwitchOptions options, Operation op)
    {
        op.About(cluster);
        ClusterLookup.RequireCmekPossible(cluster);
        string[] names = regions.Count == 0 ? [.. cluster.Regions.Select(r => r.Name)] : [.. regions.Select(r => ClusterLookup.RequireRegion(cluster, r)).Distinct()];
        CmekStatus before = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        RequireEncrypted(cluster, before, names);
        SortedDictionary<string, CmekAccess> same = new(StringComparer.Ordinal);
        Dictionary<string, DateTimeOffset?> stamps = [];
        foreach (CmekRegionStatus region in before.Regions.Where(r => names.Contains(r.Region)))
        {
            same[region.Region] = Specs.ToAccess(cluster, region, region.Goal());
            stamps[region.Region] = region.Current!.UpdatedAt;
        }

        JournalTicket? run = await RotateKeysAsync(cluster, same.Values, rotateKey, op).ConfigureAwait(false);
        HashSet<string> rotating = Rotating(before);
        CmekAccess[] pending = [.. same.Values.Where(a => !rotating.Contains(a.Region))];
        if (pending.Length > 0)
        {
            await op.Host.WarningAsync("The keys' older versions must stay usable: data and managed backups written under them still need them.").ConfigureAwait(false);
        }
        else
        {
            await op.Host.VerboseAsync($"{cluster.Name} is being rotated already; nothing was sent again.").ConfigureAwait(false);
        }

        return await SendAsync(cluster, before, pending, StatusGoal.Keys("Wrapping anew", same), stamps, run, options, op).ConfigureAwait(false);
    }

    // Sends what is pending, waits where that is wanted, and ends the run of rotations. The stamps are of the regions whose key stays.
    private static async Task<CmekStatus> SendAsync(
        CmekCluster cluster, CmekStatus before, IReadOnlyList<CmekAccess> pending, StatusGoal keys, Dictionary<string, DateTimeOffset?> stamps, JournalTicket? run, SwitchOptions options, Operation op)
    {
        bool changed = false;
        CmekStatus status = before;
        if (pending.Count > 0)
        {
            (changed, status) = await PutAsync(cluster, before, pending, Summary(pending, stamps), options, op).ConfigureAwait(false);
            if (!changed)
            {
                await EndAsync(run, op).ConfigureAwait(false);
                return status;
            }
        }

        if (options.Wait)
        {
            status = await StatusWatch.WaitAsync(cluster, Anew(keys, [.. Rotating(before), .. Rotating(status)], stamps), options.Limit, op).ConfigureAwait(false);
        }

        await EndAsync(run, op).ConfigureAwait(false);
        return status with { Changed = changed };
    }

    private static HashSet<string> Rotating(CmekStatus status) => [.. status.Regions.Where(r => r.State == CmekState.ROTATING).Select(r => r.Region)];

    /// <summary>Sends a PUT for some regions.</summary>
    public static async Task<(bool Changed, CmekStatus Status)> PutAsync(CmekCluster cluster, CmekStatus before, IReadOnlyList<CmekAccess> accesses, string summary, SwitchOptions options, Operation op)
    {
        op.About(cluster);
        if (!options.SkipPreflight)
        {
            await Checks.Preflight.RequireAsync(cluster, accesses, op).ConfigureAwait(false);
        }

        CmekSpecWire body = Specs.ToWire(cluster, accesses);
        CmekSpecWire was = Specs.ToWire(cluster, before.Regions.Where(r => r.Current is not null && accesses.Any(a => a.Region == r.Region)).Select(r => Specs.ToAccess(cluster, r)));
        CmekStatus status = before;
        bool changed = await op.ChangeAsync(
            new PlannedChange("cmek:Update", cluster.ToString(), summary, Specs.ToText(body), Specs.ToNode(was), Specs.ToNode(body)),
            async token => status = await Enabling.SpreadAsync(cluster, accesses, c => op.Session.Cloud.UpdateCmekAsync(cluster, body, c), op, token).ConfigureAwait(false)).ConfigureAwait(false);
        return (changed, status);
    }

    private static string Summary(IReadOnlyList<CmekAccess> accesses, Dictionary<string, DateTimeOffset?> rewrapped)
    {
        string[] parts =
        [
            Part("move ", accesses.Where(a => !rewrapped.ContainsKey(a.Region)), " to other keys"),
            Part("wrap the store key of ", accesses.Where(a => rewrapped.ContainsKey(a.Region)), " anew under the newest version of the same key"),
        ];
        return string.Join("; ", parts.Where(p => p.Length > 0));

        static string Part(string before, IEnumerable<CmekAccess> some, string after)
        {
            string regions = string.Join(", ", some.Select(a => a.Region));
            return regions.Length == 0 ? string.Empty : before + regions + after;
        }
    }

    // ENABLED with the same key was true before too: what counts is that the rotation was seen, by its state or by the key's new time of change.
    private static StatusGoal Anew(StatusGoal keys, HashSet<string> rotating, Dictionary<string, DateTimeOffset?> stamps) => keys with
    {
        Reached = r =>
        {
            if (r.State == CmekState.ROTATING)
            {
                rotating.Add(r.Region);
            }

            return keys.Reached(r) && (!stamps.TryGetValue(r.Region, out DateTimeOffset? stamp) || rotating.Contains(r.Region) || r.Current!.UpdatedAt != stamp);
        },
    };

    private static void RequireEncrypted(CmekCluster cluster, CmekStatus status, IEnumerable<string> regions)
    {
        foreach (string name in regions)
        {
            CmekRegionStatus? region = status.Regions.FirstOrDefault(r => r.Region == name);
            switch (region?.State)
            {
                case CmekState.ENABLED or CmekState.ROTATING or CmekState.ROTATE_FAILED when region.Current is not null:
                    continue;
                case CmekState.REVOKED or CmekState.REVOKING or CmekState.REVOKE_FAILED:
                    throw new CmekException("ClusterRevoked", CmekErrorKind.InvalidOperation, $"{cluster.Name} was revoked ({status}).", $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)}; with -RoleName or -ServiceAccount it moves the cluster to a new principal.", status);
                case CmekState.ENABLING or CmekState.DISABLING:
                    throw new CmekException("ClusterBusy", CmekErrorKind.ResourceUnavailable, $"{cluster.Name} is busy ({status}).", $"Wait-CmekStatus -ClusterName {PowerShellText.Quote(cluster.Name)}, then run the command again.", status);
                default:
                    throw new CmekException("CmekNotEnabled", CmekErrorKind.InvalidOperation, $"{cluster.Name}/{name} has no CMEK to change ({status}).", "Enable-CmekCluster switches a cluster to customer-managed keys; Add-CmekRegion adds a region.", status);
            }
        }
    }

    // Makes one new version of each key, once in a run however often the run is interrupted: the journal says what an unfinished run has done.
    private static async Task<JournalTicket?> RotateKeysAsync(CmekCluster cluster, IEnumerable<CmekAccess> accesses, bool rotateKey, Operation op)
    {
        if (!rotateKey)
        {
            return null;
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        IReadOnlyList<CmekJournalEntry> journal = JournalReader.Read(op.Session.Journal.FilePath);
        // A run that was interrupted may itself have gone on with an earlier one: what counts is when the first of them began.
        CmekJournalEntry? unfinished = journal.Where(e => e.Kind == "cmek:RotateRun" && e.Target == cluster.Id).Reverse().TakeWhile(e => e.Outcome == "unknown").LastOrDefault();
        if (unfinished is not null && op.Session.Time.GetUtcNow() - unfinished.Time > s_resumable)
        {
            await op.Host.WarningAsync($"A -RotateKey run of {unfinished.Time:u} was never finished; that is too long ago to go on with, so the keys get new versions now.").ConfigureAwait(false);
            unfinished = null;
        }

        JournalTicket? run = op.Host.WhatIf
            ? null
            : await op.Session.Journal.BeginAsync(op, new PlannedChange("cmek:RotateRun", cluster.Id, $"rotate the keys of {cluster.Name}")).ConfigureAwait(false);
        foreach (string uri in accesses.Select(a => a.KeyUri).OfType<string>().DistinctBy(provider.MaterialOf))
        {
            if (unfinished is not null && await RotatedSinceAsync(uri, unfinished.Time, journal, provider, op).ConfigureAwait(false))
            {
                await op.Host.VerboseAsync($"{uri} was rotated by the run that was interrupted; it is not rotated again.").ConfigureAwait(false);
                continue;
            }

            await provider.RotateKeyAsync(uri, op).ConfigureAwait(false);
        }

        return run;
    }

    private static async Task<bool> RotatedSinceAsync(string uri, DateTimeOffset begun, IReadOnlyList<CmekJournalEntry> journal, IKeyProvider provider, Operation op)
    {
        CmekJournalEntry? last = journal.LastOrDefault(e => e.Kind == provider.RotationChange && e.Time >= begun && provider.MaterialOf(e.Target!) == provider.MaterialOf(uri));
        if (last?.Outcome == "done")
        {
            return true;
        }

        CmekKey key = await provider.GetKeyAsync(uri, op).ConfigureAwait(false);
        return key.LastRotation is { } rotated && rotated >= begun - s_clockSlack;
    }

    private static Task EndAsync(JournalTicket? run, Operation op) => run is null ? Task.CompletedTask : op.Session.Journal.EndAsync(run, "done");
}
