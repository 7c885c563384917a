namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether the cluster's account may assume a role.</summary>
/// <param name="Allowed">True, false, or null where it hangs on what cannot be seen.</param>
/// <param name="NeedsExternalId">True where the right external ID is needed.</param>
/// <param name="AllowedWithoutConditions">True where only conditions (the external ID first of all) are in the way.</param>
/// <param name="Reason">Why.</param>
internal sealed record TrustVerdict(bool? Allowed, bool NeedsExternalId, bool AllowedWithoutConditions, string Reason);
