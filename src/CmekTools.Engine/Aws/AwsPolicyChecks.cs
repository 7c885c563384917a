using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>The key policy and the grants: what they let the role do, and whom else.</summary>
internal static class AwsPolicyChecks
{
    private static readonly string[] s_ofPolicy =
        ["AwsKeyPolicyActions", "AwsKeyPolicyDeny", "AwsKeyPolicyPrincipal", "AwsKeyPolicyScope", "AwsKeyPolicyRoot"];

    /// <summary>The checks, in the order in which they are shown.</summary>
    public static IEnumerable<CmekCheck> Of(AwsAccessEvidence f)
    {
        if (f.Data.Missing || f.Policy.Missing)
        {
            yield break;
        }

        yield return GrantsCheck(f);

        if (f.Policy.Value is not { } policy)
        {
            foreach (string name in s_ofPolicy)
            {
                yield return f.OnKey(
                    name,
                    CmekCheckResult.Unknown,
                    f.Policy.Why!,
                    $"Have kms:GetKeyPolicy on {f.Key.Text} granted to whoever runs this.");
            }

            yield break;
        }

        yield return DenyCheck(f, policy);
        PermissionDecision[] byKey = [.. OurStatements.Calls.Select(c => RoleKeyEvaluator.Allows(f.Access, c))];
        string[] missing = [.. OurStatements.Calls.Zip(byKey).Where(p => p.Second.Decision == Decision.Denied).Select(p => p.First)];
        List<string> dead = OurPolicyEdits.DeadPrincipals(policy);
        bool deadIsOurs = missing.Length == OurStatements.Calls.Count
            && policy.Statements.Any(s => AllowsUse(s) && PolicyJson.Strings((s["Principal"] as JsonObject)?["AWS"]).Any(dead.Contains));
        if (deadIsOurs && !f.Iam.Missing)
        {
            yield return f.OnKey(
                "AwsKeyPolicyPrincipal",
                CmekCheckResult.Fail,
                $"the policy names {string.Join(", ", dead)}, the id of a role that was deleted; {f.Role.Text} is another principal, "
                    + "though it has the same name",
                f.Grant);
        }
        else
        {
            if (dead.Count > 0 && !deadIsOurs)
            {
                yield return f.OnKey(
                    "AwsKeyPolicyPrincipal",
                    CmekCheckResult.Warn,
                    $"the policy names principals that were deleted ({string.Join(", ", dead)}); KMS takes no new policy while they are "
                        + "in it",
                    $"Take these ids out of the key policy of {f.Key.Text}.");
            }
            else if (!deadIsOurs)
            {
                yield return f.OnKey("AwsKeyPolicyPrincipal", CmekCheckResult.Pass, "no principal of the policy was deleted");
            }

            // A revocation takes the statement out too: that is one defect with one remedy, not two.
            if (!f.Iam.Missing && !policy.Statements.Any(s => OurStatements.RevokedRole(s, f.Target.Cluster) == f.Role.Text))
            {
                yield return ActionsCheck(f, byKey, missing);
            }
        }

        yield return ScopeCheck(f, policy);
        string root = AwsNames.AccountRoot(f.Key.Partition, f.Key.Account);
        PolicyPrincipal account = new(f.Key.Account);
        PolicyAnswer Manages(PolicyDocument of) => PolicyEvaluator.Resource(
            of,
            account,
            "kms:PutKeyPolicy",
            f.Key.Text,
            PolicyContext.ForKey(f.Key, account, f.Now)).Answer;

        // A Deny that may hit one of the account's roles (ours, after a revocation) leaves the account as a whole in control.
        bool kept = policy.Statements.Any(
            s => PolicyJson.Text(s, "Effect") == "Allow"
                && PolicyJson.Strings((s["Principal"] as JsonObject)?["AWS"]).Any(p => p == root || p == f.Key.Account))
            && Manages(Without(policy, "Deny")) is PolicyAnswer.Allowed or PolicyAnswer.Delegated
            && Manages(policy) != PolicyAnswer.Denied;
        yield return kept
            ? f.OnKey("AwsKeyPolicyRoot", CmekCheckResult.Pass, "the account keeps control of the key")
            : f.OnKey(
                "AwsKeyPolicyRoot",
                CmekCheckResult.Warn,
                $"no statement lets {root} manage the key: when the key's administrators are deleted, only AWS support can change its "
                    + "policy",
                $"Add a statement that allows kms:* to {root} to the key policy of {f.Key.Text}.");
    }

