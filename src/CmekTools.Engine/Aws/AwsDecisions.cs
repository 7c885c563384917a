using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Whether a role can use a key, by everything that can be read.</summary>
internal sealed class AwsDecisions(AwsKeyReader reader, AwsRoleReader roles, AwsOtherAccess otherAccess)
{
    private const string Replicate = "kms:ReplicateKey";
    private static readonly string[] s_reading = ["kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:CreateGrant"];

    /// <summary>
    /// Reads key policy, state, grants, role, the role's policies and its boundary side by side, and decides. What a Deny of the key
    /// policy or the key's state
    /// stops already waits for nothing else.
    /// </summary>
    /// <exception cref="CmekException">A failure that heals, such as a service that cannot be reached, of the key itself.</exception>
    public async Task<AccessDecision> EvaluateAsync(AccessTarget target, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);
        using CancellationTokenSource rest = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
        Task<Evidence<PolicyDocument>> policy = AwsEvidence.ReadAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Evidence<KeyMetadata>> data = AwsEvidence.ReadAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Evidence<IReadOnlyList<KeyGrant>>> grants = AwsEvidence.TryReadAsync(otherAccess.GrantsAsync(key, rest.Token));
        Task<AwsRoleEvidence> principal = roles.RoleEvidenceAsync(role, rest.Token);
        try
        {
            await Task.WhenAll(policy, data).ConfigureAwait(false);
            DateTimeOffset now = op.Session.Time.GetUtcNow();
            Evidence<PolicyDocument> read = await policy.ConfigureAwait(false);
            Evidence<KeyMetadata> state = await data.ConfigureAwait(false);
            if (Stopped(key, role, read, state, now) is { } stopped)
            {
                return BesideTheRole(stopped, target, key, read, state, now);
            }

            AwsRoleEvidence found = await principal.ConfigureAwait(false);
            AccessDecision decision = Decide(found.Access(key, read, await grants.ConfigureAwait(false), now), state, found.Role.Missing);
            return BesideTheRole(decision, target, key, read, state, now);
        }
        finally
        {
            // What is not waited for is ended, and its failure is nobody's.
            await rest.CancelAsync().ConfigureAwait(false);
            _ = grants.ContinueWith(t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            _ = principal.ContinueWith(
                t => t.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted,
                TaskScheduler.Default);
        }
    }

    /// <summary>Decides by what was read.</summary>
    /// <param name="access">Policies and grants.</param>
    /// <param name="state">The key.</param>
    /// <param name="roleMissing">True where IAM knows no such role: it can make no call, and proves nothing of who can.</param>
    internal static AccessDecision Decide(RoleKeyEvidence access, Evidence<KeyMetadata> state, bool roleMissing)
    {
        PermissionDecision[] uses = [.. OurStatements.Calls.Select(c => RoleKeyEvaluator.Decide(access, c))];
        PermissionDecision[] reads = [.. Reading(access).Select(c => DecideReading(access, c))];
        PermissionDecision? on = SwitchesOn(access, state);
        if (on?.Decision == Decision.Denied)
        {
            return Off(state);
        }

        Decision use = uses.Select(d => d.Decision).Aggregate(Decision.Allowed, AccessDecision.Both);
        Decision read = reads.Select(d => d.Decision).Aggregate(Decision.Denied, AccessDecision.Either);
        List<string> reasons =
        [
            .. uses.Where(d => use == Decision.Allowed || d.Decision != Decision.Allowed).Select(d => d.Reason),
            .. reads.Where(d => use != Decision.Allowed && d.Decision != Decision.Denied).Select(d => d.Reason),
        ];
        if (state.Value is null)
        {
            use = AccessDecision.Both(use, Decision.Unread);
            reasons.Add("the key's state could not be read: " + state.Why);
        }
        else if (AwsKeyReader.ToState(state.Value) is not CmekKeyState.Enabled and var is_)
        {
            use = Decision.Denied;
            reasons.Add($"the key's state is {is_}");
        }

        if (on is not null)
        {
            read = AccessDecision.Both(read, on.Decision);
            reasons.Add($"the role may be able to switch the key on again: {on.Reason}");
        }

        if (roleMissing)
        {
            use = Decision.Denied;
            reasons.Add($"there is no role {access.Role.Text}");
        }

        return new AccessDecision(use, read, [.. reasons.Distinct()]) { ExplicitlyStopped = reads.All(d => d.Explicit) };
    }

    // A key policy may name the cluster's own account, which then reads without the role: a cut of the role does not stop that.
    private static AccessDecision BesideTheRole(
        AccessDecision decision,
        AccessTarget target,
        KeyArn key,
        Evidence<PolicyDocument> policy,
        Evidence<KeyMetadata> data,
        DateTimeOffset now)
    {
        if (IsOff(data) || policy.Value is not { } document)
        {
            return decision;
        }

        if (!target.KnowsAccount)
        {
            // Any other account that is let in may be the cluster's.
            return Accounts(document).Where(a => a != key.Account).Aggregate(
                decision,
                (d, account) => ByAccount(d, account, key, document, now) is var by && by.Read == Decision.Allowed
                    ? by with { Read = AccessDecision.Either(d.Read, Decision.Perhaps) }
                    : by);
        }

        return target.Cluster.AccountId is not { Length: 12 } own || own == key.Account
            ? decision
            : ByAccount(decision, own, key, document, now);
    }

