using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>
/// Joins key policy, role policies, permissions boundary and grants for one call, as AWS documents it. Service control policies and
/// session policies
/// cannot be seen from here; they only ever take away.
/// </summary>
internal static class RoleKeyEvaluator
{
    // What no grant gives (the API's list of GrantOperation), so that it does not matter whether the grants were read.
    private static readonly string[] s_notByGrants = ["kms:EnableKey", "kms:CancelKeyDeletion", "kms:PutKeyPolicy"];

    /// <summary>Decides one call.</summary>
    public static PermissionDecision Decide(RoleKeyEvidence access, string call)
    {
        PolicyContext context = access.Context;
        PolicyFindings own = access.Own.Find(call, access.Key.Text, context);
        PolicyFindings? byKey = access.Policy.Value is { } policy
            ? PolicyEvaluator.OfResource(policy, access.Principal, call, access.Key.Text, context)
            : null;
        PolicyFindings? limit = access.Boundary?.Value is { } boundary
            ? PolicyEvaluator.OfIdentity(boundary, call, access.Key.Text, context)
            : null;
        StatementFinding? denied = byKey?.Denied ?? own.Denied ?? limit?.Denied;
        StatementFinding? lasting = new[] { byKey?.Denied, own.Denied, limit?.Denied }.FirstOrDefault(d => d is { Lasts: true });
        if (denied is not null)
        {
            string where = ReferenceEquals(lasting ?? denied, limit?.Denied) ? "in the role's permissions boundary, " : string.Empty;
            return new PermissionDecision(Decision.Denied, where + (lasting ?? denied).Reason, lasting is not null);
        }

        if (byKey is null)
        {
            return new PermissionDecision(Decision.Unread, "the key policy could not be read: " + access.Policy.Why);
        }

        PermissionDecision allowed = Allowed(access, call, byKey, own, limit);
        if (allowed.Decision == Decision.Denied)
        {
            return allowed;
        }

        // What may deny takes nothing from what is not allowed anyway, and the certainty from what is.
        if ((byKey.MayDeny ?? own.MayDeny) is { } may)
        {
            return new PermissionDecision(AccessDecision.Both(allowed.Decision, Decision.Perhaps), may.Reason);
        }

        if (limit?.MayDeny is { } limits)
        {
            return new PermissionDecision(
                AccessDecision.Both(allowed.Decision, Decision.Perhaps),
                "in the role's permissions boundary, " + limits.Reason);
        }

        if (access.Own.Unseen is { } unseen)
        {
            string reason = $"the role's own policies could not be read, so whether they allow or deny {call} is not known ({unseen})";
            return new PermissionDecision(AccessDecision.Both(allowed.Decision, Decision.Unread), reason);
        }

        if (limit is null && access.HasBoundary != Presence.Absent)
        {
            string reason = "the role's permissions boundary could not be read: " + (access.Boundary?.Why ?? "the role could not be read");
            return new PermissionDecision(AccessDecision.Both(allowed.Decision, Decision.Unread), reason);
        }

        return allowed;
    }

    /// <summary>What allows a call, leaving out whatever denies or limits it.</summary>
    public static PermissionDecision Allows(RoleKeyEvidence access, string call)
    {
        PolicyContext context = access.Context;
        return access.Policy.Value is { } policy
            ? Allowed(
                access,
                call,
                PolicyEvaluator.OfResource(policy, access.Principal, call, access.Key.Text, context),
                access.Own.Find(call, access.Key.Text, context),
                limit: null)
            : new PermissionDecision(Decision.Unread, "the key policy could not be read: " + access.Policy.Why);
    }

