using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>What all policies and grants together say to one call.</summary>
/// <param name="Decision">What they say.</param>
/// <param name="Reason">A line that says why.</param>
/// <param name="Explicit">True where a Deny was read that certainly holds, and does not hang on the time.</param>
internal sealed record PermissionDecision(Decision Decision, string Reason, bool Explicit = false);
