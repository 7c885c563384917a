using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether something is there, where it may not have been looked at.</summary>
internal enum Presence
{
    /// <summary>It could not be looked at.</summary>
    Unknown,

    /// <summary>It is not there.</summary>
    Absent,

    /// <summary>It is there.</summary>
    Present,
}

/// <summary>Who is asking: a role's session, or an account as a whole (of which no more is known).</summary>
/// <param name="Account">The account.</param>
/// <param name="RoleArn">The role's ARN; null where only the account is known.</param>
/// <param name="RoleId">The role's unique id, where it could be seen.</param>
internal sealed record PolicyPrincipal(string Account, string? RoleArn = null, string? RoleId = null)
{
    /// <summary>Whether it has a permissions boundary: a Deny with NotPrincipal then hits it, whomever that names.</summary>
    public Presence Boundary { get; init; } = Presence.Absent;

    /// <summary>True where the role could not be read: then its boundary is not known either, and any unique id may be its own.</summary>
    public bool IsUnread => Boundary == Presence.Unknown;
}

/// <summary>What a policy says.</summary>
internal enum PolicyAnswer
{
    /// <summary>No statement allows it.</summary>
    NotAllowed,
    /// <summary>A statement allows it.</summary>
    Allowed,
    /// <summary>The account as a whole is allowed: the role's own policies decide.</summary>
    Delegated,
    /// <summary>A statement denies it, whatever else allows it.</summary>
    Denied,
    /// <summary>It hangs on something that cannot be seen from here.</summary>
    Unknown,
}

/// <summary>What a policy says, and by which statement.</summary>
/// <param name="Answer">What it says.</param>
/// <param name="Reason">Why.</param>
/// <param name="Statement">The statement that decided.</param>
internal sealed record PolicyDecision(PolicyAnswer Answer, string Reason, JsonObject? Statement = null);

/// <summary>
/// Evaluates a policy document for one principal and one action as AWS documents it: an explicit Deny before every Allow, and nothing
/// that is not allowed. What cannot be known from here is Unknown and never Allowed.
/// </summary>
internal static class PolicyEvaluator
{
    /// <summary>Evaluates a resource's policy (a key policy or a trust policy), whose statements name principals.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="who">The principal.</param>
    /// <param name="action">The action, without wildcards.</param>
    /// <param name="resource">The resource's ARN; null for a trust policy, which has none.</param>
    /// <param name="context">The request's condition keys as far as they are known.</param>
    public static PolicyDecision Resource(
        PolicyDocument policy,
        PolicyPrincipal who,
        string action,
        string? resource,
        PolicyContext context) =>
        Decide(OfResource(policy, who, action, resource, context), action);

    /// <summary>Evaluates a role's own policy, whose statements name no principal.</summary>
    public static PolicyDecision Identity(PolicyDocument policy, string action, string resource, PolicyContext context) =>
        Decide(OfIdentity(policy, action, resource, context), action);

    /// <summary>Every statement of a key policy or trust policy that concerns the call.</summary>
    public static PolicyFindings OfResource(
        PolicyDocument policy,
        PolicyPrincipal who,
        string action,
        string? resource,
        PolicyContext context) => Find(policy, action, resource, complete: false, context.For(action), s => PrincipalMatch.Of(s, who));

    /// <summary>Every statement of a role's own policy or boundary that concerns the call.</summary>
    public static PolicyFindings OfIdentity(PolicyDocument policy, string action, string resource, PolicyContext context) =>
        Find(policy, action, resource, complete: true, context.For(action), _ => new PrincipalMatch(Certainty.Yes, PrincipalReach.Own));

    /// <summary>True where a pattern with * and ? stands for a text.</summary>
    public static bool Like(string pattern, string text, bool ignoreCase = false) => PolicyPatterns.Like(pattern, text, ignoreCase);

    /// <summary>True where a statement's Action or NotAction takes an action in.</summary>
    public static bool HasAction(JsonObject statement, string action) =>
        statement.ContainsKey("NotAction")
            ? !PolicyJson.Strings(statement["NotAction"]).Any(p => Like(p, action, ignoreCase: true))
            : PolicyJson.Strings(statement["Action"]).Any(p => Like(p, action, ignoreCase: true));

