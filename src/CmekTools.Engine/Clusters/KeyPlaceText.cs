namespace CmekTools.Engine.Clusters;

/// <summary>The words for a key's place, as messages have them.</summary>
internal static class KeyPlaceText
{
    /// <summary>In words.</summary>
    public static string Of(CmekKeyPlace place) => place switch
    {
        CmekKeyPlace.InUse => "in use",
        CmekKeyPlace.Incoming => "on its way in",
        CmekKeyPlace.Failed => "failed",
        CmekKeyPlace.Past => "past",
        CmekKeyPlace.Unused => "not in use yet",
        _ => "place not known",
    };
}
