using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>The role that a cluster acts as, and who may assume it.</summary>
internal sealed class AwsPrincipals(AwsClients clients, AwsRoleReader roles)
{
    public async Task<ClusterRole> EnsureRoleAsync(
        CmekCluster cluster,
        string region,
        PrincipalOptions options,
        Operation op,
        List<string> changes)
    {
        string account = cluster.AccountId ?? throw new CmekException(
            "AccountIdMissing",
            CmekErrorKind.InvalidData,
            $"The Cloud API does not say which AWS account belongs to the cluster {cluster.Name}, so nobody can be trusted.",
            "Run Get-CmekCluster again when the cluster is in the state CREATED.",
            cluster);
        if (options.RoleArn is { } given)
        {
            return await CheckGivenRoleAsync(given, cluster, account, op).ConfigureAwait(false);
        }

        string name = options.RoleName ?? AwsNames.RoleName(cluster);
        if (!AwsNames.IsRoleName(name))
        {
            throw new CmekException(
                "PrincipalInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{name}' cannot be the name of an IAM role.",
                "Give -RoleName 1 to 64 letters, digits or any of +=,.@_-; or -RoleArn for a role that is there already.",
                name);
        }

        AwsCaller caller = await clients.CallerAsync(region, op.Cancellation).ConfigureAwait(false);
        IamRole? role = await roles.FindRoleAsync(name, caller.Partition, op.Cancellation).ConfigureAwait(false);
        return role is null
            ? await CreateRoleAsync(name, cluster, account, caller, op, changes).ConfigureAwait(false)
            : await CompleteRoleAsync(
                role,
                cluster,
                account,
                caller.Partition,
                options.RoleName is not null,
                op,
                changes).ConfigureAwait(false);
    }

