namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>Puts the policies together: key or trust policy, the caller's own policies, its boundary and its session's policy.</summary>
internal static class Authorizer
{
    /// <summary>Decides an action that only the caller's own policies rule.</summary>
    /// <returns>Null where it is allowed; else the end of AWS's message.</returns>
    public static string? Decide(PolicyQuestion question) => OwnDeny(question) ?? Organization(question) ?? OwnAllow(question);

    /// <summary>Decides an action on something that has a policy of its own.</summary>
    /// <param name="question">The question.</param>
    /// <param name="policy">The thing's policy.</param>
    /// <param name="kind">What kind of policy that is.</param>
    /// <param name="owner">The account that the thing belongs to.</param>
    /// <returns>Null where it is allowed; else the end of AWS's message.</returns>
    public static string? Decide(PolicyQuestion question, PolicyDocument policy, PolicyKind kind, string owner)
    {
        PolicyAnswer answer = PolicyEvaluation.Evaluate(policy, question, kind);
        if (answer.Denies)
        {
            return "with an explicit deny in a resource-based policy";
        }

        if ((OwnDeny(question) ?? Organization(question)) is { } deny)
        {
            return deny;
        }

        if (answer.Allows == Reach.None)
        {
            return $"because no resource-based policy allows the {question.Action} action";
        }

        // From another account both sides have to allow it; an account that is only named as a whole decides by its own policies.
        if (answer.Allows == Reach.Account || question.Caller.AccountId != owner)
        {
            return OwnAllow(question);
        }

        // AWS: what a resource's policy gives to a role is still limited by the role's boundary and the session's policy, even where these
        // merely do not allow it. What it gives to a user or to one session by its own ARN is not.
        return answer.Allows == Reach.Role ? Limits(question) : null;
    }

    /// <summary>True for a reason that nothing else outweighs.</summary>
    public static bool IsExplicit(string reason) => reason.StartsWith("with an explicit deny", StringComparison.Ordinal);

    /// <summary>What the organization's service control policies have against a call; they limit everybody in the account.</summary>
    /// <returns>Null where they let it; else the end of AWS's message.</returns>
    public static string? Organization(PolicyQuestion question)
    {
        if (question.Organization.Any(p => PolicyEvaluation.Evaluate(p, question, PolicyKind.Identity).Denies))
        {
            return "with an explicit deny in a service control policy";
        }

        return question.Organization.Count == 0 || question.Organization.Any(p => Allows(p, question))
            ? null
            : $"because no service control policy allows the {question.Action} action";
    }

    /// <summary>True where the caller's boundary allows what is asked; a caller without one is not limited.</summary>
    public static bool WithinBoundary(PolicyQuestion question) => question.Caller.Boundary is not { } boundary
        || (Allows(boundary, question) && !PolicyEvaluation.Evaluate(boundary, question, PolicyKind.Identity).Denies);

    private static string? OwnDeny(PolicyQuestion question)
    {
        if (question.Caller.Identity.Any(p => PolicyEvaluation.Evaluate(p, question, PolicyKind.Identity).Denies))
        {
            return "with an explicit deny in an identity-based policy";
        }

        if (question.Caller.Boundary is { } boundary && PolicyEvaluation.Evaluate(boundary, question, PolicyKind.Identity).Denies)
        {
            return "with an explicit deny in a permissions boundary";
        }

        return question.Caller.SessionPolicy is { } session && PolicyEvaluation.Evaluate(session, question, PolicyKind.Identity).Denies
            ? "with an explicit deny in a session policy"
            : null;
    }

    private static string? OwnAllow(PolicyQuestion question) =>
        question.Caller.Identity.Any(p => Allows(p, question))
            ? Limits(question)
            : $"because no identity-based policy allows the {question.Action} action";

    private static string? Limits(PolicyQuestion question)
    {
        if (question.Caller.Boundary is { } boundary && !Allows(boundary, question))
        {
            return $"because no permissions boundary allows the {question.Action} action";
        }

        return question.Caller.SessionPolicy is { } session && !Allows(session, question)
            ? $"because no session policy allows the {question.Action} action"
            : null;
    }

    private static bool Allows(PolicyDocument policy, PolicyQuestion question) =>
        PolicyEvaluation.Evaluate(policy, question, PolicyKind.Identity).Allows != Reach.None;
}
