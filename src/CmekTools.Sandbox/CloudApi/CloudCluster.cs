namespace CmekTools.Sandbox.CloudApi;

/// <summary>The states of a cluster's, a region's and a key's encryption, as the wire spells them.</summary>
internal enum CmekState
{
    DISABLED,
    DISABLING,
    DISABLE_FAILED,
    ENABLED,
    ENABLING,
    ENABLE_FAILED,
    ROTATING,
    ROTATE_FAILED,
    REVOKED,
    REVOKING,
    REVOKE_FAILED,
}

/// <summary>Which key, and as whom.</summary>
internal sealed record KeySpec(string Type, string Uri, string Principal)
{
    /// <summary>The type that means "no customer key".</summary>
    public const string NullType = "NULL_KMS";

    /// <summary>True for "no customer key".</summary>
    public bool IsNull => Type == NullType;
}

/// <summary>A key that a region uses, used or failed to use.</summary>
internal sealed class CloudKey(KeySpec spec, CmekState status, DateTimeOffset now)
{
    public KeySpec Spec { get; } = spec;

    public CmekState Status { get; private set; } = status;

    public string UserMessage { get; private set; } = string.Empty;

    public DateTimeOffset CreatedAt { get; } = now;

    public DateTimeOffset UpdatedAt { get; private set; } = now;

    public void Set(CmekState status, DateTimeOffset now, string userMessage = "")
    {
        Status = status;
        UserMessage = userMessage;
        UpdatedAt = now;
    }
}

/// <summary>What is being done to a region's encryption.</summary>
/// <param name="Key">The key that it is about.</param>
/// <param name="Goal">The state where it succeeds.</param>
/// <param name="Otherwise">The state where the key cannot be used at the end.</param>
/// <param name="Since">When it began. How long it takes is asked when somebody looks, for the options may change while it runs.</param>
internal sealed record CmekOperation(CloudKey Key, CmekState Goal, CmekState Otherwise, DateTimeOffset Since);

/// <summary>A region of a cluster.</summary>
internal sealed class CloudRegion(string name, int nodeCount)
{
    public string Name { get; } = name;

    public int NodeCount { get; set; } = nodeCount;

    public CmekState Status { get; set; } = CmekState.DISABLED;

    /// <summary>Newest first, past ones too.</summary>
    public List<CloudKey> Keys { get; } = [];

    /// <summary>The key that the region's data hangs on; null where it is not the customer's.</summary>
    public CloudKey? Current { get; set; }

    public CmekOperation? Operation { get; set; }

    /// <summary>How often the store key was wrapped again.</summary>
    public int Rewraps { get; set; }

    /// <summary>Nodes were restarted and found no key.</summary>
    public bool NodesDown { get; set; }

    /// <summary>Revoked and not brought back: nobody can read the data, whatever the status says about attempts since.</summary>
    public bool Sealed { get; set; }
}

/// <summary>A cluster of the sandbox.</summary>
internal sealed class CloudCluster
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required string Provider { get; init; }

    public required string AccountId { get; init; }

    public required string Plan { get; set; }

    public required string NetworkVisibility { get; set; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset UpdatedAt { get; set; }

    /// <summary>When CREATING began; null where it is over.</summary>
    public DateTimeOffset? CreatingSince { get; set; }

    /// <summary>When adding nodes began; null where it is over.</summary>
    public DateTimeOffset? ScalingSince { get; set; }

    /// <summary>A state set behind the scenes, LOCKED for example; null where the cluster's own life decides.</summary>
    public string? ForcedState { get; set; }

    public string CockroachVersion { get; init; } = "v25.2.3";

    public string CidrRange { get; init; } = "172.28.0.0/14";

    public CloudHardware Hardware { get; set; } = new(4, 15);

    public IReadOnlyDictionary<string, string> Labels { get; set; } = new SortedDictionary<string, string>();

    public string DeleteProtection { get; set; } = "DISABLED";

    public List<CloudRegion> Regions { get; } = [];

    /// <summary>GET cmek answers 404 until it has.</summary>
    public bool EverEncrypted { get; set; }

    /// <summary>
    /// The key was seen to be out of reach since the last REVOKE. Only then may access that works mean that it was given back.
    /// </summary>
    public bool CutSeen { get; set; }

    public bool IsDedicated => Plan is not ("BASIC" or "STANDARD");

    public bool IsEncrypted => Regions.Any(r => r.Current is not null);

    public bool IsCmekRunning => Regions.Any(r => r.Operation is not null);

    public CloudRegion? Region(string name) => Regions.Find(r => r.Name == name);

    public string State => ForcedState ?? (CreatingSince is null ? "CREATED" : "CREATING");

    public string OperationStatus => this switch
    {
        { IsCmekRunning: true } => "CRDB_CMEK_OPERATION_RUNNING",
        { ScalingSince: not null } => "CRDB_SCALE_RUNNING",
        _ when Regions.Any(r => CmekStates.IsFailed(r.Status)) => "CRDB_CMEK_OPERATION_FAILED",
        _ => "UNSPECIFIED",
    };
}

/// <summary>The machines of a cluster.</summary>
internal sealed record CloudHardware(int VirtualCpus, int StorageGib)
{
    public int MemoryGib => VirtualCpus * 4;

    public static string MachineType(string provider, int cpus) => provider switch
    {
        "AWS" => cpus <= 2 ? "m6i.large" : cpus == 4 ? "m6i.xlarge" : $"m6i.{cpus / 4}xlarge",
        "GCP" => $"n2-standard-{cpus}",
        _ => $"Standard_D{cpus}s_v5",
    };
}