    public async Task<ClusterRole> RepairRoleAsync(AccessTarget target, RoleArn role, AccessSnapshot? snapshot, Operation op)
    {
        // The key's own service may answer where IAM does not.
        Evidence<IamRole> seen = await AwsEvidence.TryReadAsync(roles.RoleAsync(role, op.Cancellation)).ConfigureAwait(false);
        if (seen.Value is { } there)
        {
            string? before = snapshot?.Data["roleId"]?.GetValue<string>();
            if (before is not null && before != there.Id)
            {
                await op.Host.WarningAsync(
                    $"The role {role.Text} was deleted and made again since it was cut off ({before} is now {there.Id}); the key policy "
                        + "is written anew for it.").ConfigureAwait(false);
            }

            TrustDecision trust = TrustEvaluator.Decide(
                PolicyDocument.Parse(there.TrustPolicy, role.Text),
                target.Cluster.AccountId ?? string.Empty,
                target.OrganizationId,
                op.Session.Time.GetUtcNow());
            bool ours = there.Tags.GetValueOrDefault(AwsNames.ClusterIdTag) == target.Cluster.Id;
            if (trust.Assume == Decision.Denied && ours && target.Cluster.AccountId is { } account)
            {
                return await CompleteRoleAsync(there, target.Cluster, account, role.Partition, named: true, op, []).ConfigureAwait(false);
            }

            if (trust.Assume == Decision.Denied)
            {
                await op.Host.WarningAsync(
                    $"The role {role.Text} does not let the cluster's account assume it: {trust.Reason}. CmekTools did not change that; "
                        + $"Grant-CmekAccess -RoleName {role.Name} adds the trust.").ConfigureAwait(false);
            }

            bool mayBeNew = there.CreatedAt is { } made && op.Session.Time.GetUtcNow() - made < op.Timings.PropagationLimit;
            return new ClusterRole(there.Arn, there.Id, mayBeNew, false);
        }

        if (!seen.Missing || target.Cluster.AccountId is not { } trusted)
        {
            await op.Host.WarningAsync(
                $"The role {role.Text} could not be looked at ({seen.Why}); the key policy is written for its ARN.").ConfigureAwait(false);
            return new ClusterRole(role.Text, null, false, false);
        }

        AwsCaller caller = await clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation).ConfigureAwait(false);
        if (role.Text != $"arn:{caller.Partition}:iam::{caller.Account}:role/{role.Name}")
        {
            throw new CmekException(
                "RoleNotFound",
                CmekErrorKind.ObjectNotFound,
                $"The role {role.Text} is gone, and cannot be made again from here under this ARN.",
                $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(target.Cluster.Name)} -RoleName NAME gives the "
                    + "access to another role.",
                role.Text);
        }

        return await CreateRoleAsync(role.Name, target.Cluster, trusted, caller, op, []).ConfigureAwait(false);
    }

    private async Task<ClusterRole> CreateRoleAsync(
        string name,
        CmekCluster cluster,
        string account,
        AwsCaller caller,
        Operation op,
        List<string> changes)
    {
        IReadOnlyDictionary<string, string> tags = AwsNames.Tags(cluster, null);
        PolicyDocument trust = PolicyDocument.Create(
            OurStatements.Trust(OurStatements.TrustSid(cluster), caller.Partition, account, op.Session.Organization.Id));
        string description = $"CockroachDB Cloud cluster {cluster.Name} uses its KMS keys as this role";
        JsonObject request = new()
        {
            ["RoleName"] = name,
            ["Description"] = description,
            ["AssumeRolePolicyDocument"] = trust.Root.DeepClone(),
            ["Tags"] = AwsChanges.ToJson(tags),
        };
        IamRole? made = null;
        string planned = $"arn:{caller.Partition}:iam::{caller.Account}:role/{name}";
        PlannedChange change = new(
            "iam:CreateRole",
            planned,
            $"make the role {name} for {cluster.Name} to assume",
            PolicyJson.Indented(request),
            null,
            request);
        await AwsChanges.ChangeAsync(op, changes, change, async cancellation => made = await AwsErrors.CallAsync(
            "iam:CreateRole",
            name,
            ct => clients.Iam(caller.Partition).CreateRoleAsync(name, trust.Text(), description, tags, ct),
            cancellation).ConfigureAwait(false), async cancellation =>
        {
            // Where an answer was lost, the next try hears that the role is there already: ours, where it carries all that was sent.
            IamRole? there = await roles.FindRoleAsync(name, caller.Partition, cancellation).ConfigureAwait(false);
            made = there is not null && tags.All(t => there.Tags.GetValueOrDefault(t.Key) == t.Value)
                && PolicyDocument.Parse(there.TrustPolicy, there.Arn).Same(trust) ? there : null;
            return made is not null;
        }).ConfigureAwait(false);
        return made is null ? new ClusterRole(planned, null, false, true) : new ClusterRole(made.Arn, made.Id, true, false);
    }

    private async Task<ClusterRole> CompleteRoleAsync(
        IamRole role, CmekCluster cluster, string account, string partition, bool named, Operation op, List<string> changes)
    {
        bool mayBeNew = role.CreatedAt is { } made && op.Session.Time.GetUtcNow() - made < op.Timings.PropagationLimit;
        ClusterRole result = new(role.Arn, role.Id, mayBeNew, false);
        PolicyDocument trust = PolicyDocument.Parse(role.TrustPolicy, role.Arn);
        TrustDecision verdict = TrustEvaluator.Decide(trust, account, op.Session.Organization.Id, op.Session.Time.GetUtcNow());
        if (verdict is { Assume: Decision.Allowed, ExternalId: ExternalIdDemand.Exact or ExternalIdDemand.TakesOthers })
        {
            return result;
        }

        bool ours = role.Tags.GetValueOrDefault(AwsNames.ClusterIdTag) == cluster.Id;
        if (!ours && !named)
        {
            throw new CmekException(
                "RoleExists",
                CmekErrorKind.ResourceExists,
                $"The role {role.Arn} has the name that belongs to {cluster.Name}, but does not carry its tags and does not trust its "
                    + "account. Nothing was changed.",
                $"Give another name with -RoleName, or name this one with -RoleName {role.Name} to have the trust added to it.",
                role.Arn);
        }

        PolicyDocument after = WithTrust(trust, cluster, partition, account, op.Session.Organization.Id);
        TrustDecision then = TrustEvaluator.Decide(after, account, op.Session.Organization.Id, op.Session.Time.GetUtcNow());
        if (then.Assume == Decision.Denied)
        {
            throw TrustInvalid(role.Arn, cluster, then, $"Take the Deny out of the trust policy, or give another name with -RoleName.");
        }

        if (then.ExternalId != ExternalIdDemand.Exact)
        {
            await op.Host.WarningAsync(
                $"The role {role.Arn} can be assumed without the organization's id as external ID: {then.Reason}. That statement is not "
                    + "CmekTools', so it was left alone.").ConfigureAwait(false);
        }

        if (JsonNode.DeepEquals(trust.Root, after.Root))
        {
            return result;
        }

        PlannedChange change = new(
            "iam:UpdateAssumeRolePolicy",
            role.Arn,
            $"let the account {account} of {cluster.Name} assume the role",
            PolicyJson.Diff(trust.Root, after.Root),
            trust.Root.DeepClone(),
            after.Root.DeepClone());
        bool written = await AwsChanges.ChangeAsync(op, changes, change, async cancellation =>
        {
            await AwsErrors.CallAsync(
                "iam:UpdateAssumeRolePolicy",
                role.Arn,
                ct => clients.Iam(partition).UpdateAssumeRolePolicyAsync(role.Name, after.Text(), ct),
                cancellation).ConfigureAwait(false);
            await TrustReadBackAsync(role, partition, after, op, cancellation).ConfigureAwait(false);
        }, async cancellation => await roles.FindRoleAsync(role.Name, partition, cancellation).ConfigureAwait(false) is { } there
            && PolicyDocument.Parse(there.TrustPolicy, there.Arn).Same(after)).ConfigureAwait(false);
        return result with { Planned = !written };
    }

    private async Task TrustReadBackAsync(IamRole role, string partition, PolicyDocument sent, Operation op, CancellationToken cancellation)
    {
        for (int attempt = 0; attempt < AwsChanges.ReadBackTries; attempt++)
        {
            IamRole now = await AwsErrors.CallAsync(
                "iam:GetRole",
                role.Arn,
                ct => clients.Iam(partition).GetRoleAsync(role.Name, ct),
                cancellation).ConfigureAwait(false);
            if (PolicyDocument.Parse(now.TrustPolicy, role.Arn).Same(sent))
            {
                return;
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }

        throw new CmekException(
            "PolicyNotAsWritten",
            CmekErrorKind.InvalidData,
            $"The trust policy of {role.Arn} does not read as it was written.",
            "Look at the policy, then run the command again: it changes only what is missing.",
            role.Arn);
    }

    private static PolicyDocument WithTrust(PolicyDocument trust, CmekCluster cluster, string partition, string account, string externalId)
    {
        PolicyDocument after = trust.Clone();
        if (OurStatements.FindTrust(after, cluster) is { } ours)
        {
            JsonObject wanted = OurStatements.Trust(PolicyJson.Text(ours, "Sid")!, partition, account, externalId);
            if (!PolicyJson.Same(ours, wanted))
            {
                after.Replace(ours, wanted);
            }
        }
        else
        {
            after.Add(OurStatements.Trust(after.FreeSid(OurStatements.TrustSid(cluster)), partition, account, externalId));
        }

        return after;
    }

    // A role that others manage is looked at and never written.
    private async Task<ClusterRole> CheckGivenRoleAsync(string arn, CmekCluster cluster, string account, Operation op)
    {
        AwsInput.ValidatePrincipal(arn);
        RoleArn role = AwsNames.TryParseRole(arn)!;
        IamRole? seen;
        try
        {
            AwsCaller caller = await clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation).ConfigureAwait(false);
            if (caller.Account != role.Account)
            {
                await op.Host.WarningAsync(
                    $"The role {arn} is in another account ({role.Account}) than the caller ({caller.Account}), so its trust was not "
                        + "checked. It also needs a policy of its own there that allows the key.").ConfigureAwait(false);
                return new ClusterRole(arn, null, false, false);
            }

            seen = await roles.FindRoleAsync(role.Name, role.Partition, op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.AccessDenied)
        {
            await op.Host.WarningAsync($"The trust of the role {arn} was not checked: {e.Message}").ConfigureAwait(false);
            return new ClusterRole(arn, null, false, false);
        }

        if (seen is null)
        {
            throw new CmekException(
                "RoleNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no role {arn}.",
                "Look at the ARN, or leave -RoleArn out to have a role made.",
                arn);
        }

        TrustDecision verdict = TrustEvaluator.Decide(
            PolicyDocument.Parse(seen.TrustPolicy, arn),
            account,
            op.Session.Organization.Id,
            op.Session.Time.GetUtcNow());
        if (verdict.Assume == Decision.Denied)
        {
            string wanted = PolicyJson.Compact(
                OurStatements.Trust(OurStatements.TrustSid(cluster), role.Partition, account, op.Session.Organization.Id));
            throw TrustInvalid(arn, cluster, verdict, $"Have whoever manages the role add this statement to its trust policy: {wanted}");
        }

        if (verdict.Assume != Decision.Allowed || verdict.ExternalId != ExternalIdDemand.Exact)
        {
            await op.Host.WarningAsync($"The trust of {arn} is not what it should be: {verdict.Reason}.").ConfigureAwait(false);
        }

        return new ClusterRole(seen.Arn, seen.Id, false, false);
    }

    private static CmekException TrustInvalid(string arn, CmekCluster cluster, TrustDecision verdict, string action) => new(
        "RoleTrustInvalid",
        CmekErrorKind.InvalidOperation,
        $"The role {arn} does not let the account {cluster.AccountId} of {cluster.Name} assume it with the organization's id as "
            + $"external ID: {verdict.Reason}.",
        action,
        arn);
}
