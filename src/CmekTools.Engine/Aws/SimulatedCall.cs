namespace CmekTools.Engine.Aws;

/// <summary>What IAM's simulator says of one call.</summary>
/// <param name="Decision"><c>allowed</c>, <c>implicitDeny</c> or <c>explicitDeny</c>.</param>
/// <param name="Missing">The condition keys that policies ask for and that it was not told.</param>
internal sealed record SimulatedCall(string Decision, IReadOnlyList<string> Missing);
