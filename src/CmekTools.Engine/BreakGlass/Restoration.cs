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
internal sealed record RestoreOptions(PrincipalOptions? Principal, bool Wait, TimeSpan Limit);

/// <summary>Undoes a revocation as far as it can be undone from here, and says what cannot.</summary>
internal static class Restoration
{
    /// <summary>Gives access back: from a receipt, or from what the service says about the cluster's keys.</summary>
    public static async Task RestoreAsync(CmekCluster cluster, StoredReceipt? given, RestoreOptions options, Operation op)
    {
        op.About(cluster);
        ReceiptStore store = new(op.Session.Journal.Folder);
        StoredReceipt? receipt = given ?? store.NewestOpen(cluster.Id, op.Session.Organization.Id);
        if (receipt is { } foreign && (foreign.Document.ClusterId != cluster.Id || foreign.Document.OrganizationId != op.Session.Organization.Id))
        {
            throw new CmekException(
                "ReceiptMismatch",
                CmekErrorKind.InvalidArgument,
                $"{foreign.Path} is a receipt of the cluster {foreign.Document.ClusterName} ({foreign.Document.ClusterId}), not of {cluster.Name} ({cluster.Id}) in this organization.",
                $"Get-CmekReceipt -ClusterName {PowerShellText.Quote(cluster.Name)} lists this cluster's.",
                foreign.Path);
        }

        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        List<(AccessTarget Target, AccessSnapshot? Snapshot)> accesses =
        [
            .. (receipt?.Document.Accesses ?? []).Select(a => (new AccessTarget(cluster, op.Session.Organization.Id, a.Region, a.KeyUri, a.AuthPrincipal), (AccessSnapshot?)a.Snapshot)),
        ];

        // Without a receipt only the keys in use are given back; with one, a key in use that it does not know is too.
        accesses.AddRange(status.Regions
            .Where(r => r.Current is { KeyUri: not null, AuthPrincipal: not null } && accesses.All(a => a.Target.KeyUri != r.KeyUri || a.Target.AuthPrincipal != r.AuthPrincipal))
            .Select(r => (new AccessTarget(cluster, op.Session.Organization.Id, r.Region, r.KeyUri!, r.AuthPrincipal!), (AccessSnapshot?)null)));
        if (accesses.Count == 0)
        {
            throw new CmekException("NothingToRestore", CmekErrorKind.InvalidOperation, $"There is no receipt for {cluster.Name}, and the service lists no key of it ({status}).", "Get-CmekReceipt lists the receipts; give one with -ReceiptPath.", status);
        }

        if (receipt is null)
        {
            await op.Host.WarningAsync($"There is no open receipt for {cluster.Name} here: access is given back as Grant-CmekAccess would give it, to the keys and principals that the service lists.").ConfigureAwait(false);
        }

        if (options.Principal is not null)
        {
            await RequireAnotherAsync(options.Principal, receipt?.Document, accesses.Select(a => a.Target), op).ConfigureAwait(false);
        }

        Steps steps = new(cluster, op, restoring: true) { ReceiptPath = receipt?.Path, Revoked = Revocation.IsRevoked(status) };
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        SortedDictionary<string, CmekAccess> wanted = options.Principal is null
            ? await GiveBackAsync(cluster, status, accesses, provider, steps, op).ConfigureAwait(false)
            : await GiveToAnotherAsync(cluster, status, accesses, options.Principal, provider, steps, op).ConfigureAwait(false);
        if (op.Host.WhatIf)
        {
            if (options.Principal is not null)
            {
                await MoveAsync(cluster, status, wanted, steps, op).ConfigureAwait(false);
            }

            return;
        }

        if (op.Declined)
        {
            await op.Host.WarningAsync($"Not everything of {cluster.Name} was given back, because you said no. The receipt stays open; run the command again for the rest.").ConfigureAwait(false);
            return;
        }

        await ProveAsync(cluster, wanted, provider, steps, op).ConfigureAwait(false);
        if (options.Principal is not null)
        {
            await MoveAsync(cluster, status, wanted, steps, op).ConfigureAwait(false);
            if (op.Declined)
            {
                await op.Host.WarningAsync($"{cluster.Name} was not moved, because you said no. The receipt stays open.").ConfigureAwait(false);
                return;
            }
        }

        if (receipt is { } used)
        {
            await CloseAsync(used.Path, used.Document, op).ConfigureAwait(false);
        }

        status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        steps.Revoked = Revocation.IsRevoked(status);
        if (status.Regions.All(r => r.KeyUri is null))
        {
            await op.Host.VerboseAsync($"{cluster.Name} uses no customer-managed key now ({status}): nothing has to come back, and nothing is waited for.").ConfigureAwait(false);
            return;
        }

        if (status.State != CmekState.ENABLED)
        {
            // There is no call that brings nodes back: that is the vendor's part, and said so.
            await op.Host.OutputAsync(SupportRequests.Write(CmekSupportPurpose.Recover, op.Session.Organization, status, steps.Told, op.Session.Time.GetUtcNow())).ConfigureAwait(false);
        }

        if (options.Wait)
        {
            StatusGoal keys = StatusGoal.Keys("Waiting for the vendor's recovery", wanted);
            // REVOKED and REVOKE_FAILED are where this starts from, so they are no end here.
            status = await StatusWatch.WaitAsync(cluster, keys with { Failed = r => r.State is CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED && keys.Failed(r) }, options.Limit, op).ConfigureAwait(false);
            steps.Revoked = false;
            await steps.DoneAsync("Enabled", null, "every region says ENABLED").ConfigureAwait(false);
        }
        else if (status.State != CmekState.ENABLED)
        {
            await op.Host.WarningAsync($"Access is back, the cluster is not: {status}. Send the support request, and watch with Wait-CmekStatus -ClusterName {PowerShellText.Quote(cluster.Name)}.").ConfigureAwait(false);
        }
    }