    /// <summary>A statement's name for messages.</summary>
    public static string Name(JsonObject statement) =>
        PolicyJson.Text(statement, "Sid") is { Length: > 0 } sid ? $"the statement {sid}" : "a statement without a Sid";

    private static PolicyFindings Find(
        PolicyDocument policy,
        string action,
        string? resource,
        bool complete,
        PolicyContext context,
        Func<JsonObject, PrincipalMatch> principal)
    {
        bool variables = PolicyJson.Text(policy.Root, "Version") == "2012-10-17";
        List<StatementFinding> denies = [];
        List<StatementFinding> allows = [];
        foreach (JsonObject statement in policy.Statements.Where(s => HasAction(s, action)))
        {
            PrincipalMatch match = principal(statement);
            Certainty fits = Certainties.And(match.Certainty, HasResource(statement, resource, complete, context, variables));
            ConditionFinding condition = fits == Certainty.No
                ? new ConditionFinding(Certainty.No)
                : PolicyConditions.Evaluate(statement["Condition"], context, variables);
            Certainty holds = Certainties.And(fits, condition.Holds);
            if (holds == Certainty.No)
            {
                continue;
            }

            bool deny = PolicyJson.Text(statement, "Effect") == "Deny";
            if (!deny && PolicyJson.Text(statement, "Effect") != "Allow")
            {
                continue;
            }

            bool lasts = !PolicyConditions.Names(statement["Condition"], PolicyContext.IsTime);
            PrincipalReach reach = match.Reach == PrincipalReach.Everybody && PolicyConditions.ByPrincipalArn(statement["Condition"])
                ? PrincipalReach.Session
                : match.Reach;
            string reason = Reason(
                statement,
                action,
                deny,
                holds,
                reach,
                condition.Why ?? (match.Certainty == Certainty.Perhaps ? "its principal" : "its resource"));
            (deny ? denies : allows).Add(new StatementFinding(holds, reach, reason, statement, lasts));
        }

        return new PolicyFindings(denies, allows);
    }

    private static string Reason(JsonObject statement, string action, bool deny, Certainty holds, PrincipalReach reach, string hangs)
    {
        string name = Name(statement);
        if (holds == Certainty.Perhaps)
        {
            return $"{name} {(deny ? "may deny" : "may allow")} {action}; it hangs on {hangs}, which cannot be seen from here";
        }

        return deny ? $"{name} denies {action}"
            : reach == PrincipalReach.Account ? $"{name} leaves {action} to the account's own policies"
            : $"{name} allows {action}";
    }

    private static PolicyDecision Decide(PolicyFindings findings, string action)
    {
        if (findings.Denied is { } denied)
        {
            return new PolicyDecision(PolicyAnswer.Denied, denied.Reason, denied.Statement);
        }

        StatementFinding? direct = findings.Allows.FirstOrDefault(a => a.Certainty == Certainty.Yes && a.Reach != PrincipalReach.Account);
        StatementFinding? account = findings.Allows.FirstOrDefault(a => a.Certainty == Certainty.Yes);
        StatementFinding? best = direct ?? account ?? findings.Allow;
        if (best is null)
        {
            return new PolicyDecision(PolicyAnswer.NotAllowed, $"no statement allows {action}");
        }

        if (findings.MayDeny is { } may)
        {
            return new PolicyDecision(PolicyAnswer.Unknown, may.Reason, may.Statement);
        }

        PolicyAnswer answer = direct is not null
            ? PolicyAnswer.Allowed
            : account is not null
            ? PolicyAnswer.Delegated
            : PolicyAnswer.Unknown;
        return new PolicyDecision(answer, best.Reason, best.Statement);
    }

    private static Certainty HasResource(JsonObject statement, string? resource, bool complete, PolicyContext context, bool variables)
    {
        if (resource is null)
        {
            return Certainty.Yes;
        }

        bool not = statement.ContainsKey("NotResource");
        Certainty named = Certainties.Any(PolicyJson.Strings(statement[not ? "NotResource" : "Resource"]).Select(p =>
            !PolicyPatterns.HasMisplacedVariable(p, variables) && PolicyPatterns.Resolve(p, context, variables) is { } pattern
                ? PolicyPatterns.ResourceLike(pattern, resource, complete)
                : Certainty.Perhaps));
        return not ? Certainties.Not(named) : named;
    }
}
