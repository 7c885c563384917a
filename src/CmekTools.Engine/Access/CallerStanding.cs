namespace CmekTools.Engine.Access;

/// <summary>Who calls a cloud, and for how long.</summary>
/// <param name="Result">Pass where the cloud took the credentials; Warn where they end soon or cannot be renewed.</param>
/// <param name="Who">The identity, or the cloud where that is not told.</param>
/// <param name="Seen">What was seen.</param>
/// <param name="Remedy">What to do, or null.</param>
internal sealed record CallerStanding(CmekCheckResult Result, string Who, string Seen, string? Remedy = null);
