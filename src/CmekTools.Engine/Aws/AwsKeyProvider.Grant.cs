using CmekTools.Engine.Aws.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>Giving a cluster's role the use of a key, and telling whether it has it.</summary>
internal sealed partial class AwsKeyProvider
{
    /// <inheritdoc/>
    public async Task<CmekAccess> GrantAsync(CmekCluster cluster, CmekKey key, string region, PrincipalOptions options, Operation op)
    {
        List<string> changes = [];
        KeyArn? arn = null;
        if (key.KeyUri is not null)
        {
            ValidateKeyUri(key.KeyUri, cluster, region);
            RequireUsable(key);
            arn = ParseKey(key.KeyUri);
            if (arn.Region != region)
            {
                await op.Host.WarningAsync($"The key {arn.Text} is in {arn.Region}, the cluster's region is {region}: an outage of {arn.Region} would stop {region} too.").ConfigureAwait(false);
            }

            // Before any write: an emergency revocation is not undone in passing.
            RequireNotRevoked(await PolicyAsync(arn, op.Cancellation).ConfigureAwait(false), cluster, arn, AwsNames.TryParseRole(options.RoleArn)?.Name ?? options.RoleName ?? AwsNames.RoleName(cluster));
        }

        GrantRole role = await EnsureRoleAsync(cluster, region, options, op, changes).ConfigureAwait(false);
        bool planned = role.Planned;
        if (arn is null)
        {
            JsonObject statement = OurStatements.Use(OurStatements.UseSid(cluster), role.Arn);
            await op.Host.ShouldProcessAsync($"the key to be made for {cluster.Name}/{region}", $"let {role.Arn} use the key{Environment.NewLine}{PolicyJson.Diff(null, statement)}").ConfigureAwait(false);
            planned = true;
        }
        else if (role.Planned)
        {
            PolicyDocument before = await PolicyAsync(arn, op.Cancellation).ConfigureAwait(false);
            PolicyDocument after = before.Clone();
            AllowUse(after, cluster, role.Arn, null);
            await op.Host.ShouldProcessAsync(arn.Text, $"let {role.Arn} use the key{Environment.NewLine}{PolicyJson.Diff(before.Root, after.Root)}").ConfigureAwait(false);
        }
        else
        {
            planned = !await EditPolicyAsync(
                arn,
                policy =>
                {
                    RequireNotRevoked(policy, cluster, arn, AwsNames.TryParseRole(role.Arn)?.Name);
                    AllowUse(policy, cluster, role.Arn, role.Id);
                },
                $"let {role.Arn} use the key",
                (role.Arn, role.Id),
                role.MayBeNew,
                op,
                changes).ConfigureAwait(false);
            await WarnOfBlocksAsync(arn, role, op, planned).ConfigureAwait(false);
        }

        return new CmekAccess
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = CmekProvider.AWS,
            Region = region,
            KeyUri = key.KeyUri,
            AuthPrincipal = role.Arn,
            Planned = planned,
            Changes = changes,
        };
    }

    /// <inheritdoc/>
    public async Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op)
    {
        KeyArn key = ParseKey(target.KeyUri);
        RoleArn? role = AwsNames.TryParseRole(target.AuthPrincipal);
        if (role is null)
        {
            ValidatePrincipal(target.AuthPrincipal);
        }

        Task<Seen<PolicyDocument>> policy = LookAsync(PolicyAsync(key, op.Cancellation));
        Task<Seen<Amazon.KeyManagementService.Model.KeyMetadata>> data = LookAsync(DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Seen<IamRole>> iam = LookAsync(RoleAsync(role!, op));
        Task<RolePolicies> own = RolePoliciesAsync(role!, op);
        Task<Seen<PolicyDocument>?> boundary = BoundaryAsync(iam, role!, op);
        await Task.WhenAll(policy, data, iam, own, boundary).ConfigureAwait(false);
        AccessDecision decision = Judge(key, role!, await policy.ConfigureAwait(false), await data.ConfigureAwait(false), await iam.ConfigureAwait(false), await own.ConfigureAwait(false), op.Session.Time.GetUtcNow());
        return await boundary.ConfigureAwait(false) is { } limit ? Within(limit, decision, key, role!, (await iam.ConfigureAwait(false)).Value?.Id, op) : decision;
    }

    // A boundary gives nothing, but what it does not allow the role cannot do, whoever else allows it.
    private static AccessDecision Within(Seen<PolicyDocument> limit, AccessDecision decision, KeyArn key, RoleArn role, string? roleId, Operation op)
    {
        if (limit.Value is not { } boundary)
        {
            Decision unread = Decision.Unread;
            return decision with
            {
                Use = AccessDecision.Both(decision.Use, unread),
                Read = decision.Read,
                Reasons = [.. decision.Reasons, "the role's permissions boundary could not be read: " + limit.Why],
            };
        }

        PolicyContext context = PolicyContext.ForKey(key, new PolicyPrincipal(role.Account, role.Text, roleId), op.Session.Time.GetUtcNow());
        PolicyDecision[] uses = [.. OurStatements.Calls.Select(c => PolicyEvaluator.Identity(boundary, c, key.Text, context))];
        PolicyDecision[] reads = [.. s_reading.Select(c => PolicyEvaluator.Identity(boundary, c, key.Text, context))];
        Decision use = uses.Select(ToDecision).Aggregate(Decision.Allowed, AccessDecision.Both);
        Decision read = reads.Select(ToDecision).Aggregate(Decision.Denied, AccessDecision.Either);
        PolicyDecision? reason = uses.FirstOrDefault(d => d.Answer is PolicyAnswer.Denied or PolicyAnswer.NotAllowed) ?? uses.FirstOrDefault(d => d.Answer == PolicyAnswer.Unknown);
        return decision with
        {
            Use = AccessDecision.Both(decision.Use, use),
            Read = AccessDecision.Both(decision.Read, read),
            Reasons = reason is null ? decision.Reasons : [.. decision.Reasons, "in the role's permissions boundary, " + reason.Reason],
        };
    }

    // The calls that open what was encrypted before, or that let their caller open it.
    private static readonly string[] s_reading = ["kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:CreateGrant"];

    private static Decision ToDecision(PolicyDecision decision) => decision.Answer switch
    {
        PolicyAnswer.Allowed => Decision.Allowed,
        PolicyAnswer.Unknown => Decision.Perhaps,
        _ => Decision.Denied,
    };

    private static AccessDecision Judge(
        KeyArn key, RoleArn role, Seen<PolicyDocument> policy, Seen<Amazon.KeyManagementService.Model.KeyMetadata> data, Seen<IamRole> iam, RolePolicies own, DateTimeOffset now)
    {
        if (data.Missing || policy.Missing)
        {
            return AccessDecision.Of(Decision.Missing, $"KMS finds no key {key.Text} (in another account, or at another endpoint, it may be there)");
        }

        bool off = data.Value is { } metadata && ToState(metadata) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion or CmekKeyState.Destroyed;
        if (off)
        {
            return AccessDecision.Of(Decision.Denied, $"the key's state is {ToState(data.Value!)}") with { ExplicitlyStopped = true };
        }

        if (policy.Value is null)
        {
            return AccessDecision.Of(Decision.Unread, "the key policy could not be read: " + policy.Why);
        }

        PolicyDecision[] uses = [.. OurStatements.Calls.Select(c => DecideCall(policy.Value, key, role, iam.Value?.Id, own, c, now))];
        PolicyDecision[] reads = [.. s_reading.Select(c => DecideCall(policy.Value, key, role, iam.Value?.Id, own, c, now))];
        Decision use = uses.Select(ToDecision).Aggregate(Decision.Allowed, AccessDecision.Both);
        Decision read = reads.Select(ToDecision).Aggregate(Decision.Denied, AccessDecision.Either);
        List<string> reasons = [.. uses.Where(d => use == Decision.Allowed || d.Answer != PolicyAnswer.Allowed).Select(d => d.Reason)];
        if (data.Value is null)
        {
            use = AccessDecision.Both(use, Decision.Unread);
            reasons.Add("the key's state could not be read: " + data.Why);
        }
        else if (ToState(data.Value) is not CmekKeyState.Enabled and var state)
        {
            use = Decision.Denied;
            reasons.Add($"the key's state is {state}");
        }

        if (iam.Missing)
        {
            use = Decision.Denied;
            reasons.Add($"there is no role {role.Text}");
        }

        return new AccessDecision(use, read, [.. reasons.Distinct()]) { ExplicitlyStopped = reads.All(d => d.Answer == PolicyAnswer.Denied) };
    }

    /// <summary>The key policy and the role's own policies together, for one call.</summary>
    private static PolicyDecision DecideCall(PolicyDocument policy, KeyArn key, RoleArn role, string? roleId, RolePolicies own, string call, DateTimeOffset now)
    {
        PolicyPrincipal who = new(role.Account, role.Text, roleId);
        PolicyContext context = PolicyContext.ForKey(key, who, now);
        PolicyDecision byKey = PolicyEvaluator.Resource(policy, who, call, key.Text, context);
        if (byKey.Answer is PolicyAnswer.Denied or PolicyAnswer.NotAllowed)
        {
            return byKey;
        }

        PolicyDecision byRole = own.Decide(call, key.Text, context);
        if (byRole.Answer == PolicyAnswer.Denied || byKey.Answer == PolicyAnswer.Unknown)
        {
            return byRole.Answer == PolicyAnswer.Denied ? byRole : byKey;
        }

        // A key in the role's own account needs one of the two to allow it; a key in another account needs both.
        if (byKey.Answer == PolicyAnswer.Allowed && key.Account == role.Account)
        {
            return byKey;
        }

        return byRole.Answer switch
        {
            PolicyAnswer.Allowed => byRole,
            _ when byKey.Perhaps is { } perhaps && key.Account == role.Account => perhaps,
            PolicyAnswer.Unknown => byRole,
            _ => byRole with { Reason = byKey.Answer == PolicyAnswer.Allowed ? $"the role is in another account than the key, and its own policies do not allow {call}" : $"{byKey.Reason}, and the role's own policies do not allow it" },
        };
    }

    private async Task WarnOfBlocksAsync(KeyArn key, GrantRole role, Operation op, bool planned)
    {
        if (planned)
        {
            return;
        }

        PolicyDocument policy = await PolicyAsync(key, op.Cancellation).ConfigureAwait(false);
        PolicyPrincipal who = new(AwsNames.TryParseRole(role.Arn)!.Account, role.Arn, role.Id);
        PolicyContext context = PolicyContext.ForKey(key, who, op.Session.Time.GetUtcNow());
        foreach (string reason in OurStatements.Calls.Select(c => PolicyEvaluator.Resource(policy, who, c, key.Text, context)).Where(d => d.Answer != PolicyAnswer.Allowed).Select(d => d.Reason).Distinct())
        {
            await op.Host.WarningAsync($"{key.Text}: {reason}. The cluster cannot count on this key. That statement is not CmekTools', so it was left alone.").ConfigureAwait(false);
        }
    }

    // Our statement exactly once, with exactly the five actions for exactly this role; the rest as it was.
    private static void AllowUse(PolicyDocument policy, CmekCluster cluster, string roleArn, string? roleId)
    {
        if (OurStatements.FindUse(policy, cluster, roleArn, roleId) is { } ours)
        {
            if (!OurStatements.SameActions(ours) || OurStatements.OnlyPrincipal(ours) is { } principal && principal != roleArn && principal != roleId)
            {
                policy.Replace(ours, OurStatements.Use(PolicyJson.Text(ours, "Sid")!, roleArn));
            }
        }
        else if (OurStatements.FindEqualUse(policy, roleArn) is null)
        {
            policy.Add(OurStatements.Use(policy.FreeSid(OurStatements.UseSid(cluster)), roleArn));
        }
    }

    // A new role in place of one that was cut off is another principal, and not stopped by the old one's Deny.
    private static void RequireNotRevoked(PolicyDocument policy, CmekCluster cluster, KeyArn key, string? roleName)
    {
        JsonObject? revoked = policy.Statements.FirstOrDefault(s => OurStatements.RevokedRole(s, cluster) is { } who && AwsNames.TryParseRole(who)?.Name == roleName);
        if (revoked is not null)
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"Access to {key.Text} was revoked: its policy holds the statement {PolicyJson.Text(revoked, "Sid")}, which Revoke-CmekAccess put there for {OurStatements.RevokedRole(revoked, cluster)}. A grant does not undo that.",
                $"Use Restore-CmekAccess -ClusterName {cluster.Name} to take the revocation back.",
                key.Text);
        }
    }
}
