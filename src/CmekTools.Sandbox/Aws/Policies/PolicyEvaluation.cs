namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>What is asked: who, what, on what, and the values that conditions look at.</summary>
internal sealed record PolicyQuestion(AwsCaller Caller, string Action, string Resource)
{
    /// <summary>The values by condition key; what is not in it is absent.</summary>
    public Dictionary<string, IReadOnlyList<string>> Keys { get; init; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The service control policies of the caller's account.</summary>
    public IReadOnlyList<PolicyDocument> Organization { get; init; } = [];
}

/// <summary>How a policy's Allow reaches the caller; the greater reach counts.</summary>
internal enum Reach
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>It names the caller's account: the account's own policies decide.</summary>
    Account,

    /// <summary>It names the role of the caller's session.</summary>
    Role,

    /// <summary>It names the caller itself, or everybody.</summary>
    Caller,
}

/// <summary>What one policy says to a question.</summary>
internal readonly record struct PolicyAnswer(bool Denies, Reach Allows);

/// <summary>Evaluates one policy.</summary>
internal static class PolicyEvaluation
{
    /// <summary>What a policy says to a question.</summary>
    public static PolicyAnswer Evaluate(PolicyDocument policy, PolicyQuestion question, PolicyKind kind)
    {
        bool denies = false;
        Reach allows = Reach.None;
        foreach (PolicyStatement statement in policy.Statements)
        {
            Reach reach = kind == PolicyKind.Identity ? Reach.Caller : ReachOf(statement, question.Caller);
            if (reach == Reach.None || !Applies(statement, question, kind))
            {
                continue;
            }

            denies |= statement.IsDeny;
            allows = !statement.IsDeny && reach > allows ? reach : allows;
        }

        return new PolicyAnswer(denies, allows);
    }

    private static bool Applies(PolicyStatement statement, PolicyQuestion question, PolicyKind kind) =>
        statement.Actions.Any(a => Wildcard.Fits(a, question.Action, StringComparison.OrdinalIgnoreCase)) != statement.NotAction
        && (kind == PolicyKind.Trust || statement.Resources.Any(r => Wildcard.Fits(r, question.Resource)) != statement.NotResource)
        && statement.Conditions.All(c => ConditionOperators.Holds(c, question.Keys.GetValueOrDefault(c.Key)));

    private static Reach ReachOf(PolicyStatement statement, AwsCaller caller)
    {
        Reach named = statement.Principals.Select(p => ReachOf(p, caller)).Max();
        if (!statement.NotPrincipal)
        {
            return named;
        }

        // AWS: an account that is excepted as a whole does not except its users and roles; each has to be named.
        bool excepted = named != Reach.None && (named != Reach.Account || caller.Arn == AwsIds.Root(caller.AccountId));
        return excepted ? Reach.None : Reach.Caller;
    }

    private static Reach ReachOf(string principal, AwsCaller caller)
    {
        // A root user's own ARN is its account's; it is reached like the account, and its own policies allow all.
        if (principal == AwsIds.Root(caller.AccountId))
        {
            return Reach.Account;
        }

        if (principal == "*" || principal == caller.Arn)
        {
            return Reach.Caller;
        }

        return principal != caller.UniqueId ? Reach.None : caller.Arn == caller.PrincipalArn ? Reach.Caller : Reach.Role;
    }
}
