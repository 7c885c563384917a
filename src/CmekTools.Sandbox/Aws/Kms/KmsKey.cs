using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.Kms;

/// <summary>A key in one region.</summary>
internal sealed class KmsKey(string accountId, string region, string id, DateTimeOffset created, KmsMaterial material, StoredPolicy policy)
{
    /// <summary>The account.</summary>
    public string AccountId { get; } = accountId;

    /// <summary>The region.</summary>
    public string Region { get; } = region;

    /// <summary>The key id, the same in every region of a multi-region key.</summary>
    public string Id { get; } = id;

    /// <summary>The ARN.</summary>
    public string Arn { get; } = KmsStore.Arn(region, accountId, "key/" + id);

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; } = created;

    /// <summary>The material.</summary>
    public KmsMaterial Material { get; } = material;

    /// <summary>The key policy.</summary>
    public Lagged<StoredPolicy> Policy { get; } = new(policy);

    /// <summary>The tags.</summary>
    public SortedDictionary<string, string> Tags { get; } = new(StringComparer.Ordinal);

    /// <summary>The grants, ended ones too.</summary>
    public List<KmsGrant> Grants { get; } = [];

    /// <summary>For people.</summary>
    public string Description { get; set; } = string.Empty;

    /// <summary>SYMMETRIC_DEFAULT, RSA_2048, …</summary>
    public string Spec { get; init; } = "SYMMETRIC_DEFAULT";

    /// <summary>ENCRYPT_DECRYPT, SIGN_VERIFY or GENERATE_VERIFY_MAC.</summary>
    public string Usage { get; init; } = "ENCRYPT_DECRYPT";

    /// <summary>AWS_KMS or EXTERNAL.</summary>
    public string Origin { get; init; } = "AWS_KMS";

    /// <summary>The region of the primary key; null where this is no multi-region key.</summary>
    public string? PrimaryRegion { get; set; }

    /// <summary>False once it was disabled.</summary>
    public bool IsEnabled { get; set; } = true;

    /// <summary>A replica can be used from then on.</summary>
    public DateTimeOffset ReadyAt { get; init; } = DateTimeOffset.MinValue;

    /// <summary>Until then another copy is being made the primary: the key can be used, and is not settled.</summary>
    public DateTimeOffset UpdatingUntil { get; set; } = DateTimeOffset.MinValue;

    /// <summary>When it is deleted, where that is settled.</summary>
    public DateTimeOffset? DeletionDate { get; set; }

    /// <summary>The window of a primary key that waits for its replicas to go first.</summary>
    public int? WaitsForReplicas { get; set; }

    /// <summary>True where it is the primary key of a multi-region key.</summary>
    public bool IsPrimary => PrimaryRegion == Region;

    /// <summary>True for a key that encrypts data as a cluster needs it.</summary>
    public bool IsSymmetric => Spec == "SYMMETRIC_DEFAULT";

    /// <summary>AWS's name of its state.</summary>
    public string State(DateTimeOffset now) =>
        WaitsForReplicas is not null ? "PendingReplicaDeletion"
        : DeletionDate is not null ? "PendingDeletion"
        : now < ReadyAt ? "Creating"
        : Origin == "EXTERNAL" ? "PendingImport"
        : !IsEnabled ? "Disabled"
        : now < UpdatingUntil ? "Updating" : "Enabled";
}

/// <summary>A name for a key.</summary>
internal sealed record KmsAlias(string AccountId, string Region, string Name, string KeyId, DateTimeOffset Created, DateTimeOffset Updated)
{
    /// <summary>The ARN.</summary>
    public string Arn { get; } = KmsStore.Arn(Region, AccountId, Name);
}
