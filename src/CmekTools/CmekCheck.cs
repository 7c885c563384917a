namespace CmekTools;

/// <summary>One thing that was looked at before acting.</summary>
public sealed record CmekCheck
{
    /// <summary>The check's stable name, for example <c>AwsKeyPolicyActions</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The verdict.</summary>
    public CmekCheckResult Result { get; init; }

    /// <summary>The cluster's id.</summary>
    public string? ClusterId { get; init; }

    /// <summary>The cluster's name.</summary>
    public string? ClusterName { get; init; }

    /// <summary>The region, or null for what concerns the whole cluster.</summary>
    public string? Region { get; init; }

    /// <summary>The resource looked at.</summary>
    public string? Target { get; init; }

    /// <summary>What was seen.</summary>
    public required string Seen { get; init; }

    /// <summary>What to do about it, a command that can be pasted where there is one; null for a pass.</summary>
    public string? Remedy { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Result} {Name}: {Seen}";
}
