using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Every reason why a cluster could not use a key, found before it does.</summary>
internal sealed class AwsChecks(AwsKeyReader reader)
{
    public async IAsyncEnumerable<CmekCheck> CheckAsync(AccessTarget target, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        RoleArn role = AwsInput.ParseRole(target.AuthPrincipal);

        // All of them start at once; none waits for another.
        Task<Seen<KeyMetadata>> data = AwsKeyReader.LookAsync(reader.DescribeAsync(key.Text, key.Region, op.Cancellation));
        Task<Seen<PolicyDocument>> policy = AwsKeyReader.LookAsync(reader.PolicyAsync(key, op.Cancellation));
        Task<Seen<GetKeyRotationStatusResponse>> rotation = AwsKeyReader.LookAsync(reader.RotationStatusAsync(key, op.Cancellation));
        Task<Seen<IamRole>> iam = AwsKeyReader.LookAsync(reader.RoleAsync(role, op));
        Task<RolePolicies> own = reader.RolePoliciesAsync(role, op);
        Task<Seen<PolicyDocument>?> boundary = reader.BoundaryAsync(iam, role, op);
        await Task.WhenAll(data, policy, rotation, iam, own, boundary).ConfigureAwait(false);
        AwsFindings findings = new(
            target,
            key,
            role,
            await data.ConfigureAwait(false),
            await policy.ConfigureAwait(false),
            await rotation.ConfigureAwait(false),
            await iam.ConfigureAwait(false),
            await own.ConfigureAwait(false),
            await boundary.ConfigureAwait(false),
            op.Session.Time.GetUtcNow());
        foreach (CmekCheck check in KeyChecks(findings).Concat(PolicyChecks(findings)).Concat(RoleChecks(findings)))
        {
            yield return check;
        }
    }

    private sealed record AwsFindings(
        AccessTarget Target,
        KeyArn Key,
        RoleArn Role,
        Seen<KeyMetadata> Data,
        Seen<PolicyDocument> Policy,
        Seen<GetKeyRotationStatusResponse> Rotation,
        Seen<IamRole> Iam,
        RolePolicies Own,
        Seen<PolicyDocument>? Boundary,
        DateTimeOffset Now)
    {
        /// <summary>The command that completes role and key policy, whoever made the role.</summary>
        public string Grant =>
            $"Grant-CmekAccess -ClusterName {Target.Cluster.Name} -Region {Target.Region} -KeyUri {Key.Text} -RoleName {Role.Name}";

        // A key alone is of no use to the cluster: what is printed ends with an access that can be enabled.
        public string NewKey =>
            $"New-CmekKey -ClusterName {Target.Cluster.Name} -Region {Target.Region} -EnableRotation | Grant-CmekAccess";

        public CmekCheck Check(string name, CmekCheckResult result, string on, string seen, string? remedy = null) =>
            Target.Check(name, result, on, seen, remedy);

        public CmekCheck OnKey(string name, CmekCheckResult result, string seen, string? remedy = null) =>
            Check(name, result, Key.Text, seen, remedy);

        public CmekCheck OnRole(string name, CmekCheckResult result, string seen, string? remedy = null) =>
            Check(name, result, Role.Text, seen, remedy);
    }

