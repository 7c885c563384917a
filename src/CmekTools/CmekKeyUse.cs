namespace CmekTools;

/// <summary>What kind of use of a key a row tells of.</summary>
public enum CmekKeyUseKind : long
{
    /// <summary>A cluster lists the key, or another copy of it.</summary>
    Cluster,
    /// <summary>A tag, label, statement or binding names a cluster.</summary>
    Mark,
    /// <summary>A principal that the key's policy lets use it.</summary>
    Principal,
    /// <summary>A live grant (AWS).</summary>
    Grant,
    /// <summary>A copy in another region (AWS multi-region keys).</summary>
    Replica,
    /// <summary>The last new material.</summary>
    Rotation,
    /// <summary>Something that could not be read: it may be a use.</summary>
    Unread,
}

/// <summary>One use of a key: who or what is hit when it is cut off or deleted.</summary>
public sealed record CmekKeyUse
{
    /// <summary>The key.</summary>
    public required string KeyUri { get; init; }

    /// <summary>What kind of use.</summary>
    public CmekKeyUseKind Kind { get; init; }

    /// <summary>Who: a cluster's name and region, a principal, a grant's id, a copy's URI, a date.</summary>
    public required string Name { get; init; }

    /// <summary>What about it.</summary>
    public required string Detail { get; init; }

    /// <summary>True where Remove-CmekKey refuses because of it.</summary>
    public bool KeepsKey { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Detail})";
}
