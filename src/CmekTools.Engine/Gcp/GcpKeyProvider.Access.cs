using System.Text.Json.Nodes;
using CmekTools.Engine.Providers;

namespace CmekTools.Engine.Gcp;

/// <summary>Gives and reads access.</summary>
internal sealed partial class GcpKeyProvider
{
    private const string Description = "CockroachDB Cloud uses its KMS keys as this account. Made by CmekTools.";

    /// <inheritdoc/>
    public async Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op)
    {
        op.TakeChanges();
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(cluster);
        string project = key.KeyUri is null ? ProjectOf(null) : GcpNames.ParseKey(key.KeyUri).Project;
        string email = EmailOf(cluster, project, options);
        (string accountId, string accountProject) = GcpNames.ParseAccount(email);
        if (key.KeyUri is not null && GcpNames.Distance(key.Location!, region) == 2)
        {
            await op.Host.WarningAsync($"{key.KeyUri} is far from {region}: the cluster's region depends on the other place for every start of a node.").ConfigureAwait(false);
        }

        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject? account = await TryAsync(cloud.GetAccountAsync(email, op.Cancellation)).ConfigureAwait(false);
        if (account?["disabled"]?.ToString() == "true")
        {
            throw new CmekException("AccessRevoked", CmekErrorKind.InvalidOperation, $"The service account {email} is disabled; a grant does not undo that.", $"Restore-CmekAccess -ClusterName {cluster.Name} gives access back, or gcloud iam service-accounts enable {email}.", email);
        }

        if (account is null)
        {
            bool made = await op.ChangeAsync(
                new PlannedChange("iam:serviceAccounts.create", email, "make the service account that the cluster acts as"),
                async token =>
                {
                    try
                    {
                        await cloud.CreateAccountAsync(accountProject, accountId, $"CMEK of {cluster.Name}", Description, token).ConfigureAwait(false);
                    }
                    catch (CmekServiceException e) when (e.StatusCode == 409)
                    {
                        // Another run was quicker.
                    }
                }).ConfigureAwait(false);
            if (!made && !op.Host.WhatIf)
            {
                return Planned(cluster, region, key, email);
            }
        }

        string member = "serviceAccount:" + email;
        bool account1 = await GiveAsync(op, email, IamTree.TokenRole, own, $"let {own} take tokens of the account", account is null && op.Host.WhatIf ? null : () => cloud.GetAccountPolicyAsync(email, op.Cancellation), (p, t) => cloud.SetAccountPolicyAsync(email, p, t)).ConfigureAwait(false);
        string role = options.RoleId ?? IamTree.CryptoRole;
        bool key1 = await GiveAsync(op, key.KeyUri ?? $"the key to be made for {cluster.Name}/{region}", role, member, $"let {member} use the key", key.KeyUri is null ? null : () => cloud.GetKmsPolicyAsync(key.KeyUri, op.Cancellation), (p, t) => cloud.SetKmsPolicyAsync(key.KeyUri!, p, t)).ConfigureAwait(false);
        if (!account1 || !key1)
        {
            return Planned(cluster, region, key, email);
        }

        return new CmekAccess
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = CmekProvider.GCP,
            Region = region,
            KeyUri = key.KeyUri,
            AuthPrincipal = email,
            Changes = op.TakeChanges(),
        };
    }

    /// <inheritdoc/>
    public async Task<AccessVerdict> EvaluateAsync(AccessTarget target, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        string member = "serviceAccount:" + target.AuthPrincipal;
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        if (sight.Key.Value is null)
        {
            return sight.Key.Missing ? new AccessVerdict(false, [$"{target.KeyUri} does not exist"]) : new AccessVerdict(null, [sight.Key.Why!]);
        }

        if (State(sight.Key.Value["primary"] as JsonObject) != "ENABLED")
        {
            return new AccessVerdict(false, [$"the key's primary version is {State(sight.Key.Value["primary"] as JsonObject)}"]);
        }

        if (sight.Account.Missing)
        {
            return new AccessVerdict(false, [$"the service account {target.AuthPrincipal} does not exist"]);
        }

        if (sight.Account.Value?["disabled"]?.ToString() == "true")
        {
            return new AccessVerdict(false, [$"the service account {target.AuthPrincipal} is disabled"]);
        }

        (Standing crypto, string why) = CryptoOf(sight, member, target.KeyUri, now);
        Standing token = TokenOf(sight, own, $"projects/-/serviceAccounts/{target.AuthPrincipal}", now);
        bool blind = sight.KeyPolicy.Value is null || sight.RingPolicy.Value is null || (sight.ProjectPolicy.Value is null && !sight.ProjectPolicy.Missing);
        return (crypto, token) switch
        {
            (Standing.Yes, Standing.Yes) => new AccessVerdict(true, [why, $"{own} may take its tokens"]),
            (Standing.Yes, _) when sight.AccountPolicy.Value is null => new AccessVerdict(null, [why, sight.AccountPolicy.Why ?? "the service account's policy could not be read"]),
            (Standing.Yes, _) => new AccessVerdict(null, [why, $"{own} may not take new tokens of it, but tokens that it has work for up to an hour"]),
            (Standing.Maybe, _) => new AccessVerdict(null, [why]),
            (_, _) when blind => new AccessVerdict(null, [.. new[] { sight.KeyPolicy.Why, sight.RingPolicy.Why, sight.ProjectPolicy.Why }.OfType<string>()]),
            _ => new AccessVerdict(false, [$"no binding on key, ring or project lets {member} use the key"]),
        };
    }

    /// <inheritdoc/>
    public async Task<AccessSnapshot> CaptureAsync(AccessTarget target, Operation op)
    {
        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        Task<JsonObject> key = KeyOrThrowAsync(cloud, GcpNames.ParseKey(target.KeyUri), op);
        Task<JsonObject> keyPolicy = cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation);
        Task<IReadOnlyList<JsonObject>> versions = cloud.ListVersionsAsync(target.KeyUri, op.Cancellation);
        Task<JsonObject?> account = TryAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation));
        Task<JsonObject?> accountPolicy = TryAsync(cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation));
        await Task.WhenAll(key, keyPolicy, versions, account, accountPolicy).ConfigureAwait(false);
        JsonObject? known = await account.ConfigureAwait(false);
        return new AccessSnapshot("gcp/1", new JsonObject
        {
            ["key_policy"] = (await keyPolicy.ConfigureAwait(false)).DeepClone(),
            ["versions"] = new JsonArray([.. (await versions.ConfigureAwait(false)).Select(v => (JsonNode)new JsonObject { ["version"] = Version(v), ["state"] = State(v) })]),
            ["service_account"] = known is null ? null : new JsonObject
            {
                ["email"] = target.AuthPrincipal,
                ["unique_id"] = known["uniqueId"]?.DeepClone(),
                ["disabled"] = known["disabled"]?.ToString() == "true",
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
        await EditAsync(op, "cloudkms:cryptoKeys.setIamPolicy", target.KeyUri, $"take {member} out of every binding of the key", () => cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation), (p, t) => cloud.SetKmsPolicyAsync(target.KeyUri, p, t), p => IamTree.Remove(p, m => m == member)).ConfigureAwait(false);
        JsonObject? account = await TryAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation)).ConfigureAwait(false);
        if (account is not null)
        {
            await EditAsync(op, "iam:serviceAccounts.setIamPolicy", target.AuthPrincipal, $"take {own} out of every binding of the service account", () => cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation), (p, t) => cloud.SetAccountPolicyAsync(target.AuthPrincipal, p, t), p => IamTree.Remove(p, m => m == own)).ConfigureAwait(false);
            if (options.DisablePrincipal && account["disabled"]?.ToString() != "true")
            {
                await op.ChangeAsync(new PlannedChange("iam:serviceAccounts.disable", target.AuthPrincipal, "disable the service account"), token => cloud.DisableAccountAsync(target.AuthPrincipal, token)).ConfigureAwait(false);
            }
        }

        if (!op.Host.WhatIf)
        {
            await ReportInheritedAsync(target, member, options, op).ConfigureAwait(false);
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
        HashSet<string> enabled = [.. (snapshot?.Data["versions"] as JsonArray ?? []).Where(v => v?["state"]?.ToString() == "ENABLED").Select(v => v!["version"]!.ToString())];
        JsonObject key = await KeyOrThrowAsync(cloud, GcpNames.ParseKey(target.KeyUri), op).ConfigureAwait(false);
        string? primary = key["primary"] is JsonObject version ? Version(version) : null;
        await ReviveVersionsAsync(cloud, target.KeyUri, id => snapshot is null ? id == primary : enabled.Contains(id), op).ConfigureAwait(false);
        await RestoreAccountAsync(cloud, target, snapshot, op).ConfigureAwait(false);

        string member = "serviceAccount:" + target.AuthPrincipal;
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster);
        await EditAsync(op, "iam:serviceAccounts.setIamPolicy", target.AuthPrincipal, $"let {own} take tokens of the account again", () => cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation), (p, t) => cloud.SetAccountPolicyAsync(target.AuthPrincipal, p, t), p => PutBack(p, snapshot?.Data["service_account_policy"] as JsonObject, own, IamTree.TokenRole)).ConfigureAwait(false);
        await EditAsync(op, "cloudkms:cryptoKeys.setIamPolicy", target.KeyUri, $"let {member} use the key again", () => cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation), (p, t) => cloud.SetKmsPolicyAsync(target.KeyUri, p, t), p => PutBack(p, snapshot?.Data["key_policy"] as JsonObject, member, IamTree.CryptoRole)).ConfigureAwait(false);
    }

    private static bool PutBack(JsonObject policy, JsonObject? snapshot, string member, string role)
    {
        // A dead namesake is taken out: a made-anew account is another principal, and the old one never comes back.
        bool changed = IamTree.Remove(policy, m => m.StartsWith("deleted:" + member + "?", StringComparison.Ordinal));
        if (snapshot is not null && IamTree.Bindings(snapshot).Any(b => IamTree.Members(b).Contains(member)))
        {
            return IamTree.PutBack(policy, snapshot, m => m == member) || changed;
        }

        return IamTree.Add(policy, role, member) || changed;
    }

    private static async Task RestoreAccountAsync(IGoogleCloud cloud, AccessTarget target, AccessSnapshot? snapshot, Operation op)
    {
        JsonObject account = await TryAsync(cloud.GetAccountAsync(target.AuthPrincipal, op.Cancellation)).ConfigureAwait(false) ?? throw new CmekException(
            "PrincipalNotFound",
            CmekErrorKind.ObjectNotFound,
            $"The service account {target.AuthPrincipal} does not exist any more.",
            $"Within 30 days: gcloud iam service-accounts undelete UNIQUE_ID. Or give another one: Restore-CmekAccess -ClusterName {target.Cluster.Name} -ServiceAccount ID.",
            target.AuthPrincipal);
        JsonNode? was = snapshot?.Data["service_account"];
        if (was?["unique_id"]?.ToString() is { } id && account["uniqueId"]?.ToString() is { } now && now != id)
        {
            await op.Host.WarningAsync($"{target.AuthPrincipal} was deleted and made anew since ({id} is now {now}): the bindings are written for the new one.").ConfigureAwait(false);
        }

        if (account["disabled"]?.ToString() == "true" && was?["disabled"]?.ToString() != "true")
        {
            await op.ChangeAsync(new PlannedChange("iam:serviceAccounts.enable", target.AuthPrincipal, "enable the service account"), token => cloud.EnableAccountAsync(target.AuthPrincipal, token)).ConfigureAwait(false);
        }
    }

    private async Task ReportInheritedAsync(AccessTarget target, string member, CutOptions options, Operation op)
    {
        Sight sight = await SeeAsync(target, op).ConfigureAwait(false);
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        foreach ((string place, JsonObject? policy) in (ReadOnlySpan<(string, JsonObject?)>)[("key ring", sight.RingPolicy.Value), ("project", sight.ProjectPolicy.Value)])
        {
            if (policy is not null && IamTree.Crypto(policy, member, target.KeyUri, now, onKey: false) != Standing.No && !(options.DisablePrincipal || sight.Account.Value?["disabled"]?.ToString() == "true"))
            {
                throw new CmekException(
                    "InheritedAccess",
                    CmekErrorKind.InvalidOperation,
                    $"A binding on the {place} still lets {member} use {target.KeyUri}; it is not CmekTools' to take away.",
                    $"Run the command again with -DisablePrincipal, or take the binding away: gcloud {(place == "project" ? $"projects remove-iam-policy-binding {GcpNames.ParseKey(target.KeyUri).Project}" : $"kms keyrings remove-iam-policy-binding {GcpNames.ParseKey(target.KeyUri).Ring} --location {GcpNames.ParseKey(target.KeyUri).Location}")} --member {member} --role {IamTree.CryptoRole}",
                    target.KeyUri);
            }
        }
    }

    private static CmekAccess Planned(CmekCluster cluster, string region, CmekKey key, string email) => new()
    {
        ClusterId = cluster.Id,
        ClusterName = cluster.Name,
        Provider = CmekProvider.GCP,
        Region = region,
        KeyUri = key.KeyUri,
        AuthPrincipal = email,
        Planned = true,
    };

    private static string EmailOf(CmekCluster cluster, string project, PrincipalOptions options)
    {
        string given = options.ServiceAccount ?? GcpNames.AccountId(cluster);
        if (given.Contains('@', StringComparison.Ordinal))
        {
            return given;
        }

        GcpNames.RequireAccountId(given);
        return $"{given}@{project}.iam.gserviceaccount.com";
    }

    private static (Standing Standing, string Why) CryptoOf(Sight sight, string member, string key, DateTimeOffset now)
    {
        (Standing Standing, string Why) best = (Standing.No, string.Empty);
        foreach ((string place, JsonObject? policy, bool onKey) in (ReadOnlySpan<(string, JsonObject?, bool)>)[("key", sight.KeyPolicy.Value, true), ("key ring", sight.RingPolicy.Value, false), ("project", sight.ProjectPolicy.Value, false)])
        {
            Standing one = policy is null ? Standing.No : IamTree.Crypto(policy, member, key, now, onKey);
            if (one > best.Standing)
            {
                best = (one, one == Standing.Yes ? $"a binding on the {place} lets {member} use the key" : $"a binding on the {place} may let {member} use the key (a condition or custom role that cannot be judged from here)");
            }
        }

        return best;
    }

    private static Standing TokenOf(Sight sight, string own, string account, DateTimeOffset now)
    {
        Standing direct = sight.AccountPolicy.Value is null ? Standing.No : IamTree.Token(sight.AccountPolicy.Value, own, account, now, onAccount: true);
        Standing inherited = sight.ProjectPolicy.Value is null ? Standing.No : IamTree.Token(sight.ProjectPolicy.Value, own, account, now, onAccount: false);
        return direct > inherited ? direct : inherited;
    }

    private static async Task<bool> GiveAsync(Operation op, string target, string role, string member, string summary, Func<Task<JsonObject>>? read, Func<JsonObject, CancellationToken, Task<JsonObject>> write)
    {
        if (read is null)
        {
            // A -WhatIf run of what hangs on something that is not made yet.
            JsonObject empty = [];
            JsonObject after = [];
            IamTree.Add(after, role, member);
            return await op.Host.ShouldProcessAsync(target, summary + Environment.NewLine + IamTree.Difference(empty, after)).ConfigureAwait(false);
        }

        JsonObject before = await read().ConfigureAwait(false);
        foreach (string dead in IamTree.Bindings(before).Where(b => IamTree.Role(b) == role).SelectMany(IamTree.Members).Where(m => m.StartsWith("deleted:" + member + "?", StringComparison.Ordinal)).ToArray())
        {
            await op.Host.WarningAsync($"{target} names {dead}, which is gone: an account of the same name is another principal. It is replaced.").ConfigureAwait(false);
        }

        bool Edit(JsonObject policy)
        {
            bool cleaned = IamTree.Remove(policy, m => m.StartsWith("deleted:" + member + "?", StringComparison.Ordinal), role);
            return IamTree.Add(policy, role, member) || cleaned;
        }

        string kind = target.Contains("/cryptoKeys/", StringComparison.Ordinal) ? "cloudkms:cryptoKeys.setIamPolicy" : "iam:serviceAccounts.setIamPolicy";
        return await EditAsync(op, kind, target, summary, read, write, Edit).ConfigureAwait(false);
    }

    // One read-modify-write with the etag. True where the policy is as wanted at the end; false where declined.
    private static async Task<bool> EditAsync(
        Operation op,
        string kind,
        string target,
        string summary,
        Func<Task<JsonObject>> read,
        Func<JsonObject, CancellationToken, Task<JsonObject>> write,
        Func<JsonObject, bool> edit)
    {
        JsonObject before = await read().ConfigureAwait(false);
        JsonObject after = before.DeepClone().AsObject();
        if (!edit(after))
        {
            return true;
        }

        IamTree.SetVersion(after);
        bool done = await op.ChangeAsync(
            new PlannedChange(kind, target, summary, IamTree.Difference(before, after), before.DeepClone(), after.DeepClone()),
            token => WriteAsync(op, summary, after, read, write, edit, token)).ConfigureAwait(false);
        if (done)
        {
            // Read back: the writer's own answer is not proof.
            JsonObject seen = await read().ConfigureAwait(false);
            if (edit(seen.DeepClone().AsObject()))
            {
                throw new CmekException("PolicyNotAsWritten", CmekErrorKind.InvalidData, $"{target}: the policy was written, and reads differently now; something else changed it in between.", "Run the command again.", target);
            }
        }

        return done;
    }

    private static async Task WriteAsync(
        Operation op,
        string summary,
        JsonObject policy,
        Func<Task<JsonObject>> read,
        Func<JsonObject, CancellationToken, Task<JsonObject>> write,
        Func<JsonObject, bool> edit,
        CancellationToken cancellation)
    {
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            TimeSpan pause;
            try
            {
                await write(policy, cancellation).ConfigureAwait(false);
                return;
            }
            catch (CmekServiceException e) when (e.Code == "ABORTED" && op.Session.Time.GetElapsedTime(start) < op.Timings.PropagationLimit)
            {
                // A lost race: read again, merge again. A random pause keeps two losers from meeting again.
                pause = op.Timings.RetryBase * Random.Shared.NextDouble();
            }
            catch (CmekServiceException e) when (e.StatusCode == 400 && e.Message.Contains("does not exist", StringComparison.Ordinal) && op.Session.Time.GetElapsedTime(start) < op.Timings.PropagationLimit)
            {
                // The account has just been made, and is not known everywhere yet.
                await op.Host.ProgressAsync(new OperationProgress("Waiting for Google Cloud to know the service account", summary)).ConfigureAwait(false);
                pause = op.Timings.PropagationPoll;
            }

            await op.DelayAsync(pause).ConfigureAwait(false);
            policy = await read().ConfigureAwait(false);
            if (!edit(policy))
            {
                return;
            }

            IamTree.SetVersion(policy);
        }
    }
}
