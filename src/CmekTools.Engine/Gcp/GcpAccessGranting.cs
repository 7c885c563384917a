using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>Gives access: an account, the cluster's right to its tokens, and its right to the key.</summary>
internal sealed class GcpAccessGranting(GcpClients clients, GcpPrincipals principals)
{
    /// <summary>Makes or completes the account and its access to the key, and reads back what was written.</summary>
    public async Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op)
    {
        int before = op.ChangeCount;
        string own = IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(cluster));
        string role = GcpNames.RequireRole(options.RoleId ?? IamBindings.CryptoRole);
        string email = await EmailOfAsync(cluster, key, options, op).ConfigureAwait(false);
        GcpNames.ParseAccount(email);
        if (!options.Again)
        {
            CutLabel.RequireNone(cluster, key, email);
        }

        if (key is { KeyUri: not null, Location: { } location })
        {
            await GcpKeyMaker.WarnIfFarAsync(location, region, op).ConfigureAwait(false);
        }

        AccountState state = await principals.EnsureAsync(cluster, email, op).ConfigureAwait(false);
        if (state == AccountState.Disabled)
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"The service account {email} is disabled, by a revocation or by hand; a grant does not undo that.",
                $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} gives access back after a revocation; else "
                    + $"gcloud iam service-accounts enable {email}",
                email);
        }

        bool there = state != AccountState.Planned;
        if (!there && !op.Host.WhatIf)
        {
            return Planned(cluster, region, key, email);
        }

        string member = IamMembers.ServiceAccount(email);
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        IamPolicyWriter ofAccount = IamPolicyWriter.Account(cloud, email, clients.Written, op, young: state == AccountState.New);
        IamPolicyWriter ofKey = IamPolicyWriter.Key(
            cloud,
            key.KeyUri ?? $"(the key to be made for {cluster.Name}/{region})",
            clients.Written,
            op);
        bool token = await GiveAsync(
            ofAccount,
            there,
            IamBindings.TokenRole,
            own,
            $"let {own} take tokens of the account",
            op).ConfigureAwait(false);
        bool use = await GiveAsync(ofKey, key.KeyUri is not null, role, member, $"let {member} use the key", op).ConfigureAwait(false);
        if (options.Again && token && use && key.KeyUri is { } uri)
        {
            await CutLabel.TakeAsync(
                cloud,
                new AccessTarget(cluster, op.Session.Organization.Id, region, uri, email),
                op).ConfigureAwait(false);
        }

        return token && use
            ? Planned(cluster, region, key, email) with { Planned = false, Changes = op.ChangesSince(before) }
            : Planned(cluster, region, key, email);
    }

    // The policy of what is not made yet (in a -WhatIf run) is empty.
    private static async Task<bool> GiveAsync(IamPolicyWriter policy, bool there, string role, string member, string summary, Operation op)
    {
        if (!there)
        {
            JsonObject planned = [];
            IamBindings.Add(planned, role, member);
            return await op.Host.ShouldProcessAsync(
                policy.Target,
                summary + Environment.NewLine + IamBindings.Difference([], planned)).ConfigureAwait(false);
        }

        async Task Look(JsonObject before)
        {
            foreach (string dead in IamBindings.Dead(before, role, member).ToArray())
            {
                await op.Host.WarningAsync(
                    $"{policy.Target} names {dead}, which is gone: an account of the same name is another principal. It is replaced.")
                        .ConfigureAwait(false);
            }
        }

        return await policy.EditAsync(summary, p => IamBindings.Add(p, role, member), Look).ConfigureAwait(false);
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

    private async Task<string> EmailOfAsync(CmekCluster cluster, CmekKey key, PrincipalOptions options, Operation op)
    {
        string given = options.ServiceAccount ?? GcpNames.AccountId(cluster);
        if (given.Contains('@', StringComparison.Ordinal))
        {
            return given;
        }

        GcpNames.RequireAccountId(given);
        string project = key.KeyUri is null ? key.PlannedProject ?? clients.ProjectOf(null) : GcpNames.ParseKey(key.KeyUri).Project;
        if (project.All(char.IsAsciiDigit))
        {
            // Accounts are named by the project's id only.
            ProjectNames names = await clients.NamesOfAsync(project, op).ConfigureAwait(false);
            project = names.Id ?? throw new CmekException(
                "ProjectInvalid",
                CmekErrorKind.InvalidArgument,
                $"The key names its project by the number {project}, and service accounts are named by the project's id, which "
                    + $"{names.Why ?? "is not known"}.",
                $"gcloud projects describe {project} --format='value(projectId)' prints the id: give the key's URI with it, or "
                    + "-ServiceAccount as a whole email.",
                key.KeyUri);
        }

        return GcpNames.Email(given, project);
    }
}
