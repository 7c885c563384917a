using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>Captures, cuts and gives back access.</summary>
internal sealed class GcpCut(GcpClients clients, GcpPrincipals principals, GcpEvidenceReader reader)
{
    /// <summary>Reads everything that a cut may touch. Sends no write.</summary>
    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        Task<JsonObject> key = GcpKeyReader.KeyOrThrowAsync(cloud, GcpNames.ParseKey(target.KeyUri), op);
        Task<JsonObject> keyPolicy = cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation);
        Task<IReadOnlyList<JsonObject>> versions = cloud.ListVersionsAsync(target.KeyUri, op.Cancellation);
        Task<Evidence<JsonObject>> account = principals.FindAsync(target.AuthPrincipal, op);
        Task<Evidence<JsonObject>> accountPolicy = GcpEvidence.ReadAsync(
            cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation),
            "iam.serviceAccounts.getIamPolicy",
            target.AuthPrincipal);
        await Task.WhenAll(key, keyPolicy, versions, account, accountPolicy).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        JsonObject seen = await key.ConfigureAwait(false);
        JsonObject? known = (await account.ConfigureAwait(false)).Value;
        JsonObject onKey = clients.Written.Newer(target.KeyUri, await keyPolicy.ConfigureAwait(false));
        JsonObject? onAccount = (await accountPolicy.ConfigureAwait(false)).Value;
        return new AccessSnapshot(AccessSnapshot.GcpKind, new JsonObject
        {
            ["key_policy"] = onKey.DeepClone(),
            ["primary_version"] = seen["primary"] is JsonObject primary ? GcpKeyReader.Version(primary) : null,
            ["versions"] = new JsonArray(
                [
                    .. (await versions.ConfigureAwait(false)).Select(
                        v => (JsonNode)new JsonObject { ["version"] = GcpKeyReader.Version(v), ["state"] = GcpKeyReader.State(v) }),
                ]),
            ["service_account"] = known is null ? null : new JsonObject
            {
                ["email"] = target.AuthPrincipal,
                ["unique_id"] = known["uniqueId"]?.DeepClone(),
                ["disabled"] = GcpPrincipals.IsDisabled(known),
            },
            ["service_account_policy"] = onAccount is null ? null : clients.Written.Newer(target.AuthPrincipal, onAccount).DeepClone(),
            ["rotation"] = GcpKeyLife.Rotation(seen),
            ["switched_off"] = RevokedLabel.Read(seen) is not null,
            ["deny_policy"] = DenyPolicy.NameFor(target),
        });
    }

    /// <summary>
    /// Takes both principals out of the key's bindings, denies them the key by a deny policy where the caller may write one, and takes
    /// the account's tokens away from the cluster. What one of these is refused keeps no other from being done.
    /// </summary>
    public async Task CutAsync(AccessTarget target, CutOptions options, Operation op)
    {
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        List<CmekException> failures = [];
        Task<bool> mayDeny = MayDenyAsync(cloud, target, op);
        await TryAsync(failures, () => IamPolicyWriter.Key(cloud, target.KeyUri, clients.Written, op).Settled(op.Timings.CutWatch)
            .EditAsync(
                $"take {member} and {own} out of every binding of the key",
                p => IamBindings.Remove(p, member) | RemoveOwn(p, target))).ConfigureAwait(false);
        bool denied = await mayDeny.ConfigureAwait(false) && await DenyAsync(cloud, target, op).ConfigureAwait(false);
        Evidence<JsonObject> account = await principals.FindAsync(target.AuthPrincipal, op).ConfigureAwait(false);
        if (!account.Missing)
        {
            await TryAsync(failures, () => IamPolicyWriter.Account(
                cloud,
                target.AuthPrincipal,
                clients.Written,
                op).Settled(op.Timings.CutWatch)
                .EditAsync(
                    $"take {own} out of every binding of the service account",
                    p => RemoveOwn(p, target))).ConfigureAwait(false);
            if (options.DisablePrincipal && !GcpPrincipals.IsDisabled(account.Value))
            {
                await TryAsync(failures, () => principals.DisableAsync(target.AuthPrincipal, op)).ConfigureAwait(false);
            }
        }

        await CutLabel.PutAsync(cloud, target, op).ConfigureAwait(false);
        if (!op.Host.WhatIf)
        {
            await ReportInheritedAsync(target, denied, op).ConfigureAwait(false);
        }

        if (failures.Count > 0)
        {
            foreach (CmekException other in failures.Skip(1))
            {
                await op.Host.ErrorAsync(other).ConfigureAwait(false);
            }

            throw failures[0];
        }
    }

    /// <summary>Undoes a cut: exactly from a snapshot, and without one what a grant would write.</summary>
    public async Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        if (snapshot is { Kind: not AccessSnapshot.GcpKind })
        {
            throw new CmekException(
                "ReceiptInvalid",
                CmekErrorKind.InvalidData,
                $"The receipt's snapshot of {target} is of the kind {snapshot.Kind}, not gcp/1.",
                "Restore without the receipt: move it away, and run the command again.",
                target.KeyUri);
        }

        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);

        // What is to be made usable, and what was retired on purpose, is for the caller to know.
        if (target.Revival != Revival.None)
        {
            await GcpKeyLife.ReviveVersionsAsync(
                cloud,
                GcpNames.ParseKey(target.KeyUri),
                snapshot?.Data,
                target.Revival,
                op).ConfigureAwait(false);
            await GcpKeyLife.RestoreRotationAsync(
                cloud,
                target.KeyUri,
                snapshot?.Data["rotation"] as JsonObject,
                op).ConfigureAwait(false);
        }

        await LiftDenyAsync(cloud, target, op).ConfigureAwait(false);
        AccountState state = await principals.RestoreAsync(
            target.Cluster,
            target.AuthPrincipal,
            snapshot?.Data["service_account"]?["unique_id"]?.ToString(),
            op).ConfigureAwait(false);

        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        string[] owns =
        [
            .. OwnPrincipals.Of(
                target,
                [snapshot?.Data["key_policy"] as JsonObject, snapshot?.Data["service_account_policy"] as JsonObject])
                .Where(o => target.KnowsAccount || !o.Contains($"@{AccessTarget.UnknownAccount}.", StringComparison.Ordinal))
                .Select(o => IamMembers.ServiceAccount(o)),
        ];
        if (state != AccountState.Planned && owns.Length > 0)
        {
            await IamPolicyWriter.Account(cloud, target.AuthPrincipal, clients.Written, op, young: state == AccountState.New)
                .EditAsync(
                    $"let {string.Join(", ", owns)} take tokens of the account again",
                    p => owns.Aggregate(
                        false,
                        (changed, own) => PutBack(snapshot?.Data["service_account_policy"], own, IamBindings.TokenRole)(p) || changed))
                .ConfigureAwait(false);
        }

        Func<JsonObject, bool> putBack = PutBack(snapshot?.Data["key_policy"], member, IamBindings.CryptoRole);
        await IamPolicyWriter.Key(cloud, target.KeyUri, clients.Written, op)
            .EditAsync(
                $"let {member} use the key again",
                p => owns.Aggregate(
                    putBack(p),
                    (changed, own) => PutBackOwn(snapshot?.Data["key_policy"], p, own) || changed)).ConfigureAwait(false);
        await CutLabel.TakeAsync(cloud, target, op).ConfigureAwait(false);
    }

    // Of a cluster of which nothing is known, whoever has the form of its own principal is taken for it.
    private static bool RemoveOwn(JsonObject policy, AccessTarget target) =>
        OwnPrincipals.Of(target, [policy]).Aggregate(
            false,
            (changed, own) => IamBindings.Remove(policy, IamMembers.ServiceAccount(own)) || changed);

    // Where a snapshot has the member, exactly that comes back; else what a grant would write.
    private static Func<JsonObject, bool> PutBack(JsonNode? snapshot, string member, string role) =>
        snapshot is JsonObject was && IamBindings.Bindings(was).Any(b => IamBindings.Members(b).Contains(member))
            ? policy => IamBindings.PutBack(policy, was, member)
            : policy => IamBindings.Add(policy, role, member);

    // The cluster's own principal has nothing to do on a key; it comes back only where it was.
    private static bool PutBackOwn(JsonNode? snapshot, JsonObject policy, string own) =>
        snapshot is JsonObject was && IamBindings.PutBack(policy, was, own);

    private static async Task TryAsync(List<CmekException> failures, Func<Task> step)
    {
        try
        {
            await step().ConfigureAwait(false);
        }
        catch (CmekException e) when (e is CmekServiceException || e.ErrorId == "PolicyNotAsWritten")
        {
            failures.Add(e);
        }
    }

    /// <summary>
    /// Whether the caller may write a deny policy on the key's project, as far as that is told. Few may: it is granted on the
    /// organization. Asking costs one read.
    /// </summary>
    internal static async Task<bool> MayDenyAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        try
        {
            IReadOnlyList<string> may = await cloud.TestProjectPermissionsAsync(
                GcpNames.ParseKey(target.KeyUri).Project,
                ["iam.denypolicies.create"],
                op.Cancellation).ConfigureAwait(false);
            return may.Count > 0;
        }
        catch (CmekServiceException e)
        {
            await op.Host.VerboseAsync($"Whether a deny policy may be written is not known: {e.Message}").ConfigureAwait(false);
            return false;
        }
    }

    private static async Task<bool> DenyAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        string name = DenyPolicy.NameFor(target);
        JsonObject policy = DenyPolicy.For(target, DenyPolicy.Everything);
        try
        {
            if (await cloud.GetDenyPolicyAsync(name, op.Cancellation).ConfigureAwait(false) is { } there
                && DenyPolicy.IsSame(there, target))
            {
                return true;
            }

            return await op.ChangeAsync(
                new PlannedChange(
                    "iam:denypolicies.create",
                    name,
                    $"deny both principals the keys of the project, whatever allows them",
                    policy.ToJsonString(GcpJson.Indented),
                    After: policy.DeepClone()),
                async token =>
                {
                    try
                    {
                        await cloud.CreateDenyPolicyAsync(name, policy, token).ConfigureAwait(false);
                    }
                    catch (CmekServiceException e) when (e.StatusCode == 400)
                    {
                        // Not every permission can be denied everywhere; these two are what counts.
                        await cloud.CreateDenyPolicyAsync(name, DenyPolicy.For(target, DenyPolicy.Least), token).ConfigureAwait(false);
                    }
                }).ConfigureAwait(false);
        }
        catch (CmekServiceException e)
        {
            await op.Host.WarningAsync(
                $"{target}: the deny policy could not be written; the bindings are taken away all the same. {e.Message}")
                    .ConfigureAwait(false);
            return false;
        }
    }

    private static async Task LiftDenyAsync(IGoogleCloud cloud, AccessTarget target, Operation op)
    {
        string name = DenyPolicy.NameFor(target);
        JsonObject? there;
        try
        {
            there = await cloud.GetDenyPolicyAsync(name, op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode is 400 or 403)
        {
            await op.Host.VerboseAsync($"Whether the cut has left a deny policy cannot be seen: {e.Message}").ConfigureAwait(false);
            return;
        }

        if (there is not null && !DenyPolicy.IsOurs(there, target))
        {
            await op.Host.WarningAsync(
                $"{target}: the deny policy {name} is not as a cut writes it: somebody has added to it, so it is left as it is. As long as "
                    + $"it denies {target.AuthPrincipal} the key, the access is not back: take that rule out, and run the command again.")
                        .ConfigureAwait(false);
            return;
        }

        if (there is not null)
        {
            await op.ChangeAsync(
                new PlannedChange(
                    "iam:denypolicies.delete",
                    name,
                    "take the cut's deny policy away",
                    there.ToJsonString(GcpJson.Indented),
                    there.DeepClone()),
                token => cloud.DeleteDenyPolicyAsync(name, token)).ConfigureAwait(false);
        }
    }

    // What still lets a principal decrypt after the cut. It is for whoever owns that binding to take it away.
    private async Task ReportInheritedAsync(AccessTarget target, bool denied, Operation op)
    {
        GcpAccessEvidence evidence = await reader.ReadAsync(target, op).ConfigureAwait(false);
        bool off = evidence.Account.Missing || GcpPrincipals.IsDisabled(evidence.Account.Value);
        string member = IamMembers.ServiceAccount(target.AuthPrincipal);
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster));
        foreach (string principal in off ? [own] : new[] { member, own })
        {
            PermissionDecision judged = evidence.Evaluator.Read(evidence.KeyChain, principal);
            if (judged is { Decision: Decision.Allowed, Level.Kind: ResourceKind.Key } && judged.Member == principal)
            {
                // Nothing inherited: somebody has put it back in behind the cut, and the proof sees to that.
                continue;
            }

            if (judged.Decision == Decision.Perhaps || (judged.Decision == Decision.Allowed && denied))
            {
                string way = principal == member ? " With -DisablePrincipal the cut does not depend on it." : string.Empty;
                await op.Host.WarningAsync($"{judged.Say(principal, "decrypt with the key")}.{way}").ConfigureAwait(false);
            }
            else if (judged.Decision == Decision.Allowed)
            {
                // Told, not thrown: the other regions' cuts and the service's own revocation must not wait for it.
                await op.Host.ErrorAsync(new CmekException(
                    "InheritedAccess",
                    CmekErrorKind.InvalidOperation,
                    $"{target}: {judged.Say(principal, "decrypt with the key")}. It is not CmekTools' to take away: {target.KeyUri}",
                    $"{(principal == member ? "Run the command again with -DisablePrincipal, or take" : "Take")} the binding away: "
                        + $"{Remedy(target, judged)}",
                    target.KeyUri)).ConfigureAwait(false);
            }
        }
    }

    private static string Remedy(AccessTarget target, PermissionDecision judged)
    {
        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        ResourcePolicy level = judged.Level!;
        string id = level.Resource[(level.Resource.LastIndexOf('/') + 1)..];
        string on = level.Kind switch
        {
            ResourceKind.Key => $"kms keys remove-iam-policy-binding {name.Key} --keyring {name.Ring} --location {name.Location} "
                + $"--project {name.Project}",
            ResourceKind.KeyRing =>
                $"kms keyrings remove-iam-policy-binding {name.Ring} --location {name.Location} --project {name.Project}",
            ResourceKind.Project => $"projects remove-iam-policy-binding {id}",
            ResourceKind.Folder => $"resource-manager folders remove-iam-policy-binding {id}",
            _ => $"organizations remove-iam-policy-binding {id}",
        };
        return $"gcloud {on} --member {BashText.Quote(judged.Member)} --role "
            + $"{BashText.Quote(judged.Role)}{(judged.Condition is null ? string.Empty : " --all")}";
    }
}
