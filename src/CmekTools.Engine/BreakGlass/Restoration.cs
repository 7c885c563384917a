using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.BreakGlass;

/// <summary>How access is to be given back.</summary>
/// <param name="Principal">A new principal in place of the old one, or null.</param>
/// <param name="Wait">Until every region says ENABLED.</param>
/// <param name="Limit">How long.</param>
internal sealed record RestoreOptions(PrincipalOptions? Principal, bool Wait, TimeSpan Limit)
{
    /// <summary>Take what changed since the receipt as seen and agreed to; else it is asked about.</summary>
    public bool AcceptChanges { get; init; }
}

/// <summary>Undoes a revocation as far as it can be undone from here, and says what cannot.</summary>
internal static class Restoration
{
    /// <summary>Gives access back: to every key that the cluster needs, and to every one that carries our cut, each by itself.</summary>
    public static async Task RestoreAsync(CmekCluster cluster, StoredReceipt? given, RestoreOptions options, Operation op)
    {
        op.About(cluster);
        await op.ReadSharedAsync().ConfigureAwait(false);
        if (options.Principal is not null)
        {
            ForeignOptions.Require(cluster, options.Principal);
            if (op.Session.Offline is { } offline)
            {
                // The service would have to be told the new one, and takes nothing now.
                throw offline;
            }
        }

        if (given is not null)
        {
            await RequireUsableAsync(cluster, given, op).ConfigureAwait(false);
        }

        RestorePlan plan = await RestorePlanning.MakeAsync(cluster, given, options.Principal, op).ConfigureAwait(false);
        CmekStatus status = plan.Keys.Status;
        RestorationReport report = new(cluster, op)
        {
            ReceiptPath = given?.Path ?? (plan.Open.Count > 0 ? plan.Open[0].Path : null),
            Revoked = Revocation.IsRevoked(status),
            Unasked = op.Session.Offline is not null,
        };
        if (plan.Open.Count == 0 && PassedOver(cluster, op) is { Count: > 0 } others)
        {
            await op.Host.WarningAsync(
                $"There is no open receipt for {cluster.Name} here that this user sealed, and others are passed over: "
                    + $"{string.Join("; ", others)}. Access is given back as Grant-CmekAccess would give it, to the keys and principals "
                    + "that the service lists.").ConfigureAwait(false);
        }
        else if (plan.Open.Count == 0
            && new ReceiptStore(op.Session.Journal.Folder).List().Any(
                r => r.Document.RestoredAt is not null && r.Document.ClusterId == cluster.Id))
        {
            await op.Host.VerboseAsync(
                $"The receipts of {cluster.Name} have been undone; access is looked at and given back as the service lists it.")
                    .ConfigureAwait(false);
        }
        else if (plan.Open.Count == 0 && !await IsAllThereAsync(plan, op).ConfigureAwait(false))
        {
            await op.Host.WarningAsync(
                $"There is no open receipt for {cluster.Name} here: access is given back as Grant-CmekAccess would give it, to the keys "
                    + "and principals that the service lists.").ConfigureAwait(false);
        }

        if (!await AgreedAsync(plan, options, op).ConfigureAwait(false))
        {
            await op.Host.WarningAsync($"Nothing of {cluster.Name} was given back, because you said no.").ConfigureAwait(false);
            return;
        }

        List<CmekException> failures = [.. Untold(plan)];
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        List<RestoreItem> done = await GiveAsync(plan, options.Principal, provider, report, failures, op).ConfigureAwait(false);
        if (op.Host.WhatIf)
        {
            await MoveAsync(plan, done, options, report, op).ConfigureAwait(false);
            await TellAsync(failures, op).ConfigureAwait(false);
            return;
        }

        if (op.Declined)
        {
            await op.Host.WarningAsync(
                $"Not everything of {cluster.Name} was given back, because you said no. The receipt stays open; run the "
                    + "command again for the rest.").ConfigureAwait(false);
            await TellAsync(failures, op).ConfigureAwait(false);
            return;
        }

        List<RestoreItem> seen = await ProveAsync(plan, done, provider, report, failures, op).ConfigureAwait(false);
        await MoveAsync(plan, seen, options, report, op).ConfigureAwait(false);
        if (op.Declined)
        {
            await op.Host.WarningAsync($"{cluster.Name} was not moved, because you said no. The receipt stays open.").ConfigureAwait(false);
            await TellAsync(failures, op).ConfigureAwait(false);
            return;
        }

        if (op.Session.Offline is not null)
        {
            await op.Host.WarningAsync(
                $"The service was not asked: whether {cluster.Name} comes back is not known, nothing is waited for, and its receipts "
                    + "stay open. When it answers, run Connect-CmekCloud, and the same command again.").ConfigureAwait(false);
            await TellAsync(failures, op).ConfigureAwait(false);
            return;
        }

        status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        ClusterKeys now = await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false);
        string[] restored = [.. seen.Select(i => i.Target.Identity)];
        await ReceiptSettling.SettleAsync(
            now,
            [.. (given is null ? plan.Open : [given]).Concat(op.Receipts().Where(r => r.Document.ClusterId == cluster.Id))
                .DistinctBy(r => r.Path)],
            restored,
            op).ConfigureAwait(false);
        report.Revoked = Revocation.IsRevoked(status);
        try
        {
            await FinishAsync(plan, seen, status, options, failures.Count > 0, report, op).ConfigureAwait(false);
        }
        finally
        {
            await TellAsync(failures, op).ConfigureAwait(false);
        }
    }

    /// <summary>Only the plan, as Test-CmekAccess -Receipt shows it.</summary>
    public static async Task<IReadOnlyList<CmekRestorePlan>> PlanAsync(
        CmekCluster cluster,
        StoredReceipt? given,
        PrincipalOptions? named,
        Operation op)
    {
        await op.ReadSharedAsync().ConfigureAwait(false);
        return [.. (await RestorePlanning.MakeAsync(cluster, given, named, op).ConfigureAwait(false)).Items.Select(i => i.Shown)];
    }

    // Where nothing is missing no receipt is missed. A principal that is named is let in anew, and may not be there yet.
    private static async Task<bool> IsAllThereAsync(RestorePlan plan, Operation op)
    {
        if (plan.Named)
        {
            return false;
        }

        IKeyProvider provider = op.Session.GetProvider(plan.Keys.Cluster.Provider);
        foreach (RestoreItem item in plan.Items.Where(i => i.Acts))
        {
            try
            {
                if ((await provider.EvaluateAsync(item.Target, op).ConfigureAwait(false)).Use != Decision.Allowed)
                {
                    return false;
                }
            }
            catch (CmekException)
            {
                return false;
            }
        }

        return true;
    }

    // Open, of this cluster, and not to be acted on unasked.
    private static IReadOnlyList<string> PassedOver(CmekCluster cluster, Operation op) =>
    [
        .. new ReceiptStore(op.Session.Journal.Folder).Open(cluster.Id)
            .Select(r => (r.Path, Trust: ReceiptTrust.Judge(r, cluster.Id, op.Session.Organization.Id)))
            .Where(r => r.Trust.Standing != ReceiptStanding.Verified)
            .Select(r => r.Trust.Standing == ReceiptStanding.Unproven
                ? $"{r.Trust.Why.TrimEnd('.')} (Restore-CmekAccess -ReceiptPath {PowerShellText.Quote(r.Path)} takes it)"
                : r.Trust.Why.TrimEnd('.')),
    ];

    private static async Task RequireUsableAsync(CmekCluster cluster, StoredReceipt given, Operation op)
    {
        ReceiptTrust trust = ReceiptTrust.Judge(given, cluster.Id, op.Session.Organization.Id);
        switch (trust.Standing)
        {
            case ReceiptStanding.Foreign:
                throw new CmekException(
                    "ReceiptMismatch",
                    CmekErrorKind.InvalidArgument,
                    $"{given.Path} is a receipt of the cluster {given.Document.ClusterName} ({given.Document.ClusterId}), not of "
                        + $"{cluster.Name} ({cluster.Id}) in this organization.",
                    $"Get-CmekReceipt -ClusterName {PowerShellText.Quote(cluster.Name)} lists this cluster's.",
                    given.Path);
            case ReceiptStanding.Tampered:
                throw new CmekException(
                    "ReceiptTampered",
                    CmekErrorKind.InvalidData,
                    $"{trust.Why} Nothing was given back from it.",
                    $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} without -ReceiptPath uses the receipts that "
                        + "are whole, and the marks of the cut itself.",
                    given.Path);
            case ReceiptStanding.Unproven:
                await op.Host.WarningAsync(
                    $"{trust.Why} Of what it says only that is given back which the service lists and which a cluster needs.")
                        .ConfigureAwait(false);
                break;
        }
    }

    // What changed since the receipt is shown, and asked about: whoever came since is not let back in along with the cluster by chance.
    private static async Task<bool> AgreedAsync(RestorePlan plan, RestoreOptions options, Operation op)
    {
        string[] newcomers = Named(i => i.Shown.Newcomers);
        string[] vouched = Named(i => i.Vouched);
        if (vouched.Length > 0)
        {
            await op.Host.WarningAsync(
                $"By the receipt alone, which is not sealed here, these were there before the cut: {string.Join("; ", vouched)}. A restore "
                    + "leaves them as they are.").ConfigureAwait(false);
        }

        if (newcomers.Length == 0)
        {
            return true;
        }

        string list = string.Join(Environment.NewLine, newcomers);
        await op.Host.WarningAsync(
            $"Since the receipt was written these have come: {string.Join("; ", newcomers)}. A restore leaves them as they are.")
                .ConfigureAwait(false);
        try
        {
            return op.Host.WhatIf || options.AcceptChanges || await op.Host.ShouldContinueAsync(
                "Since the receipt was written these have come, and a restore leaves them as they "
                    + $"are:{Environment.NewLine}{list}{Environment.NewLine}Give {plan.Keys.Cluster.Name} its access back?",
                "Changed since the receipt").ConfigureAwait(false);
        }
        catch (CmekException e) when (e.ErrorId == "NobodyToAsk")
        {
            throw new CmekException(
                e.ErrorId,
                e.Kind,
                $"{e.Message} Nothing was given back.",
                "Look at who has come. Where all of them may stay, give -AcceptChanges, which takes them as seen and agreed to.",
                e.Target,
                e);
        }

        string[] Named(Func<RestoreItem, IReadOnlyList<string>> of) =>
        [
            .. plan.Items.Where(i => i.Acts).SelectMany(
                i => of(i).Select(n => $"{n} on {i.Shown.KeyUri}")).Distinct(StringComparer.Ordinal),
        ];
    }

    private static IEnumerable<CmekException> Untold(RestorePlan plan)
    {
        string name = plan.Keys.Cluster.Name;
        foreach (CmekRestorePlan refused in plan.Items.Select(i => i.Shown).Where(s => s.Action == CmekRestoreAction.Refused))
        {
            yield return new CmekException(
                "RestoreRefused",
                CmekErrorKind.InvalidOperation,
                $"{name}/{refused.Region}: {refused.AuthPrincipal} was not given access to {refused.KeyUri}: {refused.Reason}.",
                $"Get-CmekReceipt {PowerShellText.Quote(name)} and Get-CmekStatus {PowerShellText.Quote(name)} show what each says. "
                    + "Restore-CmekAccess with -RoleName or -ServiceAccount names the principal that is right.",
                refused.KeyUri);
        }

        foreach (RestoreItem silent in plan.Items.Where(i => i.Failure is not null).DistinctBy(i => i.Target.KeyUri))
        {
            yield return new CmekException(
                "KeySilent",
                CmekErrorKind.OperationTimeout,
                $"{name}/{silent.Target.Region}: {silent.Target.KeyUri} was not given back, because its service does not answer: "
                    + silent.Failure!.Message,
                "The other keys were not kept waiting. Run the same command again when the service answers: it goes on with this one.",
                silent.Target.KeyUri,
                silent.Failure);
        }

        foreach ((RestoreItem item, CutMark cut) in plan.Foreign)
        {
            yield return new CmekException(
                "PrincipalCutElsewhere",
                CmekErrorKind.InvalidOperation,
                $"{item.Target.AuthPrincipal} is also cut off from {item.Target.KeyUri} by {cut.Where}, which Revoke-CmekAccess put "
                    + $"there for another cluster ({cut.ClusterMark}…) that shares the principal. It stays.",
                $"Restore that cluster (Get-CmekCluster shows whose id begins with {cut.ClusterMark}), or give {name} a principal of "
                    + $"its own: Restore-CmekAccess -ClusterName {PowerShellText.Quote(name)} -RoleName NAME",
                item.Target.KeyUri);
        }
    }

    // Told after the last step: whatever ErrorAction says, no key waits for another's failure.
    private static async Task TellAsync(List<CmekException> failures, Operation op)
    {
        foreach (CmekException failure in failures)
        {
            await op.Host.ErrorAsync(failure).ConfigureAwait(false);
        }
    }

    private static async Task<List<RestoreItem>> GiveAsync(
        RestorePlan plan,
        PrincipalOptions? named,
        IKeyProvider provider,
        RestorationReport report,
        List<CmekException> failures,
        Operation op)
    {
        List<RestoreItem> done = [];
        foreach (RestoreItem stays in plan.Items.Where(i => i.Shown.Action == CmekRestoreAction.StaysCut))
        {
            await op.Host.VerboseAsync(
                $"{stays.Target.AuthPrincipal} stays cut off from {stays.Target.KeyUri}: {stays.Shown.Reason}").ConfigureAwait(false);
        }

        if (op.Host.WhatIf)
        {
            foreach (RestoreItem item in plan.Items)
            {
                await op.Host.OutputAsync(item.Shown).ConfigureAwait(false);
            }
        }

        // What was cut last was captured with the others: given back in the reverse order, shared policies come out as they were. The
        // keys that the cluster needs go first all the same.
        foreach (RestoreItem item in plan.Items.Where(i => i.Acts).Reverse().OrderByDescending(i => i.Key.Needed))
        {
            await EachAsync(
                item,
                async () =>
                {
                    done.Add(await GiveOneAsync(plan, item, named, provider, op).ConfigureAwait(false));
                    return item.Target.Revival != Revival.None;
                },
                item.Shown.Action == CmekRestoreAction.LeftRetired
                    ? "left switched off; nothing was changed"
                    : "was as it should be; nothing was changed").ConfigureAwait(false);
        }

        foreach (RestoreItem item in plan.Items.Where(i => i.Revives).DistinctBy(i => i.Target.KeyUri))
        {
            await EachAsync(
                item,
                async () =>
                {
                    await provider.ReviveKeyAsync(item.Target.KeyUri, Revival.AsItWas, op).ConfigureAwait(false);
                    return true;
                },
                "left as it was before the revocation; nothing was changed").ConfigureAwait(false);
        }

        return done;

        // One key must not keep the cluster from the others, nor the other regions down.
        async Task EachAsync(RestoreItem item, Func<Task<bool>> giveBack, string unchanged)
        {
            int before = op.ChangeCount;
            try
            {
                await KeepingOut.CutAsync(plan, item, provider, op).ConfigureAwait(false);
                if (await giveBack().ConfigureAwait(false) && item.Marked && !op.Declined)
                {
                    // Last: a key that waits for its deletion takes no change of its tags.
                    await RevocationMarks.TakeAsync(item.Target.KeyUri, provider, op).ConfigureAwait(false);
                }

                IReadOnlyList<string> changes = op.ChangesSince(before);
                if (!op.Host.WhatIf)
                {
                    await report.DoneAsync(
                        "Restore",
                        item.Target,
                        changes.Count > 0 ? string.Join("; ", changes.Distinct()) : op.Declined ? "declined" : unchanged)
                            .ConfigureAwait(false);
                }
            }
            catch (CmekException e) when (!Revocation.IsOfStateFolder(e))
            {
                failures.Add(e);
                await report.DoneAsync(
                    "Restore",
                    item.Target,
                    $"NOT restored, {item.Target.KeyUri} ({KeyPlaceText.Of(item.Key.Place)}): {e.Message}").ConfigureAwait(false);
            }
        }
    }

    private static async Task<RestoreItem> GiveOneAsync(
        RestorePlan plan,
        RestoreItem item,
        PrincipalOptions? named,
        IKeyProvider provider,
        Operation op)
    {
        if (named is null || plan.Keys.Principals.Contains(item.Target.AuthPrincipal))
        {
            await provider.RestoreAsync(item.Target, item.Snapshot, op).ConfigureAwait(false);
            return item;
        }

        // A key that the cluster needs is made usable; one that was retired on purpose stays retired, and nobody new is let in to it.
        if (item.Shown.Action == CmekRestoreAction.LeftRetired)
        {
            return item;
        }

        if (item.Target.Revival != Revival.None)
        {
            await provider.ReviveKeyAsync(item.Target.KeyUri, item.Target.Revival, op).ConfigureAwait(false);
        }

        CmekKey key = await provider.GetKeyAsync(item.Target.KeyUri, op).ConfigureAwait(false);
        if (item.Target.Revival == Revival.AsItWas && key.State != CmekKeyState.Enabled && !op.Host.WhatIf)
        {
            // Off before the revocation already.
            return item;
        }

        CmekAccess access = await provider.GrantAsync(plan.Keys.Cluster, key, item.Target.Region, named, op).ConfigureAwait(false);
        return access.AuthPrincipal is { } principal ? item with { Target = item.Target with { AuthPrincipal = principal } } : item;
    }

    // Each key with its own result: what is not seen is not called restored.
    private static async Task<List<RestoreItem>> ProveAsync(
        RestorePlan plan,
        List<RestoreItem> done,
        IKeyProvider provider,
        RestorationReport report,
        List<CmekException> failures,
        Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        List<RestoreItem> seen = [];
        List<string> unseen = [];
        List<string> retired = [];
        bool open = false;
        bool denied = failures.Count > 0;
        foreach (RestoreItem item in done)
        {
            while (true)
            {
                AccessDecision verdict = await LookAsync(item.Target, provider, op).ConfigureAwait(false);
                if (verdict.Use == Decision.Allowed)
                {
                    open = true;
                    seen.Add(item);
                    break;
                }

                if (!item.Key.Needed
                    && (await provider.ReadStateAsync(item.Target.KeyUri, op).ConfigureAwait(false)).LetsNobodyIn())
                {
                    retired.Add(item.Target.KeyUri);
                    seen.Add(item);
                    break;
                }

                if (verdict.Use is Decision.Perhaps or Decision.Unread)
                {
                    // A role in another account, a group, a policy that may not be read: what was written was read back, and the
                    // service will tell.
                    unseen.Add($"{item.Target}: {string.Join("; ", verdict.Reasons)}");
                    seen.Add(item);
                    break;
                }

                bool foreign = plan.Foreign.Any(
                    f => f.Item.Target.KeyUri == item.Target.KeyUri && f.Item.Target.AuthPrincipal == item.Target.AuthPrincipal);
                if (foreign || verdict.Use == Decision.Missing || op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
                {
                    denied = true;
                    if (!foreign)
                    {
                        failures.Add(new CmekException(
                            "RestoreNotEffective",
                            CmekErrorKind.InvalidOperation,
                            $"{item.Target}: {item.Target.AuthPrincipal} cannot use {item.Target.KeyUri} yet: "
                                + $"{string.Join("; ", verdict.Reasons)}",
                            $"Test-CmekAccess -ClusterName {PowerShellText.Quote(plan.Keys.Cluster.Name)} names each reason. Run the "
                                + "same command again after mending it.",
                            item.Target.KeyUri));
                    }

                    await report.DoneAsync(
                        "Access",
                        item.Target,
                        $"NOT back: {item.Target.AuthPrincipal} cannot use {item.Target.KeyUri}: {string.Join("; ", verdict.Reasons)}")
                            .ConfigureAwait(false);
                    break;
                }

                await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            }
        }

        if (unseen.Count > 0)
        {
            await op.Host.WarningAsync(
                $"Whether the cluster can use its keys again cannot be seen from here: {string.Join("; ", unseen)}").ConfigureAwait(false);
        }

        if (retired.Count > 0)
        {
            await op.Host.WarningAsync(
                $"These past keys were switched off or are scheduled for deletion, and were left so: {string.Join(", ", retired)}. What "
                    + "was written under them cannot be read until somebody who means it enables them.").ConfigureAwait(false);
        }

        if (denied)
        {
            return seen;
        }

        // Another principal that has its access is of no use to a cluster that still acts as the one before.
        List<CmekAccess> pending = plan.Named ? Pending(plan, seen) : [];
        report.UseSeen = open && unseen.Count == 0;
        report.IsBack = report.UseSeen && pending.Count == 0;
        string result = unseen.Count > 0
            ? "given back as it was; whether it works cannot be seen from here"
            : !open ? "nothing that could be used was given back"
            : pending.Count == 0 ? "the policies let the cluster use its keys"
            : $"the policies let {pending[0].AuthPrincipal} use the keys; the service does not act as it yet";
        await report.DoneAsync(
            "Access",
            retired.Count == 0 ? result : $"{result}; {retired.Count} past keys stay switched off").ConfigureAwait(false);
        return seen;
    }

    private static async Task<AccessDecision> LookAsync(AccessTarget target, IKeyProvider provider, Operation op)
    {
        try
        {
            return await provider.EvaluateAsync(target, op).ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            return AccessDecision.Of(Decision.Unread, e.Message);
        }
    }

    // Moves the regions whose keys the cluster needs, and no other: a cluster that left CMEK stays off it, and a region whose key is
    // not back stays as it is.
    private static async Task MoveAsync(
        RestorePlan plan,
        List<RestoreItem> seen,
        RestoreOptions options,
        RestorationReport report,
        Operation op)
    {
        if (options.Principal is null)
        {
            return;
        }

        CmekCluster cluster = plan.Keys.Cluster;
        CmekStatus status = plan.Keys.Status;
        List<CmekAccess> pending = Pending(plan, seen);
        if (pending.Count == 0)
        {
            return;
        }

        SwitchOptions switching = new(false, default, SkipPreflight: true);
        (bool changed, _) = await Updating.PutAsync(
            cluster,
            status,
            pending,
            $"let {string.Join(", ", pending.Select(p => p.Region))} act as {pending[0].AuthPrincipal}",
            switching,
            op).ConfigureAwait(false);
        if (!op.Host.WhatIf)
        {
            report.IsBack |= changed && report.UseSeen;
            await report.DoneAsync(
                "Move",
                changed ? $"the service has taken {pending[0].AuthPrincipal}" : "declined").ConfigureAwait(false);
        }
    }

    private static List<CmekAccess> Pending(RestorePlan plan, List<RestoreItem> seen)
    {
        CmekCluster cluster = plan.Keys.Cluster;
        List<CmekAccess> pending = [];
        foreach (RestoreItem item in seen.Where(i => i.Key.Needed))
        {
            CmekKeyStatus? goal = plan.Keys.Status.Regions.First(r => r.Region == item.Key.Region).Goal();
            if (goal?.KeyUri == item.Key.KeyUri && goal.AuthPrincipal != item.Target.AuthPrincipal)
            {
                pending.Add(new CmekAccess
                {
                    ClusterId = cluster.Id,
                    ClusterName = cluster.Name,
                    Provider = cluster.Provider,
                    Region = item.Key.Region,
                    KeyUri = item.Key.KeyUri,
                    AuthPrincipal = item.Target.AuthPrincipal,
                });
            }
        }

        pending.Sort((a, b) => string.CompareOrdinal(a.Region, b.Region));
        return pending;
    }

    private static async Task FinishAsync(
        RestorePlan plan,
        List<RestoreItem> seen,
        CmekStatus status,
        RestoreOptions options,
        bool failed,
        RestorationReport report,
        Operation op)
    {
        CmekCluster cluster = plan.Keys.Cluster;
        SortedDictionary<string, CmekAccess> wanted = new(StringComparer.Ordinal);
        foreach (CmekRegionStatus region in status.Regions.Where(r => r.Goal()?.KeyUri is not null))
        {
            wanted[region.Region] = Specs.ToAccess(cluster, region, region.Goal());
        }

        if (wanted.Count == 0)
        {
            await op.Host.VerboseAsync(
                $"{cluster.Name} uses no customer-managed key now ({status}): nothing has to come back, and nothing is waited for.")
                    .ConfigureAwait(false);
            return;
        }

        bool moving = IsMoving(status);
        if (status.State != CmekState.ENABLED && !moving)
        {
            // There is no call that brings nodes back: that is the vendor's part, and said so.
            string access = failed || seen.Count == 0
                ? "Not all access to its keys has been seen to be back."
                : "Access to the key has been given back.";
            CmekSupportRequest request = SupportRequests.Write(
                CmekSupportPurpose.Recover, op.Session.Organization, status, [access], report.Told, op.Session.Time.GetUtcNow());
            await report.AskAsync(request).ConfigureAwait(false);
        }

        // A past key that did not come back is told, and keeps nobody waiting: the cluster comes up with the keys that it needs.
        bool comesUp = !failed || wanted.Values.All(
            w => seen.Any(
                s => s.Target.KeyUri == w.KeyUri && (options.Principal is not null || s.Target.AuthPrincipal == w.AuthPrincipal)));
        if (options.Wait && comesUp)
        {
            StatusGoal keys = StatusGoal.Keys("Waiting for the vendor's recovery", wanted, recovers: true);
            // REVOKED and REVOKE_FAILED are where this starts from, so they are no end here.
            await StatusWatch.WaitAsync(
                cluster,
                keys with { Failed = r => r.State is CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED && keys.Failed(r) },
                options.Limit,
                op).ConfigureAwait(false);
            report.Revoked = false;
            await report.DoneAsync("Enabled", "every region says ENABLED").ConfigureAwait(false);
        }
        else if (status.State != CmekState.ENABLED)
        {
            string now = failed ? "Not all access is back" : seen.Count > 0 ? "Access is back" : "Nothing was given back";
            string watch = $"Wait-CmekStatus -ClusterName {PowerShellText.Quote(cluster.Name)}";
            await op.Host.WarningAsync(
                moving
                    ? $"{now}, and the service is at work on the cluster: {status}. {watch} waits for its end."
                    : $"{now}, the cluster is not: {status}. Send the support request (the last step's SupportRequest), and watch with "
                        + $"{watch}.").ConfigureAwait(false);
        }
    }

    // Every region that is not there yet is on its way, and none is left revoked or failed: the vendor has nothing to do.
    private static bool IsMoving(CmekStatus status) =>
        status.Regions.Any(r => r.State is CmekState.ENABLING or CmekState.ROTATING)
            && status.Regions.All(r => r.State is CmekState.ENABLED or CmekState.ENABLING or CmekState.ROTATING);
}
