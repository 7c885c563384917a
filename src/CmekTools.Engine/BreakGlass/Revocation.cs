using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.BreakGlass;

/// <summary>How a revocation is to go.</summary>
/// <param name="KeyOnly">Stop when the key is cut; the service is not told.</param>
/// <param name="DisablePrincipal">Google Cloud: also disable the service account.</param>
/// <param name="Permanent">Also schedule the keys' deletion.</param>
/// <param name="ConfirmedName">The cluster's name, given in place of the second question.</param>
/// <param name="DeletionDays">AWS: days until then.</param>
/// <param name="Limit">How long REVOKED is waited for.</param>
internal sealed record RevokeOptions(bool KeyOnly, bool DisablePrincipal, bool Permanent, string? ConfirmedName, int DeletionDays, TimeSpan Limit);

/// <summary>The break-glass: receipt, cut, proof, REVOKE, REVOKED, in this order, resumable at each step.</summary>
internal static class Revocation
{
    private const int Looks = 3;

    /// <summary>Revokes one cluster.</summary>
    public static async Task RevokeAsync(CmekCluster cluster, RevokeOptions options, Operation op)
    {
        op.About(cluster);
        // Whoever names another cluster than the one at hand may mean another one altogether: noticed before anything is cut.
        if (options.ConfirmedName is not null && !string.Equals(options.ConfirmedName, cluster.Name, StringComparison.Ordinal))
        {
            throw new CmekException(
                "ConfirmNameMismatch",
                CmekErrorKind.InvalidArgument,
                $"-ConfirmClusterName is '{options.ConfirmedName}', the cluster is '{cluster.Name}'. Nothing was changed.",
                $"Give the exact name, -ConfirmClusterName {cluster.Name}, or leave it away to be asked.",
                cluster);
        }

        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        IReadOnlyList<AccessTarget> targets = await TargetsAsync(cluster, status, op).ConfigureAwait(false);
        if (targets.Count == 0)
        {
            throw new CmekException(
                "CmekNotEnabled",
                CmekErrorKind.InvalidOperation,
                $"{cluster.Name} has no customer-managed key that could be cut off ({status}).",
                "Get-CmekStatus shows its keys.",
                status);
        }

        // A cluster that went back to CockroachDB-managed encryption still has old data and backups under its past keys: those can be cut off,
        // and there is nothing that the service could revoke.
        bool inUse = status.Regions.Any(r => r.KeyUri is not null);
        bool tell = inUse && !options.KeyOnly;
        string effect = inUse
            ? "The database stops: no reads, no writes, managed backups fail, restarted nodes do not come back. Coming back takes Restore-CmekAccess and a support ticket."
            : "The cluster does not use them any more and goes on; what was written under them, managed backups too, cannot be read. Restore-CmekAccess gives the access back.";
        string question = $"""
            cut its access to {string.Join(", ", targets.Select(t => $"{t.KeyUri} ({t.Region})"))}{(tell ? ", then tell the service to revoke" : string.Empty)}.
            Regions: {string.Join(", ", cluster.Regions.Select(r => r.Name))}. {effect}
            """;
        if (!await op.Host.ConfirmRunAsync(cluster.ToString(), question).ConfigureAwait(false))
        {
            return;
        }

        if (options.DisablePrincipal && cluster.Provider != CmekProvider.GCP)
        {
            await op.Host.WarningAsync("-DisablePrincipal is for Google Cloud; on AWS the Deny in the key policy stops the role, whatever else allows it.").ConfigureAwait(false);
        }

        Steps steps = new(cluster, op) { Revoked = IsRevoked(status) };
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        (ReceiptDocument receipt, string path, IReadOnlyList<AccessTarget> unread) = await ReceiptAsync(cluster, status, targets, provider, op).ConfigureAwait(false);
        steps.ReceiptPath = path;
        if (!op.Host.WhatIf)
        {
            await steps.DoneAsync("Receipt", null, $"{receipt.Accesses.Count} policies as they were are in {path}").ConfigureAwait(false);
        }

        foreach (AccessTarget target in unread.Where(_ => !op.Host.WhatIf))
        {
            await steps.DoneAsync("Cut", target.Region, $"NOT cut: {target.KeyUri} could not be read").ConfigureAwait(false);
        }

        foreach (AccessTarget target in targets.Where(t => receipt.Accesses.Any(a => a.KeyUri == t.KeyUri && a.AuthPrincipal == t.AuthPrincipal)))
        {
            try
            {
                await provider.CutAsync(target, new CutOptions(options.DisablePrincipal), op).ConfigureAwait(false);
            }
            catch (CmekException e) when (!IsOfStateFolder(e))
            {
                // What one key's policy refuses must not keep the other regions' keys open, nor the service untold.
                await op.Host.ErrorAsync(e).ConfigureAwait(false);
                op.TakeChanges();
                await steps.DoneAsync("Cut", target.Region, "NOT cut: " + e.Message).ConfigureAwait(false);
                continue;
            }

            if (!op.Host.WhatIf)
            {
                IReadOnlyList<string> changes = op.TakeChanges();
                await steps.DoneAsync("Cut", target.Region, changes.Count == 0 ? "was cut already" : string.Join("; ", changes)).ConfigureAwait(false);
            }
        }

        if (!op.Host.WhatIf)
        {
            await ProveAsync(targets, receipt, unread, provider, steps, op).ConfigureAwait(false);
        }

        if (tell)
        {
            await TellAsync(cluster, status, options, steps, op).ConfigureAwait(false);
        }
        else if (!inUse)
        {
            await op.Host.VerboseAsync($"{cluster.Name} uses no customer-managed key now ({status}): the service has nothing to revoke.").ConfigureAwait(false);
        }

        if (options.Permanent)
        {
            await ScheduleAsync(cluster, [.. targets.Where(t => receipt.Accesses.Any(a => a.KeyUri == t.KeyUri))], options, provider, steps, op).ConfigureAwait(false);
        }
    }