    // What allows it, before anything that may deny: the strongest way in counts.
    private static PermissionDecision Allowed(
        RoleKeyEvidence access,
        string call,
        PolicyFindings byKey,
        PolicyFindings own,
        PolicyFindings? limit)
    {
        bool sameAccount = access.Key.Account == access.Role.Account;
        List<PermissionDecision> ways = [.. byKey.Allows.Select(a => ByKeyPolicy(a)), .. ByGrants(access, call, own, sameAccount)];
        if (access.Grants.Value is null && !s_notByGrants.Contains(call))
        {
            ways.Add(new PermissionDecision(Decision.Unread, $"the grants on the key could not be read: {access.Grants.Why}"));
        }

        PermissionDecision? best = ways.OrderByDescending(w => w.Decision).FirstOrDefault();
        return best ?? new PermissionDecision(Decision.Denied, $"no statement allows {call}");

        PermissionDecision ByKeyPolicy(StatementFinding statement)
        {
            bool needsOwn = statement.Reach == PrincipalReach.Account || !sameAccount;
            Decision way = ToDecision(statement.Certainty);
            string reason = statement.Reason;
            if (needsOwn)
            {
                Decision byOwn = OwnAllows(access, own);
                reason = byOwn switch
                {
                    Decision.Allowed => way == Decision.Allowed ? own.Allow!.Reason : reason,
                    Decision.Perhaps => own.Allow!.Reason,
                    Decision.Unread =>
                        $"the role's own policies could not be read, so whether they allow or deny {call} is not known "
                            + $"({access.Own.Unseen})",
                    _ => statement.Reach == PrincipalReach.Account
                        ? $"{reason}, and the role's own policies do not allow it"
                        : $"the role is in another account than the key, and its own policies do not allow {call}",
                };
                way = AccessDecision.Both(way, byOwn);
            }

            // A boundary that does not allow it stops what is given to the role or by the account, and not what is given to a session.
            Decision within = limit is null ? Decision.Allowed : ToDecision(limit.Allowed);
            Decision limited = statement.Reach switch
            {
                PrincipalReach.Session when sameAccount => Decision.Allowed,
                PrincipalReach.Everybody when sameAccount => within == Decision.Allowed ? within : Decision.Perhaps,
                _ => within,
            };
            return limited < way
                ? new PermissionDecision(
                    limited,
                    $"the role's permissions boundary {(limited == Decision.Denied ? "does" : "may")} not allow {call}")
                : new PermissionDecision(way, reason);
        }
    }

    // A grant lets its grantee in whatever the key policy says. Whether a boundary or another account's policies limit that is not
    // documented.
    private static IEnumerable<PermissionDecision> ByGrants(RoleKeyEvidence access, string call, PolicyFindings own, bool sameAccount)
    {
        string operation = call[(call.IndexOf(':', StringComparison.Ordinal) + 1)..];
        foreach (KeyGrant grant in (access.Grants.Value ?? []).Where(g => g.Operations.Contains(operation)))
        {
            bool named = grant.Grantee == access.Role.Text || (access.RoleId is not null && grant.Grantee == access.RoleId);
            bool perhaps = named || grant.Grantee == access.Role.Account
                || grant.Grantee.EndsWith($"::{access.Role.Account}:root", StringComparison.Ordinal)
                || grant.Grantee.Contains($"::{access.Role.Account}:assumed-role/{access.Role.Name}/", StringComparison.Ordinal)
                || (access.Principal.IsUnread && AwsNames.IsRoleId(grant.Grantee));
            if (!perhaps)
            {
                continue;
            }

            bool free = grant.Constraints is null || operation == "DescribeKey";
            bool limits = access.HasBoundary == Presence.Absent && (sameAccount || OwnAllows(access, own) == Decision.Allowed);
            yield return named && free && limits
                ? new PermissionDecision(Decision.Allowed, $"the grant {grant.GrantId} allows {call}")
                : new PermissionDecision(Decision.Perhaps, $"the grant {grant.GrantId} to {grant.Grantee} may allow {call}");
        }
    }

    private static Decision OwnAllows(RoleKeyEvidence access, PolicyFindings own) =>
        own.Allowed == Certainty.Yes ? Decision.Allowed
        : own.Allowed == Certainty.Perhaps ? Decision.Perhaps
        : access.Own.Unseen is not null ? Decision.Unread
        : Decision.Denied;

    private static Decision ToDecision(Certainty certainty) => certainty switch
    {
        Certainty.Yes => Decision.Allowed,
        Certainty.Perhaps => Decision.Perhaps,
        _ => Decision.Denied,
    };
}
