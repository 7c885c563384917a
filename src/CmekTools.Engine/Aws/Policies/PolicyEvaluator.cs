using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Who is asking: a role's session, or an account as a whole (of which no more is known).</summary>
/// <param name="Account">The account.</param>
/// <param name="RoleArn">The role's ARN; null where only the account is known.</param>
/// <param name="RoleId">The role's unique id, where it could be seen.</param>
internal sealed record PolicyPrincipal(string Account, string? RoleArn = null, string? RoleId = null);

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
/// <param name="Perhaps">Where the account decides: a statement that may allow it all the same.</param>
internal sealed record PolicyDecision(PolicyAnswer Answer, string Reason, JsonObject? Statement = null, PolicyDecision? Perhaps = null);

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
        Decide(policy, action, resource, context, statement => PrincipalMatches(statement, who));

    /// <summary>Evaluates a role's own policy, whose statements name no principal.</summary>
    public static PolicyDecision Identity(PolicyDocument policy, string action, string resource, PolicyContext context) =>
        Decide(policy, action, resource, context, _ => Match.Yes);

    /// <summary>True where a pattern with * and ? stands for a text.</summary>
    public static bool Like(string pattern, string text, bool ignoreCase = false)
    {
        int p = 0;
        int t = 0;
        int star = -1;
        int mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || Equal(pattern[p], text[t], ignoreCase)))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }

    private static bool Equal(char a, char b, bool ignoreCase) =>
        a == b || (ignoreCase && char.ToLowerInvariant(a) == char.ToLowerInvariant(b));

    private static PolicyDecision Decide(
        PolicyDocument policy, string action, string? resource, PolicyContext context, Func<JsonObject, Match> principal)
    {
        PolicyDecision? allowed = null;
        PolicyDecision? delegated = null;
        PolicyDecision? perhapsAllowed = null;
        PolicyDecision? perhapsDenied = null;
        foreach (JsonObject statement in policy.Statements)
        {
            if (!ActionMatches(statement, action) || !ResourceMatches(statement, resource))
            {
                continue;
            }

            Match match = principal(statement);
            (bool? holds, string? why) = match == Match.No ? (false, null) : PolicyConditions.Evaluate(statement["Condition"], context);
            if (holds == false)
            {
                continue;
            }

            bool deny = PolicyJson.Text(statement, "Effect") == "Deny";
            string name = Name(statement);
            if (match == Match.Perhaps || holds is null)
            {
                string hangs = why is null ? "on its principal" : $"on {why}";
                PolicyDecision perhaps = new(
                    PolicyAnswer.Unknown,
                    $"{name} {(deny ? "may deny" : "may allow")} {action}; it hangs {hangs}, which cannot be seen from here",
                    statement);
                (perhapsDenied, perhapsAllowed) = deny
                    ? (perhapsDenied ?? perhaps, perhapsAllowed)
                    : (perhapsDenied, perhapsAllowed ?? perhaps);
            }
            else if (deny)
            {
                return new PolicyDecision(PolicyAnswer.Denied, $"{name} denies {action}", statement);
            }
            else if (match == Match.Account)
            {
                delegated ??= new PolicyDecision(
                    PolicyAnswer.Delegated,
                    $"{name} leaves {action} to the account's own policies",
                    statement);
            }
            else
            {
                allowed ??= new PolicyDecision(PolicyAnswer.Allowed, $"{name} allows {action}", statement);
            }
        }

        PolicyDecision? best = allowed ?? (delegated is null ? perhapsAllowed : delegated with { Perhaps = perhapsAllowed });
        return best is null ? new PolicyDecision(PolicyAnswer.NotAllowed, $"no statement allows {action}") : perhapsDenied ?? best;
    }

    private static string Name(JsonObject statement) =>
        PolicyJson.Text(statement, "Sid") is { Length: > 0 } sid ? $"the statement {sid}" : "a statement without a Sid";

    private static bool ActionMatches(JsonObject statement, string action) =>
        statement.ContainsKey("NotAction")
            ? !PolicyJson.Strings(statement["NotAction"]).Any(p => Like(p, action, ignoreCase: true))
            : PolicyJson.Strings(statement["Action"]).Any(p => Like(p, action, ignoreCase: true));

    private static bool ResourceMatches(JsonObject statement, string? resource)
    {
        if (resource is null)
        {
            return true;
        }

        return statement.ContainsKey("NotResource")
            ? !PolicyJson.Strings(statement["NotResource"]).Any(p => Like(p, resource))
            : PolicyJson.Strings(statement["Resource"]).Any(p => Like(p, resource));
    }

    private static Match PrincipalMatches(JsonObject statement, PolicyPrincipal who)
    {
        if (statement.TryGetPropertyValue("NotPrincipal", out JsonNode? excluded))
        {
            Match match = AnyPrincipal(excluded, who);
            return match switch
            {
                Match.Yes => Match.No,
                Match.Perhaps => Match.Perhaps,
                // The account being excluded does not exclude its roles; nobody being named matches everybody.
                Match.Account when who.RoleArn is null => Match.No,
                _ => Match.Yes,
            };
        }

        Match named = AnyPrincipal(statement["Principal"], who);
        // A Deny for an account hits every principal of it; an Allow only lets the account decide.
        return named == Match.Account && (who.RoleArn is null || PolicyJson.Text(statement, "Effect") == "Deny") ? Match.Yes : named;
    }

    private static Match AnyPrincipal(JsonNode? principal, PolicyPrincipal who)
    {
        IEnumerable<string> names = principal switch
        {
            JsonObject obj => PolicyJson.Strings(obj["AWS"]),
            null => [],
            _ => PolicyJson.Strings(principal),
        };
        Match best = Match.No;
        foreach (string name in names)
        {
            Match match = OnePrincipal(name, who);
            best = match > best ? match : best;
        }

        return best;
    }

    private static Match OnePrincipal(string name, PolicyPrincipal who)
    {
        if (name == "*" || (who.RoleArn is not null && name == who.RoleArn) || (who.RoleId is not null && name == who.RoleId))
        {
            return Match.Yes;
        }

        if (name == who.Account
            || (name.EndsWith($":iam::{who.Account}:root", StringComparison.Ordinal) && name.StartsWith("arn:", StringComparison.Ordinal)))
        {
            return Match.Account;
        }

        string[] parts = name.Split(':', 6);
        if (parts.Length < 6 || parts[4] != who.Account)
        {
            return Match.No;
        }

        if (who.RoleArn is null)
        {
            // Some principal of the account; whether it is the one that will ask is not known.
            return Match.Perhaps;
        }

        // One session of the role by name: the cluster's sessions have names that we do not know.
        string role = who.RoleArn[(who.RoleArn.LastIndexOf('/') + 1)..];
        return parts[2] == "sts" && parts[5].StartsWith($"assumed-role/{role}/", StringComparison.Ordinal) ? Match.Perhaps : Match.No;
    }

    // In the order of how much they say.
    private enum Match
    {
        No,
        Perhaps,
        Account,
        Yes,
    }
}
