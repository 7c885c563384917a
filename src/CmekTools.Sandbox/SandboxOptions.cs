namespace CmekTools.Sandbox;

/// <summary>A cluster that the sandbox begins with.</summary>
/// <param name="Name">The cluster's name.</param>
/// <param name="Provider">AWS, GCP or AZURE.</param>
/// <param name="Regions">The regions, in the order in which they were asked for.</param>
internal sealed record SandboxClusterOptions(string Name, string Provider, IReadOnlyList<string> Regions)
{
    /// <summary>ADVANCED, STANDARD or BASIC.</summary>
    public string Plan { get; init; } = "ADVANCED";

    /// <summary>PRIVATE or PUBLIC.</summary>
    public string NetworkVisibility { get; init; } = "PRIVATE";

    /// <summary>A fixed id; made up where null.</summary>
    public string? Id { get; init; }

    /// <summary>Reads <c>NAME=AWS:us-east-1,us-west-2</c>.</summary>
    /// <exception cref="FormatException">The text has another form.</exception>
    public static SandboxClusterOptions Parse(string text)
    {
        string[] halves = text.Split('=', 2);
        string[] parts = halves.Length == 2 ? halves[1].Split(':', 2) : [];
        string[] regions = parts.Length == 2
            ? parts[1].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [];
        string provider = parts.Length == 2 ? parts[0].Trim().ToUpperInvariant() : string.Empty;
        if (string.IsNullOrWhiteSpace(halves[0]) || regions.Length == 0 || provider is not ("AWS" or "GCP" or "AZURE"))
        {
            throw new FormatException(
                $"'{text}' is not a cluster: give NAME=PROVIDER:REGION[,REGION…], for example shop=AWS:us-east-1,us-west-2.");
        }

        return Array.Find(regions, r => !CloudApi.KnownRegions.Has(provider, r)) is { } unknown
            ? throw new FormatException($"'{text}': {provider} has no region {unknown}.")
            : new SandboxClusterOptions(halves[0].Trim(), provider, regions);
    }
}

/// <summary>How a sandbox is to behave.</summary>
internal sealed record SandboxOptions
{
    /// <summary>The port; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The clusters to begin with.</summary>
    public IReadOnlyList<SandboxClusterOptions> Clusters { get; init; } =
    [
        new("shop", "AWS", ["us-east-1", "us-west-2"]),
        new("ledger", "GCP", ["us-central1", "us-east1"]),
    ];

    /// <summary>How long each CMEK transition takes (ENABLING to ENABLED and so on).</summary>
    public TimeSpan StateTime { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>How long a cluster takes from CREATING to CREATED.</summary>
    public TimeSpan CreateTime { get; init; } = TimeSpan.FromMilliseconds(600);

    /// <summary>How long IAM takes: a new principal is refused by policies, and a new grant or a cut does not work yet.</summary>
    public TimeSpan IamLag { get; init; } = TimeSpan.Zero;

    /// <summary>Google Cloud: how long reads give a policy or account as it was before the last write.</summary>
    public TimeSpan StaleReads { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// Google Cloud: a service account that is missing is refused (403) like a forbidden one, with the project named too.
    /// </summary>
    public bool MissingIsDenied { get; init; }

    /// <summary>Google Cloud: a version must be disabled before it is destroyed (constraints/cloudkms.disableBeforeDestroy).</summary>
    public bool DisableBeforeDestroy { get; init; }

    /// <summary>Google Cloud: calls a second and service (KMS, IAM …), past which 429 is the answer; 0: no limit.</summary>
    public int GoogleQuota { get; init; }

    /// <summary>
    /// AWS: calls past the quotas of KMS (by call, account and region) and past a pace of IAM are refused as AWS refuses them.
    /// </summary>
    public bool AwsQuotas { get; init; }

    /// <summary>
    /// Google Cloud: folders and the organization above the project, from below (<c>folders/1</c>, <c>organizations/2</c>); empty: it
    /// stands alone.
    /// </summary>
    public IReadOnlyList<string> GoogleAncestors { get; init; } = [];

    /// <summary>
    /// The same with what the real services do to a client: lag, old reads, refusals for what is missing, an organization, quotas.
    /// </summary>
    public SandboxOptions AsReal() => this with
    {
        IamLag = IamLag > TimeSpan.Zero ? IamLag : TimeSpan.FromMilliseconds(700),
        StaleReads = StaleReads > TimeSpan.Zero ? StaleReads : TimeSpan.FromMilliseconds(400),
        MissingIsDenied = true,
        DisableBeforeDestroy = true,
        AwsQuotas = true,
        GoogleQuota = GoogleQuota > 0 ? GoogleQuota : 40,
        GoogleAncestors = GoogleAncestors.Count > 0 ? GoogleAncestors : ["folders/223344556677", "organizations/334455667788"],
    };

    /// <summary>Added to each answer.</summary>
    public TimeSpan AnswerTime { get; init; } = TimeSpan.Zero;

    /// <summary>Cloud API requests a second; 0: no limit.</summary>
    public int RateLimit { get; init; } = 10;

    /// <summary>The vendor brings a revoked cluster back by itself once it has access again, as its support does after a ticket.</summary>
    public bool VendorRecovers { get; init; } = true;

    /// <summary>A REVOKE that was taken ends in REVOKE_FAILED: the service could not shut a node out.</summary>
    public bool RevokeFails { get; init; }

    /// <summary>PUT with NULL_KMS is taken; false answers 400 as a service without that call would.</summary>
    public bool TakesNullKms { get; init; } = true;

    /// <summary>The clock that every service goes by, and that faults wait by. Signatures and access tokens go by the machine's.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What goes wrong on the way, from the start.</summary>
    public IReadOnlyList<Faults.FaultRule> Faults { get; init; } = [];

    /// <summary>The seed that decides which requests go wrong.</summary>
    public int FaultSeed { get; init; }

    /// <summary>The organization's id.</summary>
    public string OrganizationId { get; init; } = "3b1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";

    /// <summary>The Cloud API key that is accepted, with the role CLUSTER_ADMIN.</summary>
    public string ApiKey { get; init; } = "CCDB1_SandboxOfCmekTools0000_0123456789abcdefghijABCDEFGHIJ0123456789";

    /// <summary>The customer's AWS account.</summary>
    public string AwsAccountId { get; init; } = "111122223333";

    /// <summary>The customer's Google Cloud project.</summary>
    public string GoogleProject { get; init; } = "customer-project";
}