    // Every key and principal that is known for the cluster, past ones too: an old key still opens old backups.
    private static async Task<IReadOnlyList<AccessTarget>> TargetsAsync(CmekCluster cluster, CmekStatus status, Operation op) =>
        (await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false)).Targets(op);

    /// <summary>True where the service says REVOKED everywhere.</summary>
    public static bool IsRevoked(CmekStatus status) => status.Regions.Count > 0 && status.Regions.All(r => r.State == CmekState.REVOKED);

    // A receipt of what was there before the first cut. What an interrupted run has cut already is taken from its receipt, never captured anew.
    private static async Task<(ReceiptDocument Receipt, string Path, IReadOnlyList<AccessTarget> Unread)> ReceiptAsync(
        CmekCluster cluster,
        CmekStatus status,
        IReadOnlyList<AccessTarget> targets,
        IKeyProvider provider,
        Operation op)
    {
        ReceiptStore store = new(op.Session.Journal.Folder);
        // Only what this user's seal vouches for goes into the new receipt, which is sealed in turn.
        StoredReceipt? open = store.NewestOpen(cluster.Id, op.Session.Organization.Id);
        HashSet<string> current = [.. status.Regions.Select(r => r.KeyUri).OfType<string>()];
        (ReceiptAccess? Access, bool Gone)[] captured = await Task.WhenAll(targets.Select(t => CaptureAsync(t, open?.Document, current, provider, op))).ConfigureAwait(false);
        ReceiptAccess[] accesses = [.. captured.Select(c => c.Access).OfType<ReceiptAccess>()];
        AccessTarget[] unread = [.. targets.Where((_, i) => captured[i] is { Access: null, Gone: false })];

        // An access of the open receipt that the service no longer lists stays in it: it may be cut still.
        ReceiptAccess[] kept = [.. (open?.Document.Accesses ?? []).Where(o => accesses.All(a => a.Identity != o.Identity))];
        ReceiptDocument receipt = (open?.Document ?? new ReceiptDocument
        {
            Id = Guid.NewGuid().ToString("N")[..8],
            CreatedAt = op.Session.Time.GetUtcNow(),
            OrganizationId = op.Session.Organization.Id,
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = cluster.Provider,
            AccountId = cluster.AccountId,
            StatusBefore = status.ToString(),
        }) with
        { Accesses = [.. accesses, .. kept] };
        string path = open?.Path ?? store.PathFor(receipt);
        if (!op.Host.WhatIf)
        {
            ReceiptStore.Save(path, receipt);
        }

        return (receipt, path, unread);
    }

    /// <summary>True for the failures that nothing may go on after: without journal and receipt no change is made.</summary>
    public static bool IsOfStateFolder(CmekException e) => e.ErrorId is "JournalUnwritable" or "ReceiptUnwritable";

    private static async Task<(ReceiptAccess? Access, bool Gone)> CaptureAsync(AccessTarget target, ReceiptDocument? open, HashSet<string> currentKeys, IKeyProvider provider, Operation op)
    {
        ReceiptAccess? earlier = open?.Accesses.FirstOrDefault(a => a.KeyUri == target.KeyUri && a.AuthPrincipal == target.AuthPrincipal);
        try
        {
            if (earlier is not null)
            {
                AccessDecision verdict = await provider.EvaluateAsync(target, op).ConfigureAwait(false);
                if (verdict.Use != Decision.Allowed)
                {
                    return (earlier, false);
                }
            }

            return (new ReceiptAccess(target.Region, target.KeyUri, target.AuthPrincipal, await provider.CaptureAsync(target, op).ConfigureAwait(false)), false);
        }
        catch (CmekException e) when (e.Kind == CmekErrorKind.ObjectNotFound && !currentKeys.Contains(target.KeyUri))
        {
            // A past key that is gone opens nothing any more.
            await op.Host.WarningAsync($"The past key {target.KeyUri} is gone: {e.Message}").ConfigureAwait(false);
            return (null, true);
        }
        catch (CmekException e)
        {
            // A key that cannot be read must not keep the other keys open, nor the service untold. What an earlier run captured is good still.
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
            return (earlier, false);
        }
    }

    // The effect is shown, not assumed: the policies are read anew several times over the time that a change takes to spread.
    private static async Task ProveAsync(IReadOnlyList<AccessTarget> targets, ReceiptDocument receipt, IReadOnlyList<AccessTarget> unread, IKeyProvider provider, Steps steps, Operation op)
    {
        AccessTarget[] cut = [.. targets.Where(t => receipt.Accesses.Any(a => a.KeyUri == t.KeyUri && a.AuthPrincipal == t.AuthPrincipal))];
        for (int look = 1; look <= Looks; look++)
        {
            await op.Host.ProgressAsync(new OperationProgress("Proving the cut", $"look {look} of {Looks}", 100 * (look - 1) / Looks)).ConfigureAwait(false);
            AccessDecision[] verdicts = await Task.WhenAll(cut.Select(t => LookAsync(t, provider, op))).ConfigureAwait(false);
            for (int i = 0; i < cut.Length; i++)
            {
                if (verdicts[i].Cut == CmekCutState.Cut)
                {
                    continue;
                }

                bool stillOpen = verdicts[i].Cut == CmekCutState.Open;
                steps.KeyCut = stillOpen ? false : null;
                // Nothing may stop the break-glass half way: the failure is told, and the service is told to revoke all the same.
                await op.Host.ErrorAsync(new CmekException(
                    stillOpen ? "CutNotEffective" : "CutNotSeen",
                    stillOpen ? CmekErrorKind.InvalidOperation : CmekErrorKind.PermissionDenied,
                    $"{cut[i]}: {cut[i].AuthPrincipal} {(stillOpen ? "can still use" : "may still be able to use")} {cut[i].KeyUri}: {string.Join("; ", verdicts[i].Reasons)}",
                    "Take away what the message names, at the provider, and run the same command again: it goes on where it stopped.",
                    cut[i].KeyUri)).ConfigureAwait(false);
                await steps.DoneAsync("Proof", cut[i].Region, "NOT proven: " + string.Join("; ", verdicts[i].Reasons)).ConfigureAwait(false);
                return;
            }

            if (look < Looks)
            {
                await op.DelayAsync(op.Timings.CutWatch / (Looks - 1)).ConfigureAwait(false);
            }
        }

        await op.Host.ProgressAsync(new OperationProgress("Proving the cut", string.Empty, 100, Completed: true)).ConfigureAwait(false);
        if (unread.Count > 0)
        {
            steps.KeyCut = null;
            await steps.DoneAsync("Proof", null, $"NOT proven for {string.Join(", ", unread.Select(t => t.KeyUri))}, which could not be read; the others are cut").ConfigureAwait(false);
            return;
        }

        // What a folder or organization grants on Google Cloud is not looked at: that is said, not passed over.
        bool google = targets[0].Cluster.Provider == CmekProvider.GCP;
        string where = google ? "the policies of key, key ring, project and service account" : "the policies";
        string beyond = google ? " (folders and the organization were not looked at; -DisablePrincipal stops the account whatever they grant)" : string.Empty;
        steps.KeyCut = true;
        await steps.DoneAsync("Proof", null, $"{where} were read {Looks} times over {op.Timings.CutWatch.TotalSeconds:0.#} s; none lets the cluster in{beyond}").ConfigureAwait(false);
    }

    // A look that fails shows nothing, and is no reason to stop.
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

    private static async Task TellAsync(CmekCluster cluster, CmekStatus status, RevokeOptions options, Steps steps, Operation op)
    {
        if (status.Regions.All(r => r.State is CmekState.REVOKED or CmekState.REVOKING))
        {
            await op.Host.VerboseAsync($"{cluster.Name} is {status.State} already; REVOKE is not sent again.").ConfigureAwait(false);
        }
        else
        {
            bool sent = await op.ChangeAsync(
                new PlannedChange("cmek:Revoke", cluster.ToString(), "revoke CMEK at the service", """{"action":"REVOKE"}""", After: new System.Text.Json.Nodes.JsonObject { ["action"] = "REVOKE" }),
                token => op.Session.Cloud.RevokeCmekAsync(cluster, token)).ConfigureAwait(false);
            if (!sent)
            {
                return;
            }

            await steps.DoneAsync("Revoke", null, "the service has taken the REVOKE").ConfigureAwait(false);
        }

        await StatusWatch.WaitAsync(cluster, StatusGoal.State("Revoking CMEK", [.. status.Regions.Select(r => r.Region)], CmekState.REVOKED), options.Limit, op).ConfigureAwait(false);
        steps.Revoked = true;
        await steps.DoneAsync("Revoked", null, "every region says REVOKED").ConfigureAwait(false);
    }

    private static async Task ScheduleAsync(CmekCluster cluster, IReadOnlyList<AccessTarget> targets, RevokeOptions options, IKeyProvider provider, Steps steps, Operation op)
    {
        // A key that other clusters list too would make their data unreadable.
        string[] all = [.. targets.Select(t => t.KeyUri).Distinct()];
        ILookup<string, CmekKeyUse> users = await KeyUses.ReadAsync(all, cluster.Id, [cluster.Id], op).ConfigureAwait(false);
        foreach (string uri in all.Where(u => users[u].Any(x => x.KeepsKey)))
        {
            await op.Host.ErrorAsync(KeyUses.InUse(uri, users[uri])).ConfigureAwait(false);
        }

        string[] uris = [.. all.Where(u => !users[u].Any(x => x.KeepsKey))];
        if (uris.Length == 0)
        {
            return;
        }

        if (!op.Host.WhatIf && options.ConfirmedName is null)
        {
            bool sure = await op.Host.ShouldContinueAsync(
                $"When these keys are gone, the data of {cluster.Name} and its backups can never be read again by anyone: {string.Join(", ", uris)}. Schedule their deletion?",
                "Permanent revocation").ConfigureAwait(false);
            if (!sure)
            {
                return;
            }
        }

        foreach (string uri in uris)
        {
            DateTimeOffset? when;
            try
            {
                CmekKey key = await provider.GetKeyAsync(uri, op).ConfigureAwait(false);

                // On Google Cloud each version has its own state: what the primary says is not what all say.
                when = cluster.Provider != CmekProvider.GCP && key.State is CmekKeyState.PendingDeletion or CmekKeyState.Destroyed
                    ? key.DeletionDate
                    : await provider.ScheduleDeletionAsync(uri, options.DeletionDays, op).ConfigureAwait(false);
            }
            catch (CmekException e) when (!IsOfStateFolder(e))
            {
                await op.Host.ErrorAsync(e).ConfigureAwait(false);
                await steps.DoneAsync("Deletion", targets.First(t => t.KeyUri == uri).Region, $"NOT scheduled for {uri}: {e.Message}").ConfigureAwait(false);
                continue;
            }

            if (!op.Host.WhatIf)
            {
                await steps.DoneAsync("Deletion", targets.First(t => t.KeyUri == uri).Region, $"{uri} will be gone {when?.ToString("u") ?? "(the provider gave no date)"}; until then Restore-CmekAccess can rescue it").ConfigureAwait(false);
            }
        }
    }
}
