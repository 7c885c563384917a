using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>The role: whether it is there, whom it trusts, and what limits it.</summary>
internal static class AwsRoleChecks
{
    /// <summary>The checks, in the order in which they are shown.</summary>
    public static IEnumerable<CmekCheck> Of(AwsAccessEvidence f)
    {
        if (f.Iam.Missing)
        {
            yield return f.OnRole("AwsRoleExists", CmekCheckResult.Fail, "IAM knows no such role", f.Grant);
            yield break;
        }

        if (f.Iam.Value is not { } role)
        {
            foreach (string name in new[] { "AwsRoleExists", "AwsRoleTrust", "AwsRoleExternalId", "AwsRoleBoundary" })
            {
                yield return f.OnRole(
                    name,
                    CmekCheckResult.Unknown,
                    f.Iam.Why!,
                    $"Have iam:GetRole on {f.Role.Text} granted to whoever runs this.");
            }

            yield break;
        }

        yield return f.OnRole("AwsRoleExists", CmekCheckResult.Pass, $"its unique id is {role.Id}");
        foreach (CmekCheck check in TrustChecks(f, role))
        {
            yield return check;
        }

        yield return BoundaryCheck(f, role);

        // Of the role's own policies only what denies counts here.
        PolicyFindings[] own = [.. OurStatements.Calls.Select(c => f.Principal.Own.Find(c, f.Key.Text, f.Access.Context))];
        string remedy = $"Take that Deny out of the policy of {f.Role.Text}.";
        yield return own.Select(p => p.Denied).FirstOrDefault(d => d is not null) is { } denied
            ? f.OnRole("AwsRolePolicies", CmekCheckResult.Fail, denied.Reason, remedy)
            : f.Principal.Own.Unseen is { } why
                ? f.OnRole(
                    "AwsRolePolicies",
                    CmekCheckResult.Unknown,
                    why,
                    "Have iam:ListRolePolicies, iam:GetRolePolicy, iam:ListAttachedRolePolicies and iam:GetPolicyVersion on "
                        + $"{f.Role.Text} granted to whoever runs this.")
                : own.Select(p => p.MayDeny).FirstOrDefault(d => d is not null) is { } perhaps
                    ? f.OnRole("AwsRolePolicies", CmekCheckResult.Unknown, perhaps.Reason, remedy)
                    : f.OnRole("AwsRolePolicies", CmekCheckResult.Pass, "no policy of the role denies what it needs");
    }

    // AWS: a boundary limits also what the key policy gives to the role, so that one that only says nothing about KMS stops the cluster.
    private static CmekCheck BoundaryCheck(AwsAccessEvidence f, IamRole role)
    {
        if (role.BoundaryArn is not { } arn)
        {
            return f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Pass,
                "the role has no permissions boundary (service control policies cannot be seen from here)");
        }

