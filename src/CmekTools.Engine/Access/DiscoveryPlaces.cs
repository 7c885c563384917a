namespace CmekTools.Engine.Access;

/// <summary>Where keys are looked for by their marks.</summary>
/// <param name="Regions">AWS: the regions; all that there are where empty.</param>
/// <param name="Projects">Google Cloud: the projects; the session's where empty.</param>
internal sealed record DiscoveryPlaces(IReadOnlyList<string> Regions, IReadOnlyList<string> Projects)
{
    /// <summary>The failure of one place in a search.</summary>
    public static CmekException NotSearched(string place, Exception failure) => new(
        "PlaceNotSearched",
        CmekErrorKind.ResourceUnavailable,
        $"{place} could not be looked at, so keys there are not found: {failure.Message}",
        "What was found elsewhere is good. Run the command again for this place, or cut its keys by Revoke-CmekAccess -KeyUri and "
            + "-AuthPrincipal.",
        place,
        failure);
}
