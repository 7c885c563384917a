using CmekTools.Engine.Aws.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>The role that a cluster acts as, and who may assume it.</summary>
internal sealed partial class AwsKeyProvider
{
    /// <summary>What a grant works with: the role, and whether KMS may not know it yet.</summary>
    private sealed record GrantRole(string Arn, string? Id, bool MayBeNew, bool Planned);

    private async Task<GrantRole> EnsureRoleAsync(CmekCluster cluster, string region, PrincipalOptions options, Operation op, List<string> changes)
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
                "PrincipalInvalid", CmekErrorKind.InvalidArgument, $"'{name}' cannot be the name of an IAM role.", "Give -RoleName 1 to 64 letters, digits or any of +=,.@_-; or -RoleArn for a role that is there already.", name);
        }

        AwsCaller caller = await _clients.CallerAsync(region, op.Cancellation).ConfigureAwait(false);
        IamRole? role = await FindRoleAsync(name, caller.Partition, op.Cancellation).ConfigureAwait(false);
        return role is null
            ? await CreateRoleAsync(name, cluster, account, caller, op, changes).ConfigureAwait(false)
            : await CompleteRoleAsync(role, cluster, account, caller.Partition, options.RoleName is not null, op, changes).ConfigureAwait(false);
    }

    private async Task<IamRole?> FindRoleAsync(string name, string partition, CancellationToken cancellation)
    {
        try
        {
            return await AwsErrors.CallAsync("iam:GetRole", name, ct => _clients.Iam(partition).GetRoleAsync(name, ct), cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == "RoleNotFound")
        {
            return null;
        }
    }

    private async Task<GrantRole> CreateRoleAsync(string name, CmekCluster cluster, string account, AwsCaller caller, Operation op, List<string> changes)
    {
        IReadOnlyDictionary<string, string> tags = AwsNames.Tags(cluster, null);
        PolicyDocument trust = PolicyDocument.Create(OurStatements.Trust(OurStatements.TrustSid(cluster), caller.Partition, account, op.Session.Organization.Id));
        string description = $"CockroachDB Cloud cluster {cluster.Name} uses its KMS keys as this role";
        JsonObject request = new()
        {
            ["RoleName"] = name,
            ["Description"] = description,
            ["AssumeRolePolicyDocument"] = trust.Root.DeepClone(),
            ["Tags"] = ToJson(tags),
        };
        IamRole? made = null;
        string planned = $"arn:{caller.Partition}:iam::{caller.Account}:role/{name}";
        PlannedChange change = new("iam:CreateRole", planned, $"make the role {name} for {cluster.Name} to assume", PolicyJson.Indented(request), null, request);
        await ChangeAsync(op, changes, change, async cancellation => made = await AwsErrors.CallAsync(
            "iam:CreateRole",
            name,
            ct => _clients.Iam(caller.Partition).CreateRoleAsync(name, trust.Text(), description, tags, ct),
            cancellation).ConfigureAwait(false)).ConfigureAwait(false);
        return made is null ? new GrantRole(planned, null, false, true) : new GrantRole(made.Arn, made.Id, true, false);
    }

    private async Task<GrantRole> CompleteRoleAsync(
        IamRole role, CmekCluster cluster, string account, string partition, bool named, Operation op, List<string> changes)
    {
        bool mayBeNew = role.CreatedAt is { } made && op.Session.Time.GetUtcNow() - made < op.Timings.PropagationLimit;
        GrantRole result = new(role.Arn, role.Id, mayBeNew, false);
        PolicyDocument trust = PolicyDocument.Parse(role.TrustPolicy, role.Arn);
        TrustVerdict verdict = JudgeTrust(trust, account, op.Session.Organization.Id, op.Session.Time.GetUtcNow());
        if (verdict is { Allowed: true, NeedsExternalId: true })
        {
            return result;
        }

        bool ours = role.Tags.GetValueOrDefault(AwsNames.ClusterIdTag) == cluster.Id;
        if (!ours && !named)
        {
            throw new CmekException(
                "RoleExists",
                CmekErrorKind.ResourceExists,
                $"The role {role.Arn} has the name that belongs to {cluster.Name}, but does not carry its tags and does not trust its account. Nothing was changed.",
                $"Give another name with -RoleName, or name this one with -RoleName {role.Name} to have the trust added to it.",
                role.Arn);
        }

        PolicyDocument after = WithTrust(trust, cluster, partition, account, op.Session.Organization.Id);
        TrustVerdict then = JudgeTrust(after, account, op.Session.Organization.Id, op.Session.Time.GetUtcNow());
        if (then.Allowed == false)
        {
            throw TrustInvalid(role.Arn, cluster, then, $"Take the Deny out of the trust policy, or give another name with -RoleName.");
        }

        if (!then.NeedsExternalId)
        {
            await op.Host.WarningAsync($"The role {role.Arn} can be assumed without the organization's id as external ID: {then.Reason}. That statement is not CmekTools', so it was left alone.").ConfigureAwait(false);
        }

        if (JsonNode.DeepEquals(trust.Root, after.Root))
        {
            return result;
        }

        PlannedChange change = new(
            "iam:UpdateAssumeRolePolicy", role.Arn, $"let the account {account} of {cluster.Name} assume the role", PolicyJson.Diff(trust.Root, after.Root), trust.Root.DeepClone(), after.Root.DeepClone());
        bool written = await ChangeAsync(op, changes, change, async cancellation =>
        {
            await AwsErrors.CallAsync(
                "iam:UpdateAssumeRolePolicy", role.Arn, ct => _clients.Iam(partition).UpdateAssumeRolePolicyAsync(role.Name, after.Text(), ct), cancellation).ConfigureAwait(false);
            await TrustReadBackAsync(role, partition, after, op, cancellation).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return result with { Planned = !written };
    }

    private async Task TrustReadBackAsync(IamRole role, string partition, PolicyDocument sent, Operation op, CancellationToken cancellation)
    {
        for (int attempt = 0; attempt < ReadBackTries; attempt++)
        {
            IamRole now = await AwsErrors.CallAsync("iam:GetRole", role.Arn, ct => _clients.Iam(partition).GetRoleAsync(role.Name, ct), cancellation).ConfigureAwait(false);
            if (PolicyDocument.Parse(now.TrustPolicy, role.Arn).Same(sent))
            {
                return;
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }

        throw new CmekException(
            "PolicyNotAsWritten", CmekErrorKind.InvalidData, $"The trust policy of {role.Arn} does not read as it was written.", "Look at the policy, then run the command again: it changes only what is missing.", role.Arn);
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
    private async Task<GrantRole> CheckGivenRoleAsync(string arn, CmekCluster cluster, string account, Operation op)
    {
        ValidatePrincipal(arn);
        RoleArn role = AwsNames.TryParseRole(arn)!;
        IamRole? seen;
        try
        {
            AwsCaller caller = await _clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation).ConfigureAwait(false);
            if (caller.Account != role.Account)
            {
                await op.Host.WarningAsync($"The role {arn} is in another account ({role.Account}) than the caller ({caller.Account}), so its trust was not checked. It also needs a policy of its own there that allows the key.").ConfigureAwait(false);
                return new GrantRole(arn, null, false, false);
            }

            seen = await FindRoleAsync(role.Name, role.Partition, op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.AccessDenied)
        {
            await op.Host.WarningAsync($"The trust of the role {arn} was not checked: {e.Message}").ConfigureAwait(false);
            return new GrantRole(arn, null, false, false);
        }

        if (seen is null)
        {
            throw new CmekException(
                "RoleNotFound", CmekErrorKind.ObjectNotFound, $"There is no role {arn}.", "Look at the ARN, or leave -RoleArn out to have a role made.", arn);
        }

        TrustVerdict verdict = JudgeTrust(PolicyDocument.Parse(seen.TrustPolicy, arn), account, op.Session.Organization.Id, op.Session.Time.GetUtcNow());
        if (verdict.Allowed == false)
        {
            string wanted = PolicyJson.Compact(OurStatements.Trust(OurStatements.TrustSid(cluster), role.Partition, account, op.Session.Organization.Id));
            throw TrustInvalid(arn, cluster, verdict, $"Have whoever manages the role add this statement to its trust policy: {wanted}");
        }

        if (verdict.Allowed is null || !verdict.NeedsExternalId)
        {
            await op.Host.WarningAsync($"The trust of {arn} is not what it should be: {verdict.Reason}.").ConfigureAwait(false);
        }

        return new GrantRole(seen.Arn, seen.Id, false, false);
    }

    private static CmekException TrustInvalid(string arn, CmekCluster cluster, TrustVerdict verdict, string action) => new(
        "RoleTrustInvalid",
        CmekErrorKind.InvalidOperation,
        $"The role {arn} does not let the account {cluster.AccountId} of {cluster.Name} assume it with the organization's id as external ID: {verdict.Reason}.",
        action,
        arn);

    /// <summary>Whether the cluster's account may assume a role.</summary>
    /// <param name="Allowed">True, false, or null where it hangs on what cannot be seen.</param>
    /// <param name="NeedsExternalId">True where the right external ID is needed.</param>
    /// <param name="AllowedWithoutConditions">True where only conditions (the external ID first of all) are in the way.</param>
    /// <param name="Reason">Why.</param>
    internal sealed record TrustVerdict(bool? Allowed, bool NeedsExternalId, bool AllowedWithoutConditions, string Reason);

    internal static TrustVerdict JudgeTrust(PolicyDocument trust, string account, string externalId, DateTimeOffset now)
    {
        PolicyPrincipal who = new(account);
        PolicyDecision right = PolicyEvaluator.Resource(trust, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, externalId, now));
        PolicyDecision none = PolicyEvaluator.Resource(trust, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, null, now));
        PolicyDecision other = PolicyEvaluator.Resource(trust, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, "an-external-id-of-somebody-else", now));
        bool open = none.Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated || other.Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated;
        PolicyDocument bare = trust.Clone();
        foreach (JsonObject statement in bare.Statements)
        {
            statement.Remove("Condition");
        }

        bool withoutConditions = PolicyEvaluator.Resource(bare, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, externalId, now)).Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated;
        bool? allowed = right.Answer switch
        {
            PolicyAnswer.Allowed or PolicyAnswer.Delegated => true,
            PolicyAnswer.Unknown => null,
            _ => false,
        };
        string reason = open && allowed == true ? $"{(none.Answer is PolicyAnswer.Allowed ? none : other).Reason} whatever the external ID is" : right.Reason;
        return new TrustVerdict(allowed, !open, withoutConditions, reason);
    }
}
