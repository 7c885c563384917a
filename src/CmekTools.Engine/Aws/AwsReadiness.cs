using System.Text;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Whether whoever runs this could cut a key off now. Reads only.</summary>
internal sealed class AwsReadiness(AwsClients clients, AwsKeyReader reader, AwsOtherAccess otherAccess)
{
    private static readonly TimeSpan s_soon = TimeSpan.FromHours(1);

    // What says nothing of a user where the evaluator takes every caller for a role's session.
    private static readonly string[] s_ofUsers = ["aws:username", "aws:userid", "aws:PrincipalType", "aws:MultiFactorAuth"];

    /// <summary>Who calls, and until when: one request to STS.</summary>
    /// <exception cref="CmekException">There are no credentials, or they are refused.</exception>
    public async Task<CallerStanding> CallerAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        AwsCaller caller = await clients.CallerAsync(key.Region, op.Cancellation).ConfigureAwait(false);
        AwsCredentialEnd end = await clients.CredentialEndAsync(op.Cancellation).ConfigureAwait(false);
        string renew = "Sign in again before they end, or run this with credentials that are renewed by themselves (a role, `aws sso "
            + "login`).";
        return end switch
        {
            { At: { } at } when at - op.Session.Time.GetUtcNow() is var left => left < s_soon && !end.Renewed
                ? new CallerStanding(
                    CmekCheckResult.Warn,
                    caller.Arn,
                    $"{caller.Arn}, for {Math.Max(0, left.TotalMinutes):0} minutes more (until {at:u})",
                    renew)
                : new CallerStanding(
                    CmekCheckResult.Pass,
                    caller.Arn,
                    $"{caller.Arn}, {(end.Renewed ? "renewed by itself" : $"until {at:u}")}"),
            { Temporary: true } => new CallerStanding(
                CmekCheckResult.Warn, caller.Arn, $"{caller.Arn}, by temporary credentials; when they end they do not say", renew),
            _ => new CallerStanding(CmekCheckResult.Pass, caller.Arn, $"{caller.Arn}, by a key that does not end"),
        };
    }

    /// <summary>What a cut of a key needs.</summary>
    /// <param name="targets">The accesses to one key.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException">KMS of the key's region cannot be reached.</exception>
    public async Task<IReadOnlyList<CmekCheck>> CheckAsync(IReadOnlyList<AccessTarget> targets, Operation op)
    {
        AccessTarget first = targets[0];
        KeyArn key = AwsInput.ParseKey(first.KeyUri);
        long start = op.Session.Time.GetTimestamp();
        Task<Evidence<PolicyDocument>> reading = AwsEvidence.ReadAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Evidence<IReadOnlyList<KeyGrant>>> listing = AwsEvidence.TryReadAsync(otherAccess.GrantsAsync(key, op.Cancellation));
        Evidence<KeyMetadata> data = await AwsEvidence.ReadAsync(
            reader.DescribeAsync(key.Text, key.Region, op.Cancellation)).ConfigureAwait(false);
        List<CmekCheck> checks =
        [
            CutChecks.Answered(first, $"KMS in {key.Region}", op.Session.Time.GetElapsedTime(start)),
        ];
        Evidence<PolicyDocument> policy = await reading.ConfigureAwait(false);
        Evidence<IReadOnlyList<KeyGrant>> grants = await listing.ConfigureAwait(false);
        if (data.Missing || policy.Missing)
        {
            checks.Add(CutChecks.KeyMissing(
                targets,
                $"KMS finds no key {key.Text} for these credentials: a cut would prove nothing.",
                $"Look whether the account {key.Account} and the endpoint of {key.Region} are the right ones: aws kms describe-key "
                    + $"--key-id {key.Text} --region {key.Region}"));
            return checks;
        }

        if (data.Value is { } known && AwsKeyReader.ToState(known) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion)
        {
            checks.Add(Make("CutKey", CmekCheckResult.Pass, $"The key is {AwsKeyReader.ToState(known)}: nobody can use it."));
            return checks;
        }

        checks.Add(await WriteAsync(first, key, policy, op).ConfigureAwait(false));
        if (policy.Value is { } document)
        {
            checks.AddRange(Room(targets, key, document));
        }

        checks.Add(grants.Value is null
            ? Make(
                "CutGrants",
                CmekCheckResult.Unknown,
                $"{grants.Why} A cut could not say that the key is cut, for a grant may open it.",
                $"Have kms:ListGrants and kms:RevokeGrant on {key.Text} granted to whoever runs this.")
            : Make(
                "CutGrants",
                CmekCheckResult.Pass,
                $"The grants can be read; {grants.Value.Count(g => g.Opens)} of {grants.Value.Count} open the key."));
        return checks;

        CmekCheck Make(
            string name,
            CmekCheckResult result,
            string seen,
            string? remedy = null) => first.Check(name, result, key.Text, seen, remedy);
    }

    // The policy as the cut would write it: does it fit, and does KMS take it?
    private static IEnumerable<CmekCheck> Room(IReadOnlyList<AccessTarget> targets, KeyArn key, PolicyDocument document)
    {
        AccessTarget first = targets[0];
        PolicyDocument after = document.Clone();
        foreach (AccessTarget target in targets)
        {
            OurPolicyEdits.Cut(after, target.Cluster, AwsInput.ParseRole(target.AuthPrincipal).Text);
        }

        int size = Encoding.UTF8.GetByteCount(after.Text());
        yield return size <= PolicyDocument.SizeLimit
            ? first.Check(
                "CutPolicyRoom",
                CmekCheckResult.Pass,
                key.Text,
                $"With the Deny the policy has {size} of {PolicyDocument.SizeLimit} bytes.")
            : first.Check(
                "CutPolicyRoom",
                CmekCheckResult.Fail,
                key.Text,
                $"With the Deny the policy would have {size} bytes; KMS takes {PolicyDocument.SizeLimit}. A cut would disable the key, "
                    + "which stops everybody who uses it.",
                "Take statements out that nobody needs any more, or join statements that differ in their principals only.");
        List<string> dead = OurPolicyEdits.DeadPrincipals(document);
        yield return dead.Count == 0
            ? first.Check("CutDeadIds", CmekCheckResult.Pass, key.Text, "No statement names a deleted principal.")
            : first.Check(
                "CutDeadIds",
                CmekCheckResult.Warn,
                key.Text,
                $"Statements name deleted principals, so that KMS takes no new policy: {string.Join(", ", dead)}. A cut writes the "
                    + "policy without them.",
                "Take the dead ids out of the policy.");
    }

    // PutKeyPolicy has no dry run: the key policy is judged here, the caller's own policies by IAM's simulator.
    private async Task<CmekCheck> WriteAsync(AccessTarget target, KeyArn key, Evidence<PolicyDocument> policy, Operation op)
    {
        AwsCaller caller = await clients.CallerAsync(key.Region, op.Cancellation).ConfigureAwait(false);
        Grounds write = await MayAsync("kms:PutKeyPolicy", key, policy, caller, op).ConfigureAwait(false);
        if (write.Decision == Decision.Allowed && policy.Value is not null)
        {
            return target.Check("CutPolicyWrite", CmekCheckResult.Pass, key.Text, $"{caller.Arn} may write the key policy: {write.Why}.");
        }

        string remedy = $"Have kms:GetKeyPolicy and kms:PutKeyPolicy on {key.Text} granted to whoever runs this, and "
            + "iam:SimulatePrincipalPolicy so that it can be seen.";
        string why = policy.Value is null ? $"the policy cannot be read: {policy.Why}" : write.Why;
        if (caller.Account != key.Account)
        {
            return target.Check(
                "CutPolicyWrite",
                CmekCheckResult.Fail,
                key.Text,
                $"The key is in the account {key.Account}, {caller.Arn} in {caller.Account}: a key's policy can be written from its own "
                    + "account only, and the key be disabled from there only.",
                $"Run this with credentials of the account {key.Account}.");
        }

        if (policy.Value is not null && write.Decision is Decision.Unread or Decision.Perhaps)
        {
            return target.Check(
                "CutPolicyWrite",
                CmekCheckResult.Unknown,
                key.Text,
                $"Whether {caller.Arn} may write the key policy cannot be seen: {why}.",
                remedy);
        }

        Grounds disable = await MayAsync("kms:DisableKey", key, policy, caller, op).ConfigureAwait(false);
        string seen = disable.Decision switch
        {
            Decision.Allowed =>
                $"{caller.Arn} may not write the key policy ({why}), but may disable the key: a cut would do that, and stop everybody "
                    + "who uses it.",
            Decision.Denied or Decision.Missing =>
                $"{caller.Arn} may neither write the key policy ({why}) nor disable the key ({disable.Why}).",
            _ => $"{caller.Arn} may not write the key policy ({why}); whether it may disable the key cannot be seen: {disable.Why}.",
        };
        return target.Check("CutPolicyWrite", CutChecks.PolicyWrite(write.Decision, disable.Decision), key.Text, seen, remedy);
    }

    private async Task<Grounds> MayAsync(string action, KeyArn key, Evidence<PolicyDocument> policy, AwsCaller caller, Operation op)
    {
        if (policy.Value is not { } document)
        {
            return new Grounds(Decision.Unread, "the key policy could not be read");
        }

        bool root = caller.Arn.EndsWith(":root", StringComparison.Ordinal);
        bool session = caller.Arn.Contains(":assumed-role/", StringComparison.Ordinal);
        if (!root && !session && s_ofUsers.Any(k => document.Text().Contains(k, StringComparison.OrdinalIgnoreCase)))
        {
            return new Grounds(Decision.Perhaps, "the key policy hangs on what a user is");
        }

        Evidence<string> source = session
            ? await RoleOfAsync(caller, op).ConfigureAwait(false)
            : new Evidence<string>(caller.Arn, false, null);
        if (source.Value is not { } principal)
        {
            return new Grounds(Decision.Unread, $"the role of {caller.Arn} could not be read: {source.Why}");
        }

        PolicyPrincipal who = root
            ? new PolicyPrincipal(caller.Account)
            : new PolicyPrincipal(caller.Account, principal) { Boundary = Presence.Unknown };
        PolicyDecision byKey = PolicyEvaluator.Resource(
            document,
            who,
            action,
            key.Text,
            PolicyContext.ForKey(key, who, op.Session.Time.GetUtcNow()));
        if (byKey.Answer is PolicyAnswer.Denied or PolicyAnswer.NotAllowed)
        {
            return new Grounds(Decision.Denied, byKey.Reason);
        }

        if (byKey.Answer == PolicyAnswer.Unknown)
        {
            return new Grounds(Decision.Perhaps, byKey.Reason);
        }

        if (root)
        {
            return new Grounds(Decision.Allowed, byKey.Reason);
        }

        Evidence<IReadOnlyList<SimulatedCall>> own = await AwsEvidence.TryReadAsync(AwsErrors.CallAsync(
            "iam:SimulatePrincipalPolicy",
            principal,
            ct => clients.Iam(key.Partition).SimulateAsync(principal, [action], key, ct),
            op.Cancellation)).ConfigureAwait(false);
        if (own.Value is not { Count: > 0 } answers)
        {
            return new Grounds(Decision.Unread, $"IAM did not say what the caller's own policies allow: {own.Why}");
        }

        // What the key policy gives to the caller itself needs no Allow of its own; a Deny counts all the same.
        SimulatedCall simulated = answers[0];
        bool needsOwn = byKey.Answer != PolicyAnswer.Allowed;
        return simulated.Answer(needsOwn) switch
        {
            SimulatedAnswer.AsksForMore => new Grounds(
                Decision.Perhaps,
                $"the caller's own policies hang on {string.Join(", ", simulated.Missing)}"),
            SimulatedAnswer.StoppedByOrganization => new Grounds(
                Decision.Denied,
                $"IAM says that the organization's service control policies do not allow {action} to {principal}"),
            // A boundary does not limit what a key policy gives to a user or to one session by its own ARN.
            SimulatedAnswer.StoppedByBoundary when !needsOwn => new Grounds(
                Decision.Perhaps,
                $"IAM says that the permissions boundary of {principal} does not allow {action}"),
            SimulatedAnswer.Allowed => new Grounds(Decision.Allowed, $"the key policy and the caller's own policies allow {action}"),
            SimulatedAnswer.NotStopped => new Grounds(Decision.Allowed, byKey.Reason),
            _ => new Grounds(Decision.Denied, $"{byKey.Reason}, and IAM says {simulated.Decision} to {action} for {principal}"),
        };
    }

    // A session's ARN leaves the role's path out.
    private async Task<Evidence<string>> RoleOfAsync(AwsCaller caller, Operation op)
    {
        string name = caller.Arn.Split('/')[1];
        Evidence<IamRole> role = await AwsEvidence.TryReadAsync(AwsErrors.CallAsync(
            "iam:GetRole", name, ct => clients.Iam(caller.Partition).GetRoleAsync(name, ct), op.Cancellation)).ConfigureAwait(false);
        return new Evidence<string>(role.Value?.Arn, role.Missing, role.Why);
    }

    private sealed record Grounds(Decision Decision, string Why);
}
