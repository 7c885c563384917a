using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether a trust policy lets the cluster's account assume a role, and whom else.</summary>
internal static class TrustEvaluator
{
    private const string Assume = "sts:AssumeRole";
    private static readonly string[] s_assuming = [Assume, "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"];

    /// <summary>Evaluates a trust policy for an account with the right external ID, without one and with others.</summary>
    public static TrustDecision Decide(PolicyDocument trust, string account, string externalId, DateTimeOffset now)
    {
        PolicyPrincipal who = new(account);
        PolicyDecision Ask(PolicyDocument document, string? id) =>
            PolicyEvaluator.Resource(document, who, Assume, null, PolicyContext.ForTrust(who, id, now));
        PolicyDecision right = Ask(trust, externalId);
        PolicyDecision[] wrong = [Ask(trust, null), Ask(trust, "an-external-id-of-somebody-else")];
        PolicyDecision[] listed = [.. ExternalIds(trust).Where(id => id != externalId).Select(id => Ask(trust, id))];
        PolicyDecision? open = wrong.FirstOrDefault(d => Lets(d.Answer));
        PolicyDocument bare = trust.Clone();
        foreach (JsonObject statement in bare.Statements)
        {
            statement.Remove("Condition");
        }

        ExternalIdDemand demand = open is not null ? ExternalIdDemand.None
            : wrong.Any(d => d.Answer == PolicyAnswer.Unknown) ? ExternalIdDemand.Unknown
            : listed.Any(d => d.Answer != PolicyAnswer.Denied && d.Answer != PolicyAnswer.NotAllowed) ? ExternalIdDemand.TakesOthers
            : ExternalIdDemand.Exact;
        Decision assume = Lets(right.Answer) ? Decision.Allowed : right.Answer == PolicyAnswer.Unknown ? Decision.Perhaps : Decision.Denied;
        string reason = (assume, demand) switch
        {
            (Decision.Allowed, ExternalIdDemand.None) => $"{open!.Reason} whatever the external ID is",
            (Decision.Allowed, ExternalIdDemand.Unknown) => wrong.First(d => d.Answer == PolicyAnswer.Unknown).Reason,
            (
                Decision.Allowed,
                ExternalIdDemand.TakesOthers) => $"{listed.First(d => Lets(d.Answer) || d.Answer == PolicyAnswer.Unknown).Reason} with "
                    + "other external IDs too",
            _ => right.Reason,
        };
        return new TrustDecision(assume, demand, Lets(Ask(bare, externalId).Answer), reason);
    }

    /// <summary>
    /// Whoever else a trust policy names: accounts, their principals, services, identity providers, and everybody but somebody.
    /// </summary>
    public static IEnumerable<string> Others(PolicyDocument trust, string account) => trust.Statements
        .Where(s => PolicyJson.Text(s, "Effect") == "Allow" && s_assuming.Any(a => PolicyEvaluator.HasAction(s, a)))
        .SelectMany(Named)
        .Where(p => p != account && !p.Contains($"::{account}:", StringComparison.Ordinal))
        .Distinct();

    private static IEnumerable<string> Named(JsonObject statement)
    {
        if (statement.ContainsKey("NotPrincipal"))
        {
            return ["everybody whom NotPrincipal does not name"];
        }

        return statement["Principal"] is JsonObject kinds
            ? kinds.SelectMany(k => PolicyJson.Strings(k.Value))
            : PolicyJson.Strings(statement["Principal"]);
    }

    // Every id that a condition names, a pattern as a text that fits it.
    private static IEnumerable<string> ExternalIds(PolicyDocument trust) => trust.Statements
        .Select(s => s["Condition"]).OfType<JsonObject>()
        .SelectMany(c => c).Select(o => o.Value).OfType<JsonObject>()
        .SelectMany(k => k).Where(k => string.Equals(k.Key, "sts:ExternalId", StringComparison.OrdinalIgnoreCase))
        .SelectMany(k => PolicyJson.Strings(k.Value))
        .Select(id => id.Replace("*", "other", StringComparison.Ordinal).Replace('?', 'x'))
        .Distinct();

    private static bool Lets(PolicyAnswer answer) => answer is PolicyAnswer.Allowed or PolicyAnswer.Delegated;
}
