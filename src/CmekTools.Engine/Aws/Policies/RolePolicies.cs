namespace CmekTools.Engine.Aws.Policies;

/// <summary>A policy of a role, with the name to find it by.</summary>
/// <param name="Name">The inline policy's name, or the managed one's ARN.</param>
/// <param name="Document">The policy.</param>
internal sealed record NamedPolicy(string Name, PolicyDocument Document);

/// <summary>A role's own policies, as far as they can be seen.</summary>
/// <param name="Policies">Name and document.</param>
/// <param name="Unseen">Why some could not be read; null where all were.</param>
internal sealed record RolePolicies(IReadOnlyList<NamedPolicy> Policies, string? Unseen)
{
    /// <summary>What they say to a call, their denies and allows apart.</summary>
    public PolicyFindings Find(string action, string resource, PolicyContext context)
    {
        List<StatementFinding> denies = [];
        List<StatementFinding> allows = [];
        foreach (NamedPolicy policy in Policies)
        {
            PolicyFindings one = PolicyEvaluator.OfIdentity(policy.Document, action, resource, context);
            denies.AddRange(one.Denies.Select(d => d with { Reason = $"in the role's policy {policy.Name}, {d.Reason}" }));
            allows.AddRange(one.Allows.Select(a => a with { Reason = $"in the role's policy {policy.Name}, {a.Reason}" }));
        }

        return new PolicyFindings(denies, allows);
    }
}
