namespace CmekTools.Engine.Clusters;

/// <summary>A difference that whoever wrote the manifest knows of and agrees to, with the reason.</summary>
/// <param name="Kind">The difference's kind.</param>
/// <param name="Region">The region; null: each of the cluster's.</param>
/// <param name="Message">The difference's exact message, so that nothing new passes for what was agreed to; of a rotation not
/// needed.</param>
/// <param name="Reason">Why.</param>
internal sealed record AcceptedDifference(string? Kind, string? Region, string? Message, string? Reason)
{
    private const string RotationOff = "RotationOff";

    // Which key, principal and region is what a declaration says itself, and what is broken is not to be agreed to.
    private static readonly string[] s_kinds = [RotationOff, "Weakened", "OthersCanDecrypt", "TrustWeakened", "NotVisible"];

    /// <summary>What is wrong with it as an entry of a manifest, or null.</summary>
    public string? Fault => this switch
    {
        { Kind: var kind } when !s_kinds.Contains(kind) =>
            $"the kind '{kind}' cannot be accepted; {string.Join(", ", s_kinds)} can.",
        { Reason: var reason } when string.IsNullOrWhiteSpace(reason) => $"{Kind} has no reason.",
        { Message: null, Kind: not RotationOff } => $"{Kind} has no message: give the exact Message that Compare-CmekCluster shows.",
        _ => null,
    };

    /// <summary>True where this difference is the one agreed to.</summary>
    public bool Covers(CmekDifference difference) =>
        difference.Kind == Kind
        && (Region is null || string.Equals(Region, difference.Region, StringComparison.OrdinalIgnoreCase))
        && (Message is null || string.Equals(Message, difference.Message, StringComparison.Ordinal));
}
