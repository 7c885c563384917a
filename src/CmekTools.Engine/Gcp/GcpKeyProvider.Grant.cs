using CmekTools.Engine.Gcp.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Gives access.</summary>
internal sealed partial class GcpKeyProvider
{
    private const string Description = "CockroachDB Cloud uses its KMS keys as this account. Made by CmekTools.";

    /// <inheritdoc/>
    public async Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op)
    {
        op.TakeChanges();
        string own = "serviceAccount:" + GcpNames.ClusterPrincipal(cluster);
        string role = GcpNames.RequireRole(options.RoleId ?? IamTree.CryptoRole);
        string project = key.KeyUri is null ? key.PlannedProject ?? ProjectOf(null) : GcpNames.ParseKey(key.KeyUri).Project;
        string email = EmailOf(cluster, project, options);
        (string accountId, string accountProject) = GcpNames.ParseAccount(email);
        if (key is { KeyUri: not null, Location: { } location })
        {
            await WarnIfFarAsync(location, region, op).ConfigureAwait(false);
        }

        IGoogleCloud cloud = await CloudAsync(op).ConfigureAwait(false);
        JsonObject? account = await TryAsync(cloud.GetAccountAsync(email, op.Cancellation)).ConfigureAwait(false);
        if (IsDisabled(account))
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"The service account {email} is disabled, by a revocation or by hand; a grant does not undo that.",
                $"Restore-CmekAccess -ClusterName {cluster.Name} gives access back after a revocation; else gcloud iam service-accounts enable {email}",
                email);
        }

        bool made = account is null && await CreateAccountAsync(cloud, cluster, accountProject, accountId, email, op).ConfigureAwait(false);
        bool there = account is not null || made;
        if (!there && !op.Host.WhatIf)
        {
            return Planned(cluster, region, key, email);
        }

        string member = "serviceAccount:" + email;
        bool token = await GiveAsync(PolicyOf.Account(cloud, email, op), there, IamTree.TokenRole, own, $"let {own} take tokens of the account", op).ConfigureAwait(false);
        bool use = await GiveAsync(PolicyOf.Key(cloud, key.KeyUri ?? $"(the key to be made for {cluster.Name}/{region})", op), key.KeyUri is not null, role, member, $"let {member} use the key", op).ConfigureAwait(false);
        return token && use
            ? Planned(cluster, region, key, email) with { Planned = false, Changes = op.TakeChanges() }
            : Planned(cluster, region, key, email);
    }

    private static async Task<bool> CreateAccountAsync(IGoogleCloud cloud, CmekCluster cluster, string project, string id, string email, Operation op) => await op.ChangeAsync(
        new PlannedChange("iam:serviceAccounts.create", email, "make the service account that the cluster acts as", $"description: {Description}", After: new JsonObject { ["email"] = email, ["description"] = Description }),
        async token =>
        {
            try
            {
                await cloud.CreateAccountAsync(project, id, $"CMEK of {cluster.Name}", Description, token).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.StatusCode == 409)
            {
                // Another run was quicker.
            }

            await AppearsAsync(cloud, email, op).ConfigureAwait(false);
        }).ConfigureAwait(false);

    // IAM answers "not found" for a moment after it has made an account.
    private static async Task AppearsAsync(IGoogleCloud cloud, string email, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        while (await TryAsync(cloud.GetAccountAsync(email, op.Cancellation)).ConfigureAwait(false) is null && op.Session.Time.GetElapsedTime(start) < op.Timings.PropagationLimit)
        {
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    // The policy of what is not made yet (in a -WhatIf run) is empty.
    private static async Task<bool> GiveAsync(PolicyOf policy, bool there, string role, string member, string summary, Operation op)
    {
        if (!there)
        {
            JsonObject planned = [];
            IamTree.Add(planned, role, member);
            return await op.Host.ShouldProcessAsync(policy.Target, summary + Environment.NewLine + IamTree.Difference([], planned)).ConfigureAwait(false);
        }

        async Task Look(JsonObject before)
        {
            foreach (string dead in IamTree.Dead(before, role, member).ToArray())
            {
                await op.Host.WarningAsync($"{policy.Target} names {dead}, which is gone: an account of the same name is another principal. It is replaced.").ConfigureAwait(false);
            }
        }

        return await policy.EditAsync(summary, p => IamTree.Add(p, role, member), Look).ConfigureAwait(false);
    }

    private static bool IsDisabled(JsonObject? account) => account?["disabled"]?.ToString() == "true";

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
        return GcpNames.Email(given, project);
    }
}
