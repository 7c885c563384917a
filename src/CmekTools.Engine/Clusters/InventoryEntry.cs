namespace CmekTools.Engine.Clusters;

/// <summary>One key as it was last seen.</summary>
/// <param name="Region">The cluster's region.</param>
/// <param name="KeyUri">The key.</param>
/// <param name="Principal">The principal, or null.</param>
/// <param name="Place">Its place then; Past for one that the service no longer listed.</param>
/// <param name="SeenAt">When the service listed it last.</param>
internal sealed record InventoryKey(string Region, string KeyUri, string? Principal, CmekKeyPlace Place, DateTimeOffset SeenAt)
{
    /// <summary>
    /// True where this user's CmekTools saw it, here or on another machine. What anybody may have written is good for cutting access
    /// off, and gives nobody any.
    /// </summary>
    public bool Proven { get; init; } = true;

    /// <summary>The same key, with the same principal, in the same region.</summary>
    public bool IsSame(InventoryKey other) => Region == other.Region && KeyUri == other.KeyUri && Principal == other.Principal;
}

/// <summary>One cluster as it was last seen.</summary>
internal sealed record InventoryEntry
{
    /// <summary>The Cloud API that said so.</summary>
    public required string Server { get; init; }

    /// <summary>Its organization.</summary>
    public required CmekOrganization Organization { get; init; }

    /// <summary>The cluster.</summary>
    public required CmekCluster Cluster { get; init; }

    /// <summary>When it was seen last.</summary>
    public DateTimeOffset SeenAt { get; init; }

    /// <summary>True where this user sealed it.</summary>
    public bool Proven { get; init; }

    /// <summary>Every key that was ever seen of it.</summary>
    public IReadOnlyList<InventoryKey> Keys { get; init; } = [];
}
