namespace CmekTools;

/// <summary>One way in which a cluster is not what was declared.</summary>
public sealed record CmekDifference
{
    /// <summary>The cluster's id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The region, or null for the whole cluster.</summary>
    public string? Region { get; init; }

    /// <summary>
    /// What kind of difference, a stable name: KeyChanged, PrincipalChanged, RegionMissing, RegionUndeclared, StateNotEnabled,
    /// TrustWeakened, OthersCanDecrypt, RotationOff, AccessBroken, Weakened (it works, but is less than it should be), NotVisible.
    /// </summary>
    public required string Kind { get; init; }

    /// <summary>What was declared.</summary>
    public string? Declared { get; init; }

    /// <summary>What is.</summary>
    public string? Actual { get; init; }

    /// <summary>What it means.</summary>
    public required string Message { get; init; }

    /// <summary>What to do, or null.</summary>
    public string? Remedy { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{ClusterName ?? ClusterId}{(Region is null ? string.Empty : "/" + Region)} {Kind}: {Message}";
}
