using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>What a trust policy asks of the external ID.</summary>
internal enum ExternalIdDemand
{
    /// <summary>Whether it asks for one hangs on what cannot be seen from here.</summary>
    Unknown,

    /// <summary>A statement lets the account in without it.</summary>
    None,

    /// <summary>It asks for one, and takes others than the organization's.</summary>
    TakesOthers,

    /// <summary>It asks for the organization's.</summary>
    Exact,
}

/// <summary>Whether the cluster's account may assume a role.</summary>
/// <param name="Assume">With the organization's id as external ID.</param>
/// <param name="ExternalId">What is asked of the external ID.</param>
/// <param name="AllowedWithoutConditions">True where only conditions (the external ID first of all) are in the way.</param>
/// <param name="Reason">Why.</param>
internal sealed record TrustDecision(Decision Assume, ExternalIdDemand ExternalId, bool AllowedWithoutConditions, string Reason);
