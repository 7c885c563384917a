using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether a trust policy lets the cluster's account assume a role, and whom else.</summary>
internal static class TrustPolicies
{
    public static TrustVerdict JudgeTrust(PolicyDocument trust, string account, string externalId, DateTimeOffset now)
    {
        PolicyPrincipal who = new(account);
        PolicyDecision right = PolicyEvaluator.Resource(trust, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, externalId, now));
        PolicyDecision none = PolicyEvaluator.Resource(trust, who, "sts:AssumeRole", null, PolicyContext.ForTrust(who, null, now));
        PolicyDecision other = PolicyEvaluator.Resource(
            trust,
            who,
            "sts:AssumeRole",
            null,
            PolicyContext.ForTrust(who, "an-external-id-of-somebody-else", now));
        bool open = none.Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated
            || other.Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated;
        PolicyDocument bare = trust.Clone();
        foreach (JsonObject statement in bare.Statements)
        {
            statement.Remove("Condition");
        }

        bool withoutConditions = PolicyEvaluator.Resource(
            bare,
            who,
            "sts:AssumeRole",
            null,
            PolicyContext.ForTrust(who, externalId, now)).Answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated;
        bool? allowed = right.Answer switch
        {
            PolicyAnswer.Allowed or PolicyAnswer.Delegated => true,
            PolicyAnswer.Unknown => null,
            _ => false,
        };
        string reason = open && allowed == true
            ? $"{(none.Answer is PolicyAnswer.Allowed ? none : other).Reason} whatever the external ID is"
            : right.Reason;
        return new TrustVerdict(allowed, !open, withoutConditions, reason);
    }

    public static IEnumerable<string> OtherTrusted(PolicyDocument trust, string account) => trust.Statements
        .Where(
            s => PolicyJson.Text(s, "Effect") == "Allow"
                && PolicyJson.Strings(s["Action"]).Any(a => PolicyEvaluator.Like(a, "sts:AssumeRole", ignoreCase: true)))
        .SelectMany(s => s["Principal"] is JsonObject named ? PolicyJson.Strings(named["AWS"]) : PolicyJson.Strings(s["Principal"]))
        .Where(p => p != account && !p.Contains($"::{account}:", StringComparison.Ordinal))
        .Distinct();
}
