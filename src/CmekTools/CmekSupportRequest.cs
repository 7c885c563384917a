namespace CmekTools;

/// <summary>What a support request to the vendor is about.</summary>
public enum CmekSupportPurpose : long
{
    /// <summary>Turn on CMEK for the organization.</summary>
    EnableOrganization,
    /// <summary>Bring a cluster back after a revocation.</summary>
    Recover,
    /// <summary>Move a cluster back to CockroachDB-managed encryption.</summary>
    Disable,
}

/// <summary>The text for the vendor's ticket. It holds nothing secret.</summary>
public sealed record CmekSupportRequest
{
    /// <summary>What it is about.</summary>
    public CmekSupportPurpose Purpose { get; init; }

    /// <summary>The subject line.</summary>
    public required string Subject { get; init; }

    /// <summary>The text.</summary>
    public required string Body { get; init; }

    /// <summary>The organization's id.</summary>
    public required string OrganizationId { get; init; }

    /// <summary>The cluster's id, or null.</summary>
    public string? ClusterId { get; init; }

    /// <summary>Where it goes.</summary>
    public Uri Address { get; init; } = new("https://support.cockroachlabs.com/");

    /// <inheritdoc/>
    public override string ToString() => Subject + Environment.NewLine + Environment.NewLine + Body;
}
