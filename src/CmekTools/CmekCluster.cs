namespace CmekTools;

/// <summary>The organization that the API key belongs to.</summary>
public sealed record CmekOrganization
{
    /// <summary>The id; on AWS it is the external ID in the role's trust policy.</summary>
    public required string Id { get; init; }

    /// <summary>The name.</summary>
    public required string Name { get; init; }

    /// <summary>The label that appears in addresses.</summary>
    public string? Label { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Id})";
}

/// <summary>One region of a cluster.</summary>
public sealed record CmekRegion
{
    /// <summary>The cloud provider's name of the region, for example <c>us-east-1</c> or <c>us-central1</c>.</summary>
    public required string Name { get; init; }

    /// <summary>How many nodes run there.</summary>
    public int NodeCount { get; init; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A CockroachDB Cloud cluster as the Cloud API shows it.</summary>
public sealed record CmekCluster
{
    /// <summary>The cluster's id (a UUID).</summary>
    public required string Id { get; init; }

    /// <summary>The cluster's name.</summary>
    public required string Name { get; init; }

    /// <summary>The cloud it runs on.</summary>
    public CmekProvider Provider { get; init; }

    /// <summary>ADVANCED (older: DEDICATED), STANDARD or BASIC.</summary>
    public required string Plan { get; init; }

    /// <summary>CREATING, CREATED, CREATION_FAILED, DELETED or LOCKED.</summary>
    public required string State { get; init; }

    /// <summary>What the service is doing to the cluster now, for example CRDB_CMEK_OPERATION_RUNNING.</summary>
    public string? OperationStatus { get; init; }

    /// <summary>The AWS account number or Google Cloud project id that belongs to the cluster.</summary>
    public string? AccountId { get; init; }

    /// <summary>PUBLIC or PRIVATE; CMEK needs PRIVATE.</summary>
    public string? NetworkVisibility { get; init; }

    /// <summary>The CockroachDB version.</summary>
    public string? CockroachVersion { get; init; }

    /// <summary>The regions, in the service's order.</summary>
    public IReadOnlyList<CmekRegion> Regions { get; init => field = Lists.Indexable(value); } = Lists.Indexable<CmekRegion>([]);

    /// <summary>When it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>True where the plan can have CMEK (ADVANCED, older DEDICATED).</summary>
    public bool SupportsCmek => Plan is "ADVANCED" or "DEDICATED";

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Id})";
}
