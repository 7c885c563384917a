namespace CmekTools.Engine.Clusters;

/// <summary>What became of a change whose answer was lost.</summary>
internal enum Fate
{
    /// <summary>What there is now does not tell.</summary>
    Untold,

    /// <summary>It was made after all.</summary>
    Made,

    /// <summary>It was not made.</summary>
    NotMade,
}
