using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Whether a role can use a key, by everything that can be read.</summary>
internal sealed class AwsDecisions(AwsKeyReader reader)
{
    public async Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn? role = AwsNames.TryParseRole(target.AuthPrincipal);
        if (role is null)
        {
            AwsInput.ValidatePrincipal(target.AuthPrincipal);
        }

        Task<Seen<PolicyDocument>> policy = AwsKeyReader.LookAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Seen<Amazon.KeyManagementService.Model.KeyMetadata>> data = AwsKeyReader.LookAsync(
            reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Seen<IamRole>> iam = AwsKeyReader.LookAsync(reader.RoleAsync(role!, op));
        Task<RolePolicies> own = reader.RolePoliciesAsync(role!, op);
        Task<Seen<PolicyDocument>?> boundary = reader.BoundaryAsync(iam, role!, op);
        await Task.WhenAll(policy, data, iam, own, boundary).ConfigureAwait(false);
        AccessDecision decision = Judge(
            key,
            role!,
            await policy.ConfigureAwait(false),
            await data.ConfigureAwait(false),
            await iam.ConfigureAwait(false),
            await own.ConfigureAwait(false),
            op.Session.Time.GetUtcNow());
        return await boundary.ConfigureAwait(false) is { } limit
            ? Within(limit, decision, key, role!, (await iam.ConfigureAwait(false)).Value?.Id, op)
            : decision;
    }

    // A boundary gives nothing, but what it does not allow the role cannot do, whoever else allows it.
    private static AccessDecision Within(
        Seen<PolicyDocument> limit,
        AccessDecision decision,
        KeyArn key,
        RoleArn role,
        string? roleId,
        Operation op)
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

        PolicyContext context = PolicyContext.ForKey(
            key,
            new PolicyPrincipal(role.Account, role.Text, roleId),
            op.Session.Time.GetUtcNow());
        PolicyDecision[] uses = [.. OurStatements.Calls.Select(c => PolicyEvaluator.Identity(boundary, c, key.Text, context))];
        PolicyDecision[] reads = [.. s_reading.Select(c => PolicyEvaluator.Identity(boundary, c, key.Text, context))];
        Decision use = uses.Select(ToDecision).Aggregate(Decision.Allowed, AccessDecision.Both);
        Decision read = reads.Select(ToDecision).Aggregate(Decision.Denied, AccessDecision.Either);
        PolicyDecision? reason = uses.FirstOrDefault(
            d => d.Answer is PolicyAnswer.Denied or PolicyAnswer.NotAllowed) ?? uses.FirstOrDefault(d => d.Answer == PolicyAnswer.Unknown);
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
        KeyArn key,
        RoleArn role,
        Seen<PolicyDocument> policy,
        Seen<Amazon.KeyManagementService.Model.KeyMetadata> data,
        Seen<IamRole> iam,
        RolePolicies own,
        DateTimeOffset now)
    {
        if (data.Missing || policy.Missing)
        {
            return AccessDecision.Of(
                Decision.Missing,
                $"KMS finds no key {key.Text} (in another account, or at another endpoint, it may be there)");
        }

        bool off = data.Value is { } metadata
            && AwsKeyReader.ToState(metadata) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion or CmekKeyState.Destroyed;
        if (off)
        {
            return AccessDecision.Of(
                Decision.Denied,
                $"the key's state is {AwsKeyReader.ToState(data.Value!)}") with { ExplicitlyStopped = true };
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
        else if (AwsKeyReader.ToState(data.Value) is not CmekKeyState.Enabled and var state)
        {
            use = Decision.Denied;
            reasons.Add($"the key's state is {state}");
        }

        if (iam.Missing)
        {
            use = Decision.Denied;
            reasons.Add($"there is no role {role.Text}");
        }

        return new AccessDecision(
            use,
            read,
            [.. reasons.Distinct()]) { ExplicitlyStopped = reads.All(d => d.Answer == PolicyAnswer.Denied) };
    }

    /// <summary>The key policy and the role's own policies together, for one call.</summary>
    public static PolicyDecision DecideCall(
        PolicyDocument policy,
        KeyArn key,
        RoleArn role,
        string? roleId,
        RolePolicies own,
        string call,
        DateTimeOffset now)
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
            _ => byRole with { Reason = byKey.Answer == PolicyAnswer.Allowed ? "the role is in another account than the key, and its "
                + $"own policies do not allow {call}" : $"{byKey.Reason}, and the role's own policies do not allow it" },
        };
    }
}