    // Everybody is somebody of whom nothing is known.
    private static IEnumerable<string> Accounts(PolicyDocument policy) => policy.Statements
        .SelectMany(
            s => s["Principal"] is System.Text.Json.Nodes.JsonObject p ? PolicyJson.Strings(p["AWS"]) : PolicyJson.Strings(s["Principal"]))
        .Select(p => p switch
        {
            "*" => "000000000000",
            { Length: 12 } when p.All(char.IsAsciiDigit) => p,
            _ => p.Split(':') is [_, _, _, _, { Length: 12 } account, ..] ? account : string.Empty,
        })
        .Append("000000000000")
        .Where(a => a.Length == 12).Distinct();

    private static AccessDecision ByAccount(
        AccessDecision decision,
        string account,
        KeyArn key,
        PolicyDocument document,
        DateTimeOffset now)
    {
        PolicyPrincipal who = new(account);
        PolicyContext context = PolicyContext.ForKey(key, who, now);
        foreach (string call in s_reading)
        {
            PolicyFindings findings = PolicyEvaluator.OfResource(document, who, call, key.Text, context);
            if (findings.Allow is { } allow && findings.Denied is not { Lasts: true })
            {
                Decision read = allow.Certainty == Certainty.Yes ? Decision.Allowed : Decision.Perhaps;
                string lets = $"of the key policy {(read == Decision.Allowed ? "lets" : "may let")} the cluster's own account {account}";
                return decision with
                {
                    Read = AccessDecision.Either(decision.Read, read),
                    ExplicitlyStopped = false,
                    Reasons =
                    [
                        $"{PolicyEvaluator.Name(allow.Statement)} {lets} make {call}, without the role",
                        .. decision.Reasons,
                    ],
                };
            }
        }

        return decision;
    }

    // What stops every reading call whatever the role's side says.
    private static AccessDecision? Stopped(
        KeyArn key,
        RoleArn role,
        Evidence<PolicyDocument> policy,
        Evidence<KeyMetadata> data,
        DateTimeOffset now)
    {
        if (data.Missing || policy.Missing)
        {
            return AccessDecision.Of(
                Decision.Missing,
                $"KMS finds no key {key.Text} (in another account, or at another endpoint, it may be there)");
        }

        // A key is switched on from its own account only: a role of that account is looked at before a key that is off proves anything.
        if (IsOff(data) && key.Account != role.Account)
        {
            return Off(data);
        }

        if (policy.Value is null)
        {
            return null;
        }

        RoleKeyEvidence access = new(
            key,
            role,
            null,
            policy,
            new RolePolicies([], "not looked at"),
            null,
            Presence.Unknown,
            new Evidence<IReadOnlyList<KeyGrant>>(null, false, "not looked at"),
            now);
        AccessDecision decision = Decide(access, data, roleMissing: false);
        return decision.ExplicitlyStopped ? decision with { Use = Decision.Denied, Reasons = Explicit(access) } : null;
    }

    private static bool IsOff(Evidence<KeyMetadata> data) =>
        data.Value is { } metadata && AwsKeyReader.ToState(metadata) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion;

    private static AccessDecision Off(Evidence<KeyMetadata> data) =>
        AccessDecision.Of(Decision.Denied, $"the key's state is {AwsKeyReader.ToState(data.Value!)}") with { ExplicitlyStopped = true };

    // Whether the role can bring a key back that is off; null for one that is on. A deletion is cancelled first, and leaves it disabled.
    private static PermissionDecision? SwitchesOn(RoleKeyEvidence access, Evidence<KeyMetadata> state)
    {
        if (!IsOff(state))
        {
            return null;
        }

        PermissionDecision sets = RoleKeyEvaluator.Decide(access, "kms:PutKeyPolicy");
        string[] calls = AwsKeyReader.ToState(state.Value!) == CmekKeyState.Disabled
            ? ["kms:EnableKey"]
            : ["kms:CancelKeyDeletion", "kms:EnableKey"];
        return access.Key.Account != access.Role.Account
            ? new PermissionDecision(Decision.Denied, "a key is switched on from its own account only")
            : calls.Select(c => RoleKeyEvaluator.Decide(access, c))
                .Select(d => d.Decision >= sets.Decision ? d : sets)
                .MinBy(d => d.Decision);
    }

    private static IReadOnlyList<string> Explicit(RoleKeyEvidence access) =>
        [.. Reading(access).Select(c => RoleKeyEvaluator.Decide(access, c).Reason).Distinct()];

    // A key policy can be changed, and a copy made that has a policy of its own, from the key's own account only.
    private static IEnumerable<string> Reading(RoleKeyEvidence access) => access.Key.Account != access.Role.Account
        ? s_reading
        : access.Key.MultiRegion ? [.. s_reading, "kms:PutKeyPolicy", Replicate] : s_reading.Append("kms:PutKeyPolicy");

    // A copy takes kms:CreateKey in its region too, which is not looked at.
    private static PermissionDecision DecideReading(RoleKeyEvidence access, string call) =>
        RoleKeyEvaluator.Decide(access, call) is var decided && call == Replicate
            ? decided with { Decision = AccessDecision.Both(decided.Decision, Decision.Perhaps) }
            : decided;
}
