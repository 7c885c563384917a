using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>CockroachDB Cloud's API: the routes, and what tests arrange behind the scenes.</summary>
internal sealed class CloudApiService : ISandboxService
{
    private const string Root = "/api/v1/";

    private readonly SandboxServer _server;
    private readonly ClusterStore _store = new();

    /// <summary>The organization's clusters, for whoever sets a scene; to be touched under the server's lock only.</summary>
    public ClusterStore Store => _store;
    private readonly RequestGate _gate = new();
    private readonly ClusterLock _lock = new();
    private readonly AuditLog _audit = new();
    private readonly KeyAccess _access;
    private readonly CmekEngine _engine;
    private readonly ClusterCalls _clusters;
    private readonly CmekCalls _cmek;
    private readonly DateTimeOffset _started;

    /// <summary>Makes the API with the clusters of the server's options.</summary>
    public CloudApiService(SandboxServer server, IReadOnlyList<IClusterKeyService> keyServices)
    {
        _server = server;
        Clock = server.Options.Clock;
        _access = new KeyAccess(keyServices, Options);
        _engine = new CmekEngine(_access, Options);
        _clusters = new ClusterCalls(_store, _access, _lock, _audit);
        _cmek = new CmekCalls(_engine, _access, _lock, _audit, Options);
        _started = Now();
        foreach (SandboxClusterOptions cluster in server.Options.Clusters)
        {
            _store.Add(cluster, _started);
        }

        server.AddVariable("COCKROACH_SERVER", server.BaseAddress.ToString().TrimEnd('/'));
        server.AddVariable("COCKROACH_API_KEY", server.Options.ApiKey);
        server.AddVariable(
            "CMEKTOOLS_REQUESTS_PER_SECOND",
            server.Options.RateLimit.ToString(System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; set; }

    /// <summary>The status of "rate limit exceeded".</summary>
    public int RateLimitStatus
    {
        get => _gate.RateLimitStatus;
        set => _gate.RateLimitStatus = value;
    }

    /// <summary>How a busy cluster is refused.</summary>
    public BusyAnswer BusyAnswer
    {
        get => _lock.Answer;
        set => _lock.Answer = value;
    }

    /// <summary>A key that may only look.</summary>
    public string ReadOnlyKey => RequestGate.ReadOnlyKey(_server.Options);

    /// <inheritdoc/>
    public bool Claims(SandboxRequest request)
    {
        if (!request.RawPath.StartsWith(Root, StringComparison.Ordinal))
        {
            return false;
        }

        request.Service = "cloud";
        request.Operation = Operation(request.Method, Segments(request)) ?? "?";
        request.IsWrite = request.Method is not ("GET" or "HEAD");
        return true;
    }

    /// <inheritdoc/>
    public SandboxResponse Answer(SandboxRequest request)
    {
        string id = Guid.NewGuid().ToString("n");
        Dictionary<string, string> headers = new() { ["Cc-Trace-Id"] = id, ["X-Request-Id"] = id };
        SandboxResponse response;
        try
        {
            DateTimeOffset now = Now();
            _gate.Admit(request, _server.Options, now);
            response = SandboxResponse.Json(Call(request, now));
        }
        catch (CloudApiFault fault)
        {
            response = fault.ToResponse();
            if (fault.RetryAfterSeconds is { } seconds)
            {
                headers["Retry-After"] = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
            }
        }

        return new SandboxResponse
        {
            Status = response.Status,
            ContentType = response.ContentType,
            Body = response.Body,
            Headers = headers,
        };
    }

    /// <summary>The id of the cluster of that name.</summary>
    public string IdOf(string name) => _server.Exclusively(() => _store.All.First(c => c.Name == name).Id);

    /// <summary>The account or project that belongs to the cluster.</summary>
    public string AccountOf(string clusterId) => With(clusterId, (cluster, _) => cluster.AccountId);

    /// <summary>Puts a cluster into a state, LOCKED for example; null lets its own life decide again.</summary>
    public void SetState(string clusterId, string? state) => With(clusterId, (cluster, _) => cluster.ForcedState = state);

    /// <summary>Changes the plan.</summary>
    public void SetPlan(string clusterId, string plan) => With(clusterId, (cluster, _) => cluster.Plan = plan);

    /// <summary>Changes the network visibility.</summary>
    public void SetNetworkVisibility(string clusterId, string visibility) =>
        With(clusterId, (cluster, _) => cluster.NetworkVisibility = visibility);

    /// <summary>How often the region's store key was wrapped again since it was enabled.</summary>
    public int Rewraps(string clusterId, string region) =>
        With(clusterId, (cluster, _) => cluster.Regions.First(r => r.Name == region).Rewraps);

    /// <summary>
    /// What the vendor's support does after a ticket, whether access was seen to be cut or not. False where nothing is revoked and no
    /// node is down.
    /// </summary>
    public bool Recover(string clusterId) => With(clusterId, (cluster, now) =>
    {
        bool down = cluster.Regions.Exists(r => r.NodesDown);
        Restart(cluster);
        return CmekEngine.Recover(cluster, now) || down;
    });

    /// <summary>Restarts every node: those that cannot use their key stay down. Returns the regions that came back.</summary>
    public IReadOnlyList<string> RestartNodes(string clusterId) => With<string[]>(clusterId, (cluster, _) => Restart(cluster));

    /// <summary>The regions whose nodes are down for want of their key.</summary>
    public IReadOnlyList<string> NodesDown(string clusterId) =>
        With(clusterId, (cluster, _) => Names(cluster.Regions.Where(r => r.NodesDown)));

    /// <summary>The data of every region can be read.</summary>
    public bool IsReadable(string clusterId) => With(clusterId, (cluster, _) => !cluster.Regions.Exists(r => r.Sealed || r.NodesDown));

    private static string[] Segments(SandboxRequest request) =>
        [.. request.RawPath[Root.Length..].TrimEnd('/').Split('/').Select(Uri.UnescapeDataString)];

    private static string? Operation(string method, string[] path) => (method, path) switch
    {
        ("GET", ["organization"]) => "GetOrganization",
        ("GET", ["auditlogevents"]) => "ListAuditLogs",
        ("GET", ["clusters"]) => "ListClusters",
        ("POST", ["clusters"]) => "CreateCluster",
        ("GET", ["clusters", _]) => "GetCluster",
        ("PATCH", ["clusters", _]) => "UpdateCluster",
        ("GET", ["clusters", _, "cmek"]) => "GetCmek",
        ("POST", ["clusters", _, "cmek"]) => "EnableCmek",
        ("PUT", ["clusters", _, "cmek"]) => "UpdateCmek",
        ("PATCH", ["clusters", _, "cmek"]) => "UpdateCmekStatus",
        _ => null,
    };

    private static string[] Names(IEnumerable<CloudRegion> regions) => [.. regions.Select(r => r.Name).Order(StringComparer.Ordinal)];

    private SandboxOptions Options() => _server.Options;

    // To the microsecond, as it is written: a time that a client sends back then equals the one that it was given.
    private DateTimeOffset Now()
    {
        DateTimeOffset now = Clock.GetUtcNow();
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }

    private JsonNode Call(SandboxRequest request, DateTimeOffset now)
    {
        Query query = new(request.RawQuery);
        string[] path = Segments(request);
        Advance(path, now);
        CloudCluster Cluster() => _store.Get(path[1]);
        return request.Operation switch
        {
            "GetOrganization" => Organization(),
            "ListAuditLogs" => _audit.List(query),
            "ListClusters" => _clusters.List(query),
            "CreateCluster" => _clusters.Create(request, now),
            "GetCluster" => ClusterJson.Cluster(Cluster()),
            "UpdateCluster" => _clusters.Update(Cluster(), request, now),
            "GetCmek" => CmekCalls.Get(Cluster()),
            "EnableCmek" => _cmek.Enable(Cluster(), request, now),
            "UpdateCmek" => _cmek.Update(Cluster(), request, now),
            "UpdateCmekStatus" => _cmek.Revoke(Cluster(), request, now),
            _ => throw Unknown(path),
        };
    }

    // Only what is looked at is brought up to the present: among thousands of clusters the others would cost more than the answer.
    private void Advance(string[] path, DateTimeOffset now)
    {
        if (path is ["clusters", var id, ..])
        {
            if (_store.Find(id) is { } one)
            {
                _engine.Advance(one, now);
            }

            return;
        }

        foreach (CloudCluster each in _store.All)
        {
            _engine.Advance(each, now);
        }
    }

    // A known path with another method is "not implemented" for grpc-gateway; an unknown path is "not found".
    private static CloudApiFault Unknown(string[] path) =>
        Array.Exists(["GET", "POST"], method => Operation(method, path) is not null)
            ? new CloudApiFault(501, 12, "Method Not Allowed")
            : CloudApiFault.NotFound("Not Found");

    private JsonObject Organization() => new()
    {
        ["id"] = _server.Options.OrganizationId,
        ["name"] = "Sandbox",
        ["label"] = "sandbox",
        ["created_at"] = JsonBody.Time(_started),
    };

    private string[] Restart(CloudCluster cluster)
    {
        foreach (CloudRegion region in cluster.Regions)
        {
            region.NodesDown = region.Sealed || (region.Current is { } key && _access.Refusal(cluster, key.Spec) is not null);
        }

        return Names(cluster.Regions.Where(r => !r.NodesDown));
    }

    // Under the server's lock, and in the present.
    private T With<T>(string clusterId, Func<CloudCluster, DateTimeOffset, T> work) => _server.Exclusively(() =>
    {
        CloudCluster cluster = _store.Get(clusterId);
        DateTimeOffset now = Now();
        _engine.Advance(cluster, now);
        return work(cluster, now);
    });
}