    // The access is back by now: a receipt that cannot be closed is told, and is no reason to stop.
    private static async Task CloseAsync(string path, ReceiptDocument receipt, Operation op)
    {
        try
        {
            ReceiptStore.Save(path, receipt with { RestoredAt = receipt.RestoredAt ?? op.Session.Time.GetUtcNow() });
        }
        catch (CmekException e)
        {
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
        }
    }

    private static async Task<SortedDictionary<string, CmekAccess>> GiveBackAsync(
        CmekCluster cluster,
        CmekStatus status,
        List<(AccessTarget Target, AccessSnapshot? Snapshot)> accesses,
        IKeyProvider provider,
        Steps steps,
        Operation op)
    {
        SortedDictionary<string, CmekAccess> wanted = Wanted(cluster, status, accesses, null);

        // What was cut last was captured with the others: given back in the reverse order, shared policies come out as they were.
        foreach ((AccessTarget target, AccessSnapshot? snapshot) in Enumerable.Reverse(accesses))
        {
            bool inUse = wanted.Values.Any(w => w.KeyUri == target.KeyUri && w.AuthPrincipal == target.AuthPrincipal);
            try
            {
                await provider.RestoreAsync(target with { InUse = inUse }, snapshot, op).ConfigureAwait(false);
            }
            catch (CmekException e) when (!inUse && !Revocation.IsOfStateFolder(e))
            {
                // A past key that is gone, or that may not be touched any more, must not keep the cluster from its keys in use.
                await op.Host.ErrorAsync(e).ConfigureAwait(false);
                op.TakeChanges();
                await steps.DoneAsync("Restore", target.Region, $"NOT restored, a past key: {e.Message}").ConfigureAwait(false);
                continue;
            }

            if (!op.Host.WhatIf)
            {
                IReadOnlyList<string> changes = op.TakeChanges();
                string none = op.Declined ? "declined" : "was as it should be; nothing was changed";
                await steps.DoneAsync("Restore", target.Region, changes.Count == 0 ? none : string.Join("; ", changes)).ConfigureAwait(false);
            }
        }

        return wanted;
    }

    // Before any write: a grant to the burnt principal would let it in again. An earlier run's new principal is in use by now, and is not burnt.
    private static async Task RequireAnotherAsync(PrincipalOptions named, ReceiptDocument? receipt, IEnumerable<AccessTarget> targets, Operation op)
    {
        foreach (AccessTarget target in targets.Where(t => IsNamed(named, t.AuthPrincipal)))
        {
            // Without a receipt of the cut the policies tell who was cut off.
            bool cut = receipt?.Accesses.Any(a => a.AuthPrincipal == target.AuthPrincipal)
                ?? (await op.Session.GetProvider(target.Cluster.Provider).EvaluateAsync(target, op).ConfigureAwait(false)).Use != Decision.Allowed;
            if (cut)
            {
                throw new CmekException("PrincipalUnchanged", CmekErrorKind.InvalidArgument, $"{target.AuthPrincipal} is the principal that was cut off.", "Name another one, or leave -RoleName and -ServiceAccount away to give the old one its access back.", target.AuthPrincipal);
            }
        }
    }

    // A role by its name, whatever its path; an account by its address or by what stands before the @.
    private static bool IsNamed(PrincipalOptions named, string principal) =>
        (named.RoleName is { } role && principal.EndsWith("/" + role, StringComparison.OrdinalIgnoreCase))
        || (named.ServiceAccount is { } account && (string.Equals(principal, account, StringComparison.OrdinalIgnoreCase) || principal.StartsWith(account + "@", StringComparison.OrdinalIgnoreCase)));

