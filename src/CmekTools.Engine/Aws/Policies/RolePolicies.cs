namespace CmekTools.Engine.Aws.Policies;

/// <summary>Something that was looked at: there, not there, or not to be seen.</summary>
/// <param name="Value">What was seen.</param>
/// <param name="Missing">True where the service says that it does not exist.</param>
/// <param name="Why">Why it could not be seen.</param>
internal sealed record Seen<T>(T? Value, bool Missing, string? Why)
    where T : class;

/// <summary>A role's own policies, as far as they can be seen.</summary>
/// <param name="Policies">Name and document.</param>
/// <param name="Unseen">Why some could not be read; null where all were.</param>
internal sealed record RolePolicies(IReadOnlyList<(string Name, PolicyDocument Document)> Policies, string? Unseen)
{
    /// <summary>What they say to a call.</summary>
    public PolicyDecision Decide(string action, string resource, PolicyContext context)
    {
        PolicyDecision? allowed = null;
        PolicyDecision? unknown = null;
        foreach ((string name, PolicyDocument document) in Policies)
        {
            PolicyDecision decision = PolicyEvaluator.Identity(document, action, resource, context);
            PolicyDecision named = decision with { Reason = $"in the role's policy {name}, {decision.Reason}" };
            switch (decision.Answer)
            {
                case PolicyAnswer.Denied:
                    return named;
                case PolicyAnswer.Allowed:
                    allowed ??= named;
                    break;
                case PolicyAnswer.Unknown:
                    unknown ??= named;
                    break;
            }
        }

        if (Unseen is not null)
        {
            return allowed is not null && unknown is null
                ? allowed
                : new PolicyDecision(
                    PolicyAnswer.Unknown,
                    $"the role's own policies could not be read, so whether they allow or deny {action} is not known ({Unseen})");
        }

        return unknown ?? allowed ?? new PolicyDecision(PolicyAnswer.NotAllowed, $"the role's own policies do not allow {action}");
    }
}
