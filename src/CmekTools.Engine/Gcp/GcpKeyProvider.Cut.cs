using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Captures, cuts and gives back access.</summary>
internal sealed partial class GcpKeyProvider
{
    /// <inheritdoc/>
    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        Task<JsonObject> key = KeyOrThrowAsync(cloud, GcpNames.ParseKey(target.KeyUri), op);
        Task<JsonObject> keyPolicy = cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation);
        Task<IReadOnlyList<JsonObject>> versions = cloud.ListVersionsAsync(target.KeyUri, op.Cancellation);
        Task<JsonObject?> account = TryAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation));
        Task<JsonObject?> accountPolicy = TryAsync(cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation));
        await Task.WhenAll(key, keyPolicy, versions, account, accountPolicy).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        JsonObject seen = await key.ConfigureAwait(false);
        JsonObject? known = await account.ConfigureAwait(false);
        return new AccessSnapshot("gcp/1", new JsonObject
        {
            ["key_policy"] = (await keyPolicy.ConfigureAwait(false)).DeepClone(),
            ["primary_version"] = seen["primary"] is JsonObject primary ? Version(primary) : null,
            ["versions"] = new JsonArray([.. (await versions.ConfigureAwait(false)).Select(v => (JsonNode)new JsonObject { ["version"] = Version(v), ["state"] = State(v) })]),
            ["service_account"] = known is null ? null : new JsonObject
            {
                ["email"] = target.AuthPrincipal,
                ["unique_id"] = known["uniqueId"]?.DeepClone(),
                ["disabled"] = IsDisabled(known),
            },
            ["service_account_policy"] = (await accountPolicy.ConfigureAwait(false))?.DeepClone(),
        });
    }

    /// <inheritdoc/>
    public async Task CutAsync(AccessTarget target, CutOptions options, Operation op)
    {
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        string member = "serviceAccount:" + target.AuthPrincipal;
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        await PolicyOf.Key(cloud, target.KeyUri, op).EditAsync($"take {member} out of every binding of the key", p => IamTree.Remove(p, member)).ConfigureAwait(false);
        JsonObject? account = await TryAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation)).ConfigureAwait(false);
        if (account is not null)
        {
            await PolicyOf.Account(cloud, target.AuthPrincipal, op).EditAsync($"take {own} out of every binding of the service account", p => IamTree.Remove(p, own)).ConfigureAwait(false);
            if (options.DisablePrincipal && !IsDisabled(account))
            {
                await op.ChangeAsync(
                    new PlannedChange("iam:serviceAccounts.disable", target.AuthPrincipal, "disable the service account", Before: new JsonObject { ["disabled"] = false }, After: new JsonObject { ["disabled"] = true }),
                    token => cloud.DisableAccountAsync(target.AuthPrincipal, token)).ConfigureAwait(false);
            }
        }

        if (!op.Host.WhatIf)
        {
            await ReportInheritedAsync(target, member, op).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task RestoreAsync(AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        if (snapshot is { Kind: not "gcp/1" })
        {
            throw new CmekException("ReceiptInvalid", CmekErrorKind.InvalidData, $"The receipt's snapshot of {target} is of the kind {snapshot.Kind}, not gcp/1.", "Restore without the receipt: move it away, and run the command again.", target.KeyUri);
        }

        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        await ReviveVersionsAsync(cloud, GcpNames.ParseKey(target.KeyUri), snapshot?.Data["versions"] as JsonArray, op).ConfigureAwait(false);
        bool there = await RestoreAccountAsync(cloud, target, snapshot?.Data["service_account"] as JsonObject, op).ConfigureAwait(false);

        string member = "serviceAccount:" + target.AuthPrincipal;
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        if (there)
        {
            await PolicyOf.Account(cloud, target.AuthPrincipal, op).EditAsync($"let {own} take tokens of the account again", PutBack(snapshot?.Data["service_account_policy"], own, IamTree.TokenRole)).ConfigureAwait(false);
        }

        await PolicyOf.Key(cloud, target.KeyUri, op).EditAsync($"let {member} use the key again", PutBack(snapshot?.Data["key_policy"], member, IamTree.CryptoRole)).ConfigureAwait(false);
    }

    // Where a snapshot has the member, exactly that comes back; else what a grant would write.
    private static Func<JsonObject, bool> PutBack(JsonNode? snapshot, string member, string role) =>
        snapshot is JsonObject was && IamTree.Bindings(was).Any(b => IamTree.Members(b).Contains(member))
            ? policy => IamTree.PutBack(policy, was, member)
            : policy => IamTree.Add(policy, role, member);

    // True where the account is there at the end.
    private static async Task<bool> RestoreAccountAsync(IGoogleCloud cloud, AccessTarget target, JsonObject? was, Operation op)
    {
        string email = target.AuthPrincipal;
        string? id = was?["unique_id"]?.ToString();
        JsonObject? account = await TryAsync(cloud.GetAccountAsync(email, op.Cancellation)).ConfigureAwait(false);
        if (account is null)
        {
            if (!await MakeAgainAsync(cloud, target, id, op).ConfigureAwait(false))
            {
                return false;
            }

            account = await cloud.GetAccountAsync(email, op.Cancellation).ConfigureAwait(false);
        }

        if (id is not null && account["uniqueId"]?.ToString() is { } now && now != id)
        {
            await op.Host.WarningAsync($"{email} was deleted and made anew since ({id} is now {now}): the bindings are written for the new one.").ConfigureAwait(false);
        }

        // A snapshot that was taken of a disabled account is no reason to leave the cluster without its key.
        if (IsDisabled(account))
        {
            await op.ChangeAsync(
                new PlannedChange("iam:serviceAccounts.enable", email, "enable the service account", Before: new JsonObject { ["disabled"] = true }, After: new JsonObject { ["disabled"] = false }),
                token => cloud.EnableAccountAsync(email, token)).ConfigureAwait(false);
        }

        return true;
    }

    // Undeleting gives the same principal back, with its policy and its bindings elsewhere; a new one is only second best.
    private static async Task<bool> MakeAgainAsync(IGoogleCloud cloud, AccessTarget target, string? uniqueId, Operation op)
    {
        string email = target.AuthPrincipal;
        (string id, string project) = GcpNames.ParseAccount(email);
        if (uniqueId is not null)
        {
            try
            {
                if (!await op.ChangeAsync(
                    new PlannedChange("iam:serviceAccounts.undelete", email, $"bring the deleted service account {uniqueId} back"),
                    token => cloud.UndeleteAccountAsync(project, uniqueId, token)).ConfigureAwait(false))
                {
                    return false;
                }

                return true;
            }
            catch (CmekServiceException e) when (e.StatusCode is 400 or 404)
            {
                await op.Host.WarningAsync($"{email} cannot be brought back ({e.Message}); another account is made under its name.").ConfigureAwait(false);
            }
        }

        return await CreateAccountAsync(cloud, target.Cluster, project, id, email, op).ConfigureAwait(false);
    }

    // What still lets the principal decrypt after the cut. It is for whoever owns that binding to take it away.
    private async Task ReportInheritedAsync(AccessTarget target, string member, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        if (sight.Account.Missing || IsDisabled(sight.Account.Value))
        {
            return;
        }

        GcpKeyName name = GcpNames.ParseKey(target.KeyUri);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        foreach ((string place, JsonObject? policy) in Levels(sight))
        {
            Judged judged = policy is null ? default : IamJudge.Decrypt(policy, member, target.KeyUri, now, place == "key");
            if (judged.Standing == Standing.Maybe)
            {
                await op.Host.WarningAsync($"{new Placed(place, member, judged).Why("decrypt with")}. With -DisablePrincipal the cut does not depend on it.").ConfigureAwait(false);
            }
            else if (judged.Standing == Standing.Yes && (place != "key" || judged.Member != member))
            {
                string on = place switch
                {
                    "project" => $"projects remove-iam-policy-binding {name.Project}",
                    "key" => $"kms keys remove-iam-policy-binding {name.Key} --keyring {name.Ring} --location {name.Location} --project {name.Project}",
                    _ => $"kms keyrings remove-iam-policy-binding {name.Ring} --location {name.Location} --project {name.Project}",
                };
                // Told, not thrown: the other regions' cuts and the service's own revocation must not wait for it.
                await op.Host.ErrorAsync(new CmekException(
                    "InheritedAccess",
                    CmekErrorKind.InvalidOperation,
                    $"{target}: {new Placed(place, member, judged).Why("decrypt with")}. It is not CmekTools' to take away: {target.KeyUri}",
                    $"Run the command again with -DisablePrincipal, or take the binding away: gcloud {on} --member {judged.Member} --role {judged.Role}{(judged.Condition is null ? string.Empty : " --all")}",
                    target.KeyUri)).ConfigureAwait(false);
            }
        }
    }
}
