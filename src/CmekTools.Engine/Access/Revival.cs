namespace CmekTools.Engine.Access;

/// <summary>How far a key that is switched off is brought back.</summary>
internal enum Revival
{
    /// <summary>It stays as it is.</summary>
    None,

    /// <summary>
    /// As far as a revocation switched it off: what somebody had switched off before stays off, and what he had scheduled to be destroyed
    /// stays so. Of a key that tells nothing of it everything is brought back.
    /// </summary>
    AsItWas,

    /// <summary>So that it can be used, whatever it was before.</summary>
    ForUse,
}