    private static IEnumerable<CmekCheck> KeyChecks(AwsFindings f)
    {
        if (f.Data.Missing)
        {
            yield return f.OnKey("AwsKeyExists", CmekCheckResult.Fail, "KMS knows no such key in that account and region", f.NewKey);
            yield break;
        }

        yield return f.Key.Region == f.Target.Region
            ? f.OnKey("AwsKeyRegion", CmekCheckResult.Pass, $"the key is in the cluster's region {f.Key.Region}")
            : f.OnKey(
                "AwsKeyRegion",
                CmekCheckResult.Warn,
                $"the key is in {f.Key.Region}, the cluster's region is {f.Target.Region}: an outage of {f.Key.Region} would reach it",
                f.NewKey);
        if (f.Data.Value is not { } data)
        {
            string permission = $"Have kms:DescribeKey on {f.Key.Text} granted to whoever runs this.";
            foreach (string name in new[] { "AwsKeyExists", "AwsKeyState", "AwsKeyType" })
            {
                yield return f.OnKey(name, CmekCheckResult.Unknown, f.Data.Why!, permission);
            }

            yield break;
        }

        yield return f.OnKey("AwsKeyExists", CmekCheckResult.Pass, $"made {data.CreationDate:yyyy-MM-dd} in account {f.Key.Account}");
        CmekKeyState state = AwsKeyReader.ToState(data);
        yield return state switch
        {
            CmekKeyState.Enabled => f.OnKey("AwsKeyState", CmekCheckResult.Pass, "enabled"),
            CmekKeyState.Disabled => f.OnKey(
                "AwsKeyState",
                CmekCheckResult.Fail,
                "disabled: nothing can be encrypted or decrypted with it",
                AwsErrors.EnableCommand(f.Key.Text)),
            CmekKeyState.PendingDeletion => f.OnKey(
                "AwsKeyState",
                CmekCheckResult.Fail,
                $"scheduled for deletion{(data.DeletionDate is { } date ? $" on {date:yyyy-MM-dd}" : string.Empty)}",
                AwsErrors.CancelDeletionCommand(f.Key.Text)),
            _ => f.OnKey("AwsKeyState", CmekCheckResult.Fail, $"its state is {data.KeyState?.Value}", f.NewKey),
        };
        bool symmetric = data.KeySpec?.Value is null or "SYMMETRIC_DEFAULT" && data.KeyUsage?.Value is null or "ENCRYPT_DECRYPT";
        bool madeByKms = data.Origin?.Value is null or "AWS_KMS";
        yield return !symmetric
            ? f.OnKey(
                "AwsKeyType",
                CmekCheckResult.Fail,
                $"{data.KeySpec?.Value} for {data.KeyUsage?.Value}; a cluster needs SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT",
                f.NewKey)
            : madeByKms
                ? f.OnKey("AwsKeyType", CmekCheckResult.Pass, "symmetric, for encryption and decryption, made by KMS")
                : f.OnKey(
                    "AwsKeyType",
                    CmekCheckResult.Warn,
                    $"its material comes from {data.Origin?.Value}; CockroachDB Cloud asks for a key made by KMS",
                    f.NewKey);
        if (symmetric && madeByKms && state is CmekKeyState.Enabled or CmekKeyState.Disabled)
        {
            yield return f.Rotation.Value switch
            {
                null => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Unknown,
                    f.Rotation.Why ?? "not seen",
                    $"Have kms:GetKeyRotationStatus on {f.Key.Text} granted to whoever runs this."),
                { KeyRotationEnabled: true } r => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Pass,
                    r.RotationPeriodInDays is { } days ? $"every {days} days" : "every year"),
                _ => f.OnKey(
                    "AwsKeyRotation",
                    CmekCheckResult.Warn,
                    "automatic rotation is off",
                    $"aws kms enable-key-rotation --key-id {f.Key.Text} --region {f.Key.Region}"),
            };
        }
    }

    private static readonly string[] s_ofPolicy =
        ["AwsKeyPolicyActions", "AwsKeyPolicyDeny", "AwsKeyPolicyPrincipal", "AwsKeyPolicyScope", "AwsKeyPolicyRoot"];

    private static IEnumerable<CmekCheck> PolicyChecks(AwsFindings f)
    {
        if (f.Data.Missing || f.Policy.Missing)
        {
            yield break;
        }

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
        PolicyDecision[] byKey = [.. CallsWithoutDeny(f, policy)];
        string[] missing = [
            .. OurStatements.Calls.Zip(byKey).Where(
                p => p.Second.Answer is PolicyAnswer.NotAllowed or PolicyAnswer.Delegated).Select(p => p.First),
        ];
        List<string> dead = PolicyEdits.DeadPrincipals(policy);
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

    private static IEnumerable<PolicyDecision> CallsWithoutDeny(AwsFindings f, PolicyDocument policy)
    {
        PolicyDocument allows = Without(policy, "Deny");
        RolePolicies own = f.Own with { Policies = [.. f.Own.Policies.Select(p => (p.Name, Without(p.Document, "Deny")))] };
        return OurStatements.Calls.Select(call =>
        {
            PolicyDecision decision = AwsDecisions.DecideCall(allows, f.Key, f.Role, f.Iam.Value?.Id, own, call, f.Now);
            return decision.Answer == PolicyAnswer.Denied ? decision with { Answer = PolicyAnswer.NotAllowed } : decision;
        });
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

    private static PolicyDocument OnlyDenies(PolicyDocument document)
    {
        PolicyDocument copy = Without(document, "Allow");
        copy.Add(new JsonObject { ["Effect"] = "Allow", ["Action"] = "*", ["Resource"] = "*" });
        return copy;
    }

    private static CmekCheck ActionsCheck(AwsFindings f, PolicyDecision[] decisions, string[] missing)
    {
        if (missing.Length > 0)
        {
            return f.OnKey(
                "AwsKeyPolicyActions",
                CmekCheckResult.Fail,
                $"{f.Role.Text} is not allowed {string.Join(", ", missing)}",
                f.Grant);
        }

        PolicyDecision[] unsure = [.. decisions.Where(d => d.Answer == PolicyAnswer.Unknown)];
        return unsure.Length > 0
            ? f.OnKey("AwsKeyPolicyActions", CmekCheckResult.Unknown, string.Join("; ", unsure.Select(d => d.Reason).Distinct()), f.Grant)
            : f.OnKey("AwsKeyPolicyActions", CmekCheckResult.Pass, $"{f.Role.Text} has the five actions");
    }

    private static CmekCheck DenyCheck(AwsFindings f, PolicyDocument policy)
    {
        PolicyPrincipal who = new(f.Role.Account, f.Role.Text, f.Iam.Value?.Id);
        PolicyContext context = PolicyContext.ForKey(f.Key, who, f.Now);
        // With every call allowed, only what denies is left to be seen.
        PolicyDocument open = policy.Clone();
        open.Add(OurStatements.Use("EveryCall", f.Role.Text));
        PolicyDecision[] decisions = [.. OurStatements.Calls.Select(c => PolicyEvaluator.Resource(open, who, c, f.Key.Text, context))];
        PolicyDecision? denied = decisions.FirstOrDefault(d => d.Answer == PolicyAnswer.Denied);
        PolicyDecision? perhaps = decisions.FirstOrDefault(d => d.Answer == PolicyAnswer.Unknown);
        if (denied is not null)
        {
            bool revoked = denied.Statement is { } s && OurStatements.RevokedRole(s, f.Target.Cluster) is not null;
            return f.OnKey(
                "AwsKeyPolicyDeny",
                CmekCheckResult.Fail,
                revoked ? "access was revoked with Revoke-CmekAccess" : $"{denied.Reason} to {f.Role.Text}, whatever else allows it",
                revoked
                    ? $"Restore-CmekAccess -ClusterName {f.Target.Cluster.Name}"
                    : $"Take {f.Role.Text} out of that statement of the key policy of {f.Key.Text}.");
        }

        return perhaps is null
            ? f.OnKey("AwsKeyPolicyDeny", CmekCheckResult.Pass, "no statement denies the role what it needs")
            : f.OnKey(
                "AwsKeyPolicyDeny",
                CmekCheckResult.Unknown,
                perhaps.Reason,
                $"Look at that statement of the key policy of {f.Key.Text}: it must not hold for the cluster's calls.");
    }

    private static CmekCheck ScopeCheck(AwsFindings f, PolicyDocument policy)
    {
        List<string> wide = [];
        List<string> dead = PolicyEdits.DeadPrincipals(policy);
        string root = AwsNames.AccountRoot(f.Key.Partition, f.Key.Account);
        foreach (JsonObject s in policy.Statements.Where(s => PolicyJson.Text(s, "Effect") == "Allow"))
        {
            string name = PolicyJson.Text(s, "Sid") is { Length: > 0 } sid ? $"the statement {sid}" : "a statement without a Sid";
            IReadOnlyList<string> who = s["Principal"] is JsonObject named
                ? PolicyJson.Strings(named["AWS"])
                : PolicyJson.Strings(s["Principal"]);
            if ((who.Contains("*") || s.ContainsKey("NotPrincipal")) && s["Condition"] is null)
            {
                wide.Add($"{name} allows everybody");
            }

            bool all = s.ContainsKey("NotAction")
                || PolicyJson.Strings(s["Action"]).Any(a => a is "*" || string.Equals(a, "kms:*", StringComparison.OrdinalIgnoreCase));
            if (all && (who.Contains(f.Role.Text) || (f.Iam.Value is { } role && who.Contains(role.Id))))
            {
                wide.Add($"{name} gives the cluster's role kms:*, so that it could change the policy or delete the key");
            }

            // Whoever decrypts reads the store key. The account itself is not counted: it rules by its own policies.
            string[] others = [
                .. who.Where(
                    p => p != "*" && p != root && p != f.Key.Account && p != f.Role.Text && p != f.Iam.Value?.Id && !dead.Contains(p)),
            ];
            if (others.Length > 0
                && (
                    s.ContainsKey("NotAction")
                        || PolicyJson.Strings(s["Action"]).Any(a => PolicyEvaluator.Like(a, "kms:Decrypt", ignoreCase: true))))
            {
                wide.Add($"{name} lets {string.Join(", ", others)} decrypt with the key");
            }
        }

        return wide.Count == 0
            ? f.OnKey("AwsKeyPolicyScope", CmekCheckResult.Pass, "nobody but the role is let to decrypt, and nobody is named by a wildcard")
            : f.OnKey(
                "AwsKeyPolicyScope",
                CmekCheckResult.Warn,
                string.Join("; ", wide),
                "Narrow these statements of the key policy; the five actions are enough: " + f.Grant);
    }

    private static bool AllowsUse(JsonObject s) => PolicyJson.Text(s, "Effect") == "Allow"
        && PolicyJson.Strings(s["Action"]).Any(
            a => PolicyEvaluator.Like(a, "kms:Encrypt", ignoreCase: true) || PolicyEvaluator.Like(a, "kms:Decrypt", ignoreCase: true));

    private static IEnumerable<CmekCheck> RoleChecks(AwsFindings f)
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

        PolicyContext context = PolicyContext.ForKey(f.Key, new PolicyPrincipal(f.Role.Account, f.Role.Text, role.Id), f.Now);
        yield return BoundaryCheck(f, role, context);

        // Of the role's own policies only what denies counts here: with every call allowed, that is what is left to be seen.
        RolePolicies denies = f.Own with { Unseen = null, Policies = [.. f.Own.Policies.Select(p => (p.Name, OnlyDenies(p.Document)))] };
        PolicyDecision[] decisions = [.. OurStatements.Calls.Select(c => denies.Decide(c, f.Key.Text, context))];
        string remedy = $"Take that Deny out of the policy of {f.Role.Text}.";
        yield return decisions.FirstOrDefault(d => d.Answer == PolicyAnswer.Denied) is { } denied
            ? f.OnRole("AwsRolePolicies", CmekCheckResult.Fail, denied.Reason, remedy)
            : f.Own.Unseen is { } why
                ? f.OnRole(
                    "AwsRolePolicies",
                    CmekCheckResult.Unknown,
                    why,
                    "Have iam:ListRolePolicies, iam:GetRolePolicy, iam:ListAttachedRolePolicies and iam:GetPolicyVersion on "
                        + $"{f.Role.Text} granted to whoever runs this.")
                : decisions.FirstOrDefault(d => d.Answer == PolicyAnswer.Unknown) is { } perhaps
                    ? f.OnRole("AwsRolePolicies", CmekCheckResult.Unknown, perhaps.Reason, remedy)
                    : f.OnRole("AwsRolePolicies", CmekCheckResult.Pass, "no policy of the role denies what it needs");
    }

    // AWS: a boundary limits also what the key policy gives to the role, so that one that only says nothing about KMS stops the cluster.
    private static CmekCheck BoundaryCheck(AwsFindings f, IamRole role, PolicyContext context)
    {
        if (role.BoundaryArn is not { } arn)
        {
            return f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Pass,
                "the role has no permissions boundary (service control policies cannot be seen from here)");
        }

        if (f.Boundary?.Value is not { } boundary)
        {
            return f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Unknown,
                $"the permissions boundary {arn} could not be read: {f.Boundary?.Why}",
                $"Have iam:GetPolicy and iam:GetPolicyVersion on {arn} granted to whoever runs this.");
        }

        PolicyDecision[] decisions = [.. OurStatements.Calls.Select(c => PolicyEvaluator.Identity(boundary, c, f.Key.Text, context))];
        string[] stopped = [
            .. OurStatements.Calls.Zip(decisions).Where(
                p => p.Second.Answer is PolicyAnswer.Denied or PolicyAnswer.NotAllowed).Select(p => p.First),
        ];
        string remedy = $"Have {arn} allow {string.Join(", ", OurStatements.Actions)} on {f.Key.Text}.";
        return stopped.Length > 0
            ? f.OnRole(
                "AwsRoleBoundary",
                CmekCheckResult.Fail,
                $"the permissions boundary {arn} does not allow {string.Join(", ", stopped)}",
                remedy)
            : decisions.FirstOrDefault(d => d.Answer == PolicyAnswer.Unknown) is { } perhaps
                ? f.OnRole("AwsRoleBoundary", CmekCheckResult.Unknown, $"in the permissions boundary {arn}, {perhaps.Reason}", remedy)
                : f.OnRole(
                    "AwsRoleBoundary",
                    CmekCheckResult.Pass,
                    $"the permissions boundary {arn} allows the five actions (service control policies cannot be seen from here)");
    }

    private static IEnumerable<CmekCheck> TrustChecks(AwsFindings f, IamRole role)
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

        TrustVerdict verdict = TrustPolicies.JudgeTrust(trust, account, f.Target.OrganizationId, f.Now);
        bool onlyId = verdict.Allowed == false && verdict.AllowedWithoutConditions;
        string[] others = [.. TrustPolicies.OtherTrusted(trust, account)];
        if (verdict.Allowed == false && !onlyId)
        {
            bool denied = trust.Statements.Any(s => PolicyJson.Text(s, "Effect") == "Deny");
            yield return f.OnRole(
                "AwsRoleTrust",
                CmekCheckResult.Fail,
                $"the account {account} of {f.Target.Cluster.Name} may not assume the role: {verdict.Reason}",
                denied ? "Take the Deny out of the role's trust policy, then: " + f.Grant : f.Grant);
            yield break;
        }

        yield return verdict.Allowed is null
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
        else if (verdict.Allowed == true)
        {
            yield return verdict.NeedsExternalId
                ? f.OnRole("AwsRoleExternalId", CmekCheckResult.Pass, $"the trust asks for the external ID {f.Target.OrganizationId}")
                : f.OnRole(
                    "AwsRoleExternalId",
                    CmekCheckResult.Warn,
                    $"the trust does not ask for the organization's id as external ID: {verdict.Reason}",
                    "Take the statement that asks for no external ID out of the role's trust policy; this adds the right one: " + f.Grant);
        }
    }
}
