namespace CmekTools.Engine.Aws;

/// <summary>What a kind of policy that only takes away says in a simulation.</summary>
internal enum SimulatedLimit
{
    /// <summary>The answer says nothing of it: there is none, or it was not looked at.</summary>
    NotSaid,

    /// <summary>It allows the call.</summary>
    Allows,

    /// <summary>It does not allow the call.</summary>
    Stops,
}

/// <summary>What a simulation of a principal's own policies comes to.</summary>
internal enum SimulatedAnswer
{
    /// <summary>An answer of a form that is not known here.</summary>
    Unknown,

    /// <summary>Policies ask for what it was not told.</summary>
    AsksForMore,

    /// <summary>A service control policy does not allow it.</summary>
    StoppedByOrganization,

    /// <summary>A policy denies it.</summary>
    Denied,

    /// <summary>The permissions boundary does not allow it.</summary>
    StoppedByBoundary,

    /// <summary>No policy of the principal's own allows it, and it needs one.</summary>
    NotAllowed,

    /// <summary>No policy of the principal's own allows it, and none is needed.</summary>
    NotStopped,

    /// <summary>The principal's own policies allow it.</summary>
    Allowed,
}

/// <summary>What IAM's simulator says of one call.</summary>
/// <param name="Action">The call.</param>
/// <param name="Decision"><c>allowed</c>, <c>implicitDeny</c> or <c>explicitDeny</c>.</param>
/// <param name="Missing">The condition keys that policies ask for and that it was not told.</param>
/// <param name="Organization">The organization's service control policies.</param>
/// <param name="Boundary">The permissions boundary.</param>
internal sealed record SimulatedCall(
    string Action,
    string Decision,
    IReadOnlyList<string> Missing,
    SimulatedLimit Organization,
    SimulatedLimit Boundary)
{
    /// <summary>What the answer comes to.</summary>
    /// <param name="needsOwn">
    /// True where the key policy leaves the call to the principal's own policies, so that it needs an Allow of its own.
    /// </param>
    public SimulatedAnswer Answer(bool needsOwn) => this switch
    {
        { Missing.Count: > 0 } => SimulatedAnswer.AsksForMore,
        { Organization: SimulatedLimit.Stops } => SimulatedAnswer.StoppedByOrganization,
        { Decision: "explicitDeny" } => SimulatedAnswer.Denied,
        { Boundary: SimulatedLimit.Stops } => SimulatedAnswer.StoppedByBoundary,
        { Decision: "allowed" } => SimulatedAnswer.Allowed,
        { Decision: "implicitDeny" } => needsOwn ? SimulatedAnswer.NotAllowed : SimulatedAnswer.NotStopped,
        _ => SimulatedAnswer.Unknown,
    };
}
