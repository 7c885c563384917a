using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// Google's Policy Troubleshooter (v3) as a second opinion: may the account use the key, and may the cluster's own principal take its
/// tokens? It joins allow policies, deny policies and principal access boundaries, which cannot be read from here, as far as the caller
/// may see them.
/// </summary>
internal sealed class GcpOpinion(GcpClients clients)
{
    private const string Who = "Policy Troubleshooter";

    /// <summary>Asks. Null where there is nothing to ask about: no account or no key, which other checks tell.</summary>
    public async Task<CmekCheck?> AskAsync(AccessTarget target, GcpAccessEvidence evidence, Operation op)
    {
        if (evidence.Key.Missing || evidence.Account.Missing)
        {
            return null;
        }

        string own = GcpNames.ClusterPrincipal(target.Cluster);
        string key = "//cloudkms.googleapis.com/" + target.KeyUri;

        // A full resource name has the account's unique id.
        string account = "//iam.googleapis.com/" + (evidence.Account.Value?["uniqueId"]?.ToString() is { Length: > 0 } id
            ? $"projects/{GcpNames.ParseAccount(target.AuthPrincipal).Project}/serviceAccounts/{id}"
            : GcpNames.AccountName(target.AuthPrincipal));
        Question[] questions =
        [
            new(target.AuthPrincipal, Permissions.Encrypt, key, Judge(evidence.KeyChain, target.AuthPrincipal, Permissions.Encrypt)),
            new(target.AuthPrincipal, Permissions.Decrypt, key, Judge(evidence.KeyChain, target.AuthPrincipal, Permissions.Decrypt)),
            new(own, Permissions.GetAccessToken, account, Judge(evidence.AccountChain, own, Permissions.GetAccessToken)),
        ];
        IGoogleCloud cloud = await clients.ConnectAsync(op).ConfigureAwait(false);
        JsonObject[] answers;
        try
        {
            answers = await Task.WhenAll(questions.Select(
                q => cloud.TroubleshootAsync(q.Principal, q.Resource, q.Permission, op.Session.Time.GetUtcNow(), op.Cancellation)))
                .ConfigureAwait(false);
        }
        catch (CmekServiceException e)
        {
            return target.Check(
                SecondOpinion.OfGoogle,
                CmekCheckResult.Unknown,
                target.KeyUri,
                $"{Who} gave no second opinion, and the other checks stand without it: {e.Message}",
                e.RecommendedAction ?? "Have roles/iam.securityReviewer on the project and what is above it granted to whoever runs this.");
        }

        return Of(target, questions, answers);

        PermissionDecision Judge(IReadOnlyList<ResourcePolicy> chain, string who, string permission) =>
            evidence.Evaluator.Decide(chain, 0, IamMembers.ServiceAccount(who), permission, Horizon.Now);
    }

    private static CmekCheck Of(AccessTarget target, IReadOnlyList<Question> questions, IReadOnlyList<JsonObject> answers)
    {
        bool boundaries = answers.All(a => Boundary(a).Length > 0);
        return SecondOpinion.Check(
            target,
            SecondOpinion.OfGoogle,
            target.KeyUri,
            Who,
            [.. questions.Zip(answers).Select(p => On(p.First, p.Second))],
            (boundaries ? string.Empty : "It said nothing of principal access boundaries. ")
                + "It does not look at the state of key and account, at organization policies and at VPC Service Controls.",
            $"gcloud policy-intelligence troubleshoot-policy iam {questions[0].Resource} --principal-email={questions[0].Principal} "
                + $"--permission={questions[0].Permission} shows what it goes by, as far as the caller may see it "
                + "(roles/iam.securityReviewer on the organization).");
    }

    private static Opinion On(Question question, JsonObject answer)
    {
        (Verdict ours, string our) = question.Ours.Decision switch
        {
            Decision.Allowed => (Verdict.Lets, question.Ours.Say(question.Principal, "do that")),
            Decision.Denied => (Verdict.Stops, question.Ours.Say(question.Principal, "do that")),
            _ => (Verdict.Unsure, question.Ours.Say(question.Principal, "do that")),
        };
        (Verdict theirs, string their) = Theirs(question.Principal, answer);
        return new Opinion(question.Permission, ours, our, theirs, their);
    }

    private static (Verdict Verdict, string Reason) Theirs(string principal, JsonObject answer)
    {
        string overall = answer["overallAccessState"]?.ToString() ?? "no state";
        string allow = State(answer["allowPolicyExplanation"], "allowAccessState", "ALLOW_ACCESS_STATE_");
        string deny = State(answer["denyPolicyExplanation"], "denyAccessState", "DENY_ACCESS_STATE_");
        string boundary = Boundary(answer);
        string[] told =
        [
            .. new[] { ("allow policies", allow), ("deny policies", deny), ("principal access boundaries", boundary) }
                .Where(p => p.Item2.Length > 0)
                .Select(p => $"{p.Item1} {p.Item2}"),
        ];
        string said = told.Length == 0 ? overall : $"{overall}: {string.Join(", ", told)}";

        // Each kind of policy can stop it; a part that is unknown leaves the whole so, whatever the answer's first word is.
        return overall == "CANNOT_ACCESS" || deny == "DENIED" || boundary == "NOT_ALLOWED"
            ? (Verdict.Stops, $"{principal} does not have it ({said})")
            : overall != "CAN_ACCESS" || new[] { allow, deny, boundary }.Any(s => s.StartsWith("UNKNOWN", StringComparison.Ordinal))
                ? (Verdict.Unsure, $"its answer for {principal} is {said}")
                : (Verdict.Lets, $"{principal} has it ({said})");
    }

    private static string Boundary(JsonObject answer) =>
        State(answer["pabPolicyExplanation"], "principalAccessBoundaryAccessState", "PAB_ACCESS_STATE_");

    private static string State(JsonNode? explanation, string field, string head) =>
        (explanation as JsonObject)?[field]?.ToString() is { } state && state != head + "UNSPECIFIED"
            ? state.StartsWith(head, StringComparison.Ordinal) ? state[head.Length..] : state
            : string.Empty;

    private sealed record Question(string Principal, string Permission, string Resource, PermissionDecision Ours);
}