    private static async Task<SortedDictionary<string, CmekAccess>> GiveToAnotherAsync(
        CmekCluster cluster,
        CmekStatus status,
        List<(AccessTarget Target, AccessSnapshot? Snapshot)> accesses,
        PrincipalOptions principal,
        IKeyProvider provider,
        Steps steps,
        Operation op)
    {
        string? name = null;
        foreach (AccessTarget target in accesses.Select(a => a.Target).DistinctBy(t => t.KeyUri))
        {
            await provider.ReviveKeyAsync(target.KeyUri, op).ConfigureAwait(false);
            CmekKey key = await provider.GetKeyAsync(target.KeyUri, op).ConfigureAwait(false);
            CmekAccess access = await provider.GrantAsync(cluster, key, target.Region, principal, op).ConfigureAwait(false);
            name = access.AuthPrincipal ?? name;
            if (!op.Host.WhatIf)
            {
                IReadOnlyList<string> changes = op.TakeChanges();
                await steps.DoneAsync("Restore", target.Region, access.Changes.Count + changes.Count == 0 ? $"{name} had its access already" : string.Join("; ", access.Changes.Union(changes))).ConfigureAwait(false);
            }
        }

        return Wanted(cluster, status, accesses, name);
    }

    private static SortedDictionary<string, CmekAccess> Wanted(CmekCluster cluster, CmekStatus status, List<(AccessTarget Target, AccessSnapshot? Snapshot)> accesses, string? principal)
    {
        SortedDictionary<string, CmekAccess> wanted = new(StringComparer.Ordinal);
        foreach (CmekRegionStatus region in status.Regions)
        {
            AccessTarget? known = accesses.Select(a => a.Target).FirstOrDefault(t => t.Region == region.Region);
            string? uri = region.KeyUri ?? known?.KeyUri;
            if (uri is not null)
            {
                wanted[region.Region] = new CmekAccess { ClusterId = cluster.Id, ClusterName = cluster.Name, Provider = cluster.Provider, Region = region.Region, KeyUri = uri, AuthPrincipal = principal ?? region.AuthPrincipal ?? known?.AuthPrincipal };
            }
        }

        return wanted;
    }

    private static async Task ProveAsync(CmekCluster cluster, SortedDictionary<string, CmekAccess> wanted, IKeyProvider provider, Steps steps, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        List<string> unseen = [];
        foreach (CmekAccess access in wanted.Values.Where(a => a.AuthPrincipal is not null))
        {
            AccessTarget target = new(cluster, op.Session.Organization.Id, access.Region, access.KeyUri!, access.AuthPrincipal!);
            while (true)
            {
                AccessDecision verdict = await provider.EvaluateAsync(target, op).ConfigureAwait(false);
                if (verdict.Use == Decision.Allowed)
                {
                    break;
                }

                if (verdict.Use != Decision.Denied)
                {
                    // A role in another account, a group, a policy that may not be read: what was written was read back, and the service will tell.
                    unseen.Add($"{target}: {string.Join("; ", verdict.Reasons)}");
                    break;
                }

                if (op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
                {
                    throw new CmekException(
                        "RestoreNotEffective",
                        CmekErrorKind.InvalidOperation,
                        $"{target}: {target.AuthPrincipal} cannot use {target.KeyUri} yet: {string.Join("; ", verdict.Reasons)}",
                        $"Test-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} names each reason. Run the same command again after mending it.",
                        target.KeyUri);
                }

                await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            }
        }

        if (unseen.Count > 0)
        {
            steps.KeyCut = null;
            await op.Host.WarningAsync($"Whether the cluster can use its keys again cannot be seen from here: {string.Join("; ", unseen)}").ConfigureAwait(false);
            await steps.DoneAsync("Access", null, "given back as it was; whether it works cannot be seen from here").ConfigureAwait(false);
            return;
        }

        steps.KeyCut = false;
        await steps.DoneAsync("Access", null, "the policies let the cluster use its keys").ConfigureAwait(false);
    }

    private static async Task MoveAsync(CmekCluster cluster, CmekStatus status, SortedDictionary<string, CmekAccess> wanted, Steps steps, Operation op)
    {
        CmekAccess[] pending = [.. wanted.Values.Where(a => status.Regions.First(r => r.Region == a.Region).Goal() is not { } goal || !Specs.Matches(goal, a))];
        if (pending.Length > 0)
        {
            (bool changed, _) = await Updating.PutAsync(cluster, status, pending, $"let {string.Join(", ", pending.Select(p => p.Region))} act as {pending[0].AuthPrincipal}", new SwitchOptions(false, default, SkipPreflight: true), op).ConfigureAwait(false);
            if (op.Host.WhatIf)
            {
                return;
            }

            await steps.DoneAsync("Move", null, changed ? $"the service has taken {pending[0].AuthPrincipal}" : "declined").ConfigureAwait(false);
        }
    }
}