    private static PolicyDocument Without(PolicyDocument document, string effect)
    {
        PolicyDocument copy = document.Clone();
        foreach (JsonObject statement in copy.Statements.Where(s => PolicyJson.Text(s, "Effect") == effect))
        {
            copy.Remove(statement);
        }

        return copy;
    }

    private static CmekCheck ActionsCheck(AwsAccessEvidence f, PermissionDecision[] decisions, string[] missing)
    {
        if (missing.Length > 0)
        {
            return f.OnKey(
                "AwsKeyPolicyActions",
                CmekCheckResult.Fail,
                $"{f.Role.Text} is not allowed {string.Join(", ", missing)}",
                f.Grant);
        }

        PermissionDecision[] unsure = [.. decisions.Where(d => d.Decision != Decision.Allowed)];
        return unsure.Length > 0
            ? f.OnKey("AwsKeyPolicyActions", CmekCheckResult.Unknown, string.Join("; ", unsure.Select(d => d.Reason).Distinct()), f.Grant)
            : f.OnKey("AwsKeyPolicyActions", CmekCheckResult.Pass, $"{f.Role.Text} has the five actions");
    }

    private static CmekCheck DenyCheck(AwsAccessEvidence f, PolicyDocument policy)
    {
        PolicyFindings[] findings =
        [
            .. OurStatements.Calls.Select(c => PolicyEvaluator.OfResource(policy, f.Access.Principal, c, f.Key.Text, f.Access.Context)),
        ];
        if (findings.Select(p => p.Denied).FirstOrDefault(d => d is not null) is { } denied)
        {
            bool revoked = OurStatements.RevokedRole(denied.Statement, f.Target.Cluster) is not null;
            return f.OnKey(
                "AwsKeyPolicyDeny",
                CmekCheckResult.Fail,
                revoked ? "access was revoked with Revoke-CmekAccess" : $"{denied.Reason} to {f.Role.Text}, whatever else allows it",
                revoked
                    ? $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(f.Target.Cluster.Name)}"
                    : $"Take {f.Role.Text} out of that statement of the key policy of {f.Key.Text}.");
        }

