using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>
/// IAM's own simulator as a second opinion of the role's side: its policies, its boundary and the organization's service control
/// policies, which cannot be read from here. It is not given the key policy: AWS simulates resource policies for users, not for roles.
/// </summary>
internal sealed class AwsOpinion(AwsClients clients)
{
    private const string Who = "IAM's simulator";

    /// <summary>Asks. Null where there is nothing to ask about: no role or no key, which other checks tell.</summary>
    public async Task<CmekCheck?> AskAsync(AwsAccessEvidence f, Operation op)
    {
        if (f.Iam.Missing || f.Data.Missing || f.Policy.Missing)
        {
            return null;
        }

        // As IAM spells it, with its path.
        string role = f.Iam.Value?.Arn ?? f.Role.Text;
        Evidence<IReadOnlyList<SimulatedCall>> asked = await AwsEvidence.TryReadAsync(AwsErrors.CallAsync(
            "iam:SimulatePrincipalPolicy",
            role,
            ct => clients.Iam(f.Key.Partition).SimulateAsync(role, OurStatements.Calls, f.Key, ct),
            op.Cancellation)).ConfigureAwait(false);
        return asked.Value is { } calls
            ? Of(f, calls)
            : f.OnRole(
                SecondOpinion.OfAws,
                CmekCheckResult.Unknown,
                $"{Who} gave no second opinion, and the other checks stand without it: {asked.Why}",
                $"Have iam:SimulatePrincipalPolicy on {role} granted to whoever runs this, in the role's own account.");
    }

    /// <summary>What the answers make of it.</summary>
    public static CmekCheck Of(AwsAccessEvidence f, IReadOnlyList<SimulatedCall> calls)
    {
        SimulatedLimit organization = calls.Select(c => c.Organization).DefaultIfEmpty(SimulatedLimit.NotSaid).Max();
        return SecondOpinion.Check(
            f.Target,
            SecondOpinion.OfAws,
            f.Role.Text,
            Who,
            [.. OurStatements.Calls.Select(c => On(f, c, calls.FirstOrDefault(s => Same(s.Action, c))))],
            (organization switch
            {
                // aws/aws-sdk#102
                SimulatedLimit.Stops => "A condition in a service control policy may make it stop what a real request would pass. ",
                SimulatedLimit.NotSaid => "It said nothing of an organization's service control policies. ",
                _ => string.Empty,
            })
                + "It does not look at the key policy, at grants, at session policies and at resource control policies.",
            $"aws iam simulate-principal-policy --policy-source-arn {f.Role.Text} --resource-arns {f.Key.Text} --action-names "
                + string.Join(' ', OurStatements.Calls) + " shows what it goes by.");
    }

    private static bool Same(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    private static Opinion On(AwsAccessEvidence f, string call, SimulatedCall? theirs)
    {
        bool needed = NeedsOwn(f, call);
        (Verdict ours, string our) = Ours(f, call);
        (Verdict verdict, string reason) = theirs is null ? (Verdict.Unsure, "its answer leaves it out") : Theirs(theirs, needed);
        return new Opinion(call, ours, our, verdict, reason);
    }

    private static (Verdict Verdict, string Reason) Theirs(SimulatedCall call, bool needed) => call.Answer(needed) switch
    {
        SimulatedAnswer.AsksForMore => (
            Verdict.Unsure,
            $"policies ask for {string.Join(", ", call.Missing)}, which it would have to be told"),
        SimulatedAnswer.StoppedByOrganization => (
            Verdict.Stops,
            $"the organization's service control policies do not allow it ({call.Decision})"),
        SimulatedAnswer.Denied => (Verdict.Stops, "a policy denies it (explicitDeny)"),
        SimulatedAnswer.StoppedByBoundary => (Verdict.Stops, $"the permissions boundary does not allow it ({call.Decision})"),
        SimulatedAnswer.Allowed => (Verdict.Lets, "the role's own policies allow it (allowed)"),
        SimulatedAnswer.NotAllowed => (
            Verdict.Stops,
            "the role's own policies do not allow it (implicitDeny), which the key policy leaves it to"),
        SimulatedAnswer.NotStopped => (
            Verdict.Lets,
            "nothing of the role's own stops it (implicitDeny: the key policy has to allow it)"),
        _ => (Verdict.Unsure, $"its answer is {call.Decision}"),
    };

    // The role's side alone, as the simulator looks at it.
    private static (Verdict Verdict, string Reason) Ours(AwsAccessEvidence f, string call)
    {
        PolicyFindings own = f.Principal.Own.Find(call, f.Key.Text, f.Access.Context);
        PolicyFindings? limit = f.Principal.Boundary?.Value is { } boundary
            ? PolicyEvaluator.OfIdentity(boundary, call, f.Key.Text, f.Access.Context)
            : null;
        if ((own.Denied ?? limit?.Denied) is { } denied)
        {
            return (Verdict.Stops, denied.Reason);
        }

        if (limit?.Allowed == Certainty.No)
        {
            return (Verdict.Stops, "the permissions boundary does not allow it");
        }

        if ((own.MayDeny ?? limit?.MayDeny ?? (limit?.Allowed == Certainty.Perhaps ? limit.Allow : null)) is { } perhaps)
        {
            return (Verdict.Unsure, perhaps.Reason);
        }

        return f.Principal.Own.Unseen is { } unseen
            ? (Verdict.Unsure, unseen)
            : limit is null && f.Principal.HasBoundary != Presence.Absent
                ? (Verdict.Unsure, "the permissions boundary could not be read")
                : (Verdict.Lets, "nothing of the role's own stops it");
    }

    // Does the call hang on an Allow of the role's own?
    private static bool NeedsOwn(AwsAccessEvidence f, string call) =>
        RoleKeyEvaluator.Decide(f.Access, call).Decision == Decision.Allowed
        && RoleKeyEvaluator.Decide(f.Access with { Own = new RolePolicies([], null) }, call).Decision != Decision.Allowed;
}
