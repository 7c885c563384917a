namespace CmekTools.Engine.Access;

/// <summary>What a key says itself of who switched it off.</summary>
internal enum RetirementMark
{
    /// <summary>It could not be read.</summary>
    Unread,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>A revocation: a restore, on whatever machine, brings it back.</summary>
    Revocation,
}