        if (f.Principal.Boundary?.Value is not { } boundary)
        {
            return f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Unknown,
                $"the permissions boundary {arn} could not be read: {f.Principal.Boundary?.Why}",
                $"Have iam:GetPolicy and iam:GetPolicyVersion on {arn} granted to whoever runs this.");
        }

        Limit[] limits = [.. OurStatements.Calls.Select(c => LimitOf(f, boundary, c))];
        string[] stopped = [.. limits.Where(l => l.Allows == Decision.Denied).Select(l => l.Call)];
        string remedy = $"Have {arn} allow {string.Join(", ", OurStatements.Actions)} on {f.Key.Text}.";
        return stopped.Length > 0
            ? f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Fail,
                $"the permissions boundary {arn} does not allow {string.Join(", ", stopped)}",
                remedy)
            : limits.FirstOrDefault(l => l.Allows != Decision.Allowed) is { } perhaps
                ? f.OnRole("AwsRoleBoundary", CmekCheckResult.Unknown, $"in the permissions boundary {arn}, {perhaps.Reason}", remedy)
                : f.OnRole(
                    "AwsRoleBoundary",
                    CmekCheckResult.Pass,
                    $"the permissions boundary {arn} allows the five actions (service control policies cannot be seen from here)");
    }

    // What the key policy gives to a session, and not to the role, a boundary stops by a Deny only.
    private static Limit LimitOf(AwsAccessEvidence f, PolicyDocument boundary, string call)
    {
        PolicyFindings limit = PolicyEvaluator.OfIdentity(boundary, call, f.Key.Text, f.Access.Context);
        if (limit.Denied is { } denied)
        {
            return new Limit(call, Decision.Denied, denied.Reason);
        }

        if ((limit.MayDeny ?? (limit.Allowed == Certainty.Perhaps ? limit.Allow : null)) is { } perhaps)
        {
            return new Limit(call, Decision.Perhaps, perhaps.Reason);
        }

        if (limit.Allowed == Certainty.Yes)
        {
            return new Limit(call, Decision.Allowed, limit.Allow!.Reason);
        }

        PermissionDecision all = RoleKeyEvaluator.Decide(f.Access, call);
        return all.Decision is Decision.Allowed or Decision.Perhaps
            ? new Limit(call, all.Decision, all.Reason)
            : new Limit(call, Decision.Denied, $"nothing allows {call}");
    }

    private sealed record Limit(string Call, Decision Allows, string Reason);

    private static IEnumerable<CmekCheck> TrustChecks(AwsAccessEvidence f, IamRole role)
    {
        if (f.Target.Cluster.AccountId is not { } account)
        {
            yield return f.OnRole(
                "AwsRoleTrust",
                CmekCheckResult.Unknown,
                "the Cloud API does not say which account belongs to the cluster",
                "Run it again when the cluster's state is CREATED.");
            yield break;
        }

        PolicyDocument trust;
        string? unreadable = null;
        try
        {
            trust = PolicyDocument.Parse(role.TrustPolicy, role.Arn);
        }
        catch (CmekException e)
        {
            unreadable = e.Message;
            trust = PolicyDocument.Create();
        }

        if (unreadable is not null)
        {
            yield return f.OnRole(
                "AwsRoleTrust",
                CmekCheckResult.Unknown,
                unreadable,
                "Look at the role's trust policy in the AWS console.");
            yield break;
        }

        TrustDecision verdict = TrustEvaluator.Decide(trust, account, f.Target.OrganizationId, f.Now);
        bool onlyId = verdict.Assume == Decision.Denied && verdict.AllowedWithoutConditions;
        string[] others = [.. TrustEvaluator.Others(trust, account)];
        if (verdict.Assume == Decision.Denied && !onlyId)
        {
            bool denied = trust.Statements.Any(s => PolicyJson.Text(s, "Effect") == "Deny");
            yield return f.OnRole(
                "AwsRoleTrust",
                CmekCheckResult.Fail,
                $"the account {account} of {f.Target.Cluster.Name} may not assume the role: {verdict.Reason}",
                denied ? "Take the Deny out of the role's trust policy, then: " + f.Grant : f.Grant);
            yield break;
        }

        yield return verdict.Assume == Decision.Perhaps
            ? f.OnRole("AwsRoleTrust", CmekCheckResult.Unknown, verdict.Reason, f.Grant)
            : others.Length > 0
                ? f.OnRole(
                    "AwsRoleTrust",
                    CmekCheckResult.Warn,
                    $"besides the account {account} the role also trusts {string.Join(", ", others)}: whoever assumes it can use the key",
                    $"Take these principals out of the trust policy of {f.Role.Text}.")
                : f.OnRole(
                    "AwsRoleTrust",
                    CmekCheckResult.Pass,
                    $"the role trusts the account {account} of {f.Target.Cluster.Name} and nobody else");
        if (onlyId)
        {
            yield return f.OnRole(
                "AwsRoleExternalId",
                CmekCheckResult.Fail,
                $"no condition of the trust policy fits the organization's id {f.Target.OrganizationId} as external ID",
                f.Grant);
        }
        else if (verdict.Assume == Decision.Allowed)
        {
            string takeOut = "Take the statement that asks for no external ID out of the role's trust policy; this adds the right one: "
                + "" + f.Grant;
            yield return verdict.ExternalId switch
            {
                ExternalIdDemand.Exact =>
                    f.OnRole("AwsRoleExternalId", CmekCheckResult.Pass, $"the trust asks for the external ID {f.Target.OrganizationId}"),
                ExternalIdDemand.Unknown => f.OnRole("AwsRoleExternalId", CmekCheckResult.Unknown, verdict.Reason, takeOut),
                ExternalIdDemand.TakesOthers => f.OnRole("AwsRoleExternalId", CmekCheckResult.Warn, verdict.Reason, takeOut),
                _ => f.OnRole(
                    "AwsRoleExternalId",
                    CmekCheckResult.Warn,
                    $"the trust does not ask for the organization's id as external ID: {verdict.Reason}",
                    takeOut),
            };
        }
    }
}
