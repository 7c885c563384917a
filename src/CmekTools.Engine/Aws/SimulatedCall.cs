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
    SimulatedLimit Boundary);