        return findings.Select(p => p.MayDeny).FirstOrDefault(d => d is not null) is { } perhaps
            ? f.OnKey(
                "AwsKeyPolicyDeny",
                CmekCheckResult.Unknown,
                perhaps.Reason,
                $"Look at that statement of the key policy of {f.Key.Text}: it must not hold for the cluster's calls.")
            : f.OnKey("AwsKeyPolicyDeny", CmekCheckResult.Pass, "no statement denies the role what it needs");
    }

    // Whoever can read, or let others read. Administrators who can change the policy are the account's own affair.
    private static readonly string[] s_opening = ["kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant"];

    private static CmekCheck ScopeCheck(AwsAccessEvidence f, PolicyDocument policy)
    {
        List<string> wide = [];
        List<string> dead = OurPolicyEdits.DeadPrincipals(policy);
        string root = AwsNames.AccountRoot(f.Key.Partition, f.Key.Account);
        foreach (JsonObject s in policy.Statements.Where(s => PolicyJson.Text(s, "Effect") == "Allow"))
        {
            string name = PolicyEvaluator.Name(s);
            string[] who = [.. PrincipalsOf(s)];
            bool everybody = who.Contains("*") || s.ContainsKey("NotPrincipal");
            if (everybody)
            {
                wide.Add(
                    s.ContainsKey("Condition")
                        ? $"{name} allows everybody whom its condition does not keep out"
                        : $"{name} allows everybody");
            }

            bool all = s.ContainsKey("NotAction")
                || PolicyJson.Strings(s["Action"]).Any(a => a is "*" || string.Equals(a, "kms:*", StringComparison.OrdinalIgnoreCase));
            if (all && (who.Contains(f.Role.Text) || (f.Iam.Value is { } role && who.Contains(role.Id))))
            {
                wide.Add($"{name} gives the cluster's role kms:*, so that it could change the policy or delete the key");
            }

            // Whoever decrypts reads the store key. The account itself is not counted: it rules by its own policies.
            string[] others =
            [
                .. who.Where(
                    p => p != "*" && p != root && p != f.Key.Account && p != f.Role.Text && p != f.Iam.Value?.Id && !dead.Contains(p)),
            ];
            string[] opens = [.. s_opening.Where(a => PolicyEvaluator.HasAction(s, a) && !OnlyForServices(s, a))];
            if (others.Length > 0 && opens.Length > 0)
            {
                string what = opens.Contains("kms:Decrypt")
                    ? "decrypt with"
                    : opens.Contains("kms:ReEncryptFrom")
                    ? "re-encrypt from"
                    : "make grants on";
                wide.Add($"{name} lets {string.Join(", ", others)} {what} the key");
            }
        }

        return wide.Count == 0
            ? f.OnKey(
                "AwsKeyPolicyScope",
                CmekCheckResult.Pass,
                "the key policy lets nobody but the role decrypt, beside whom the account's own policies let, and names nobody by a "
                    + "wildcard")
            : f.OnKey(
                "AwsKeyPolicyScope",
                CmekCheckResult.Warn,
                string.Join("; ", wide),
                "Narrow these statements of the key policy; the five actions are enough: " + f.Grant);
    }

    private static IEnumerable<string> PrincipalsOf(JsonObject statement) => statement["Principal"] is JsonObject kinds
        ? kinds.SelectMany(k => PolicyJson.Strings(k.Value))
        : PolicyJson.Strings(statement["Principal"]);

    // The common statement by which AWS services that are integrated with KMS may be given grants.
    private static bool OnlyForServices(JsonObject statement, string action) => action == "kms:CreateGrant"
        && statement["Condition"] is JsonObject condition && condition["Bool"] is JsonObject pairs
        && pairs.FirstOrDefault(
            p => string.Equals(p.Key, "kms:GrantIsForAWSResource", StringComparison.OrdinalIgnoreCase)).Value is { } value
        && PolicyJson.Strings(value) is ["true"];

    // A grant lets its grantee in whatever the key policy says.
    private static CmekCheck GrantsCheck(AwsAccessEvidence f)
    {
        if (f.Grants.Value is not { } grants)
        {
            return f.OnKey(
                "AwsKeyGrants",
                CmekCheckResult.Unknown,
                f.Grants.Why!,
                $"Have kms:ListGrants on {f.Key.Text} granted to whoever runs this.");
        }

        KeyGrant[] open = [.. grants.Where(g => g.Opens && g.Grantee != f.Role.Text)];
        return open.Length == 0
            ? f.OnKey("AwsKeyGrants", CmekCheckResult.Pass, "no grant lets anybody else read with the key")
            : f.OnKey(
                "AwsKeyGrants",
                CmekCheckResult.Warn,
                string.Join("; ", open.Select(g => $"the grant {g.GrantId} gives {g.Grantee} {string.Join(", ", g.Operations)}")),
                string.Join(
                    "; ",
                    open.Select(g => $"aws kms revoke-grant --key-id {f.Key.Text} --grant-id {g.GrantId} --region {f.Key.Region}")));
    }

    private static bool AllowsUse(JsonObject s) => PolicyJson.Text(s, "Effect") == "Allow"
        && PolicyJson.Strings(s["Action"]).Any(
            a => PolicyEvaluator.Like(a, "kms:Encrypt", ignoreCase: true) || PolicyEvaluator.Like(a, "kms:Decrypt", ignoreCase: true));
}
