using System.Text.Json.Nodes;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>A sandbox with a Google Cloud cluster, and the engine's provider for it.</summary>
internal sealed class GoogleKit : IAsyncDisposable
{
    public const string Region = "us-central1";
    public const string Project = "customer-project";
    public const string ProjectPolicy = "projects/" + Project;

    private readonly EngineKit _engine;

    private GoogleKit(SandboxServer server, CmekCluster cluster, EngineKit engine)
    {
        Server = server;
        Cluster = cluster;
        _engine = engine;
    }

    public SandboxServer Server { get; }

    public CmekCluster Cluster { get; }

    public IKeyProvider Gcp => _engine.Session.GetProvider(CmekProvider.GCP);

    public SessionContext Session => _engine.Session;

    public GcpService Google => Server.Get<GcpService>();

    /// <summary>The requests that would have changed something.</summary>
    public string[] Writes => [.. Server.Exchanges.Where(e => e.Request.IsWrite).Select(e => e.Request.Operation)];

    public static async Task<GoogleKit> StartAsync(SandboxOptions? options = null, Timings? timings = null)
    {
        SandboxServer server = SandboxServer.Start((options ?? new SandboxOptions()) with { RateLimit = 0 });
        EngineKit engine = EngineKit.Create(server, timings);
        await foreach (CmekCluster cluster in engine.Session.Cloud.ListClustersAsync(TestContext.Current.CancellationToken))
        {
            if (cluster.Provider == CmekProvider.GCP)
            {
                return new GoogleKit(server, cluster, engine);
            }
        }

        throw new InvalidOperationException("The sandbox has no Google Cloud cluster.");
    }

    /// <summary>A run with somebody new at the keyboard.</summary>
    public Operation Run(TestOperationHost? host = null) => _engine.Run(host ?? new TestOperationHost());

    /// <summary>Another operator's session on the same sandbox.</summary>
    public EngineKit Another() => EngineKit.Create(Server);

    public async Task<CmekKey> KeyAsync(KeyOptions? options = null, string region = Region) =>
        await Gcp.EnsureKeyAsync(Cluster, region, options ?? new KeyOptions { EnableRotation = true }, Run());

    public async Task<AccessTarget> GrantedAsync(PrincipalOptions? principal = null)
    {
        CmekKey key = await KeyAsync();
        return Target(await Gcp.GrantAsync(Cluster, key, Region, principal ?? new PrincipalOptions(), Run()));
    }

    public AccessTarget Target(CmekAccess access) =>
        new(Cluster, Session.Organization.Id, access.Region, access.KeyUri!, access.AuthPrincipal!);

    public async Task<List<CmekCheck>> ChecksAsync(AccessTarget target)
    {
        List<CmekCheck> checks = [];
        await foreach (CmekCheck check in Gcp.CheckAsync(target, Run()))
        {
            checks.Add(check);
        }

        return checks;
    }

    public async Task<string[]> OffAsync(AccessTarget target) =>
        [.. (await ChecksAsync(target)).Where(c => c.Result != CmekCheckResult.Pass).Select(c => $"{c.Result} {c.Name}")];

    public async Task<Decision> DecideAsync(AccessTarget target) => (await Gcp.EvaluateAsync(target, Run())).Use;

    /// <summary>What the cluster finds when it tries: null where all of it worked.</summary>
    public string? Try(AccessTarget target) => Server.Exclusively(() =>
        Google.TryUse(new ClusterIdentity(Cluster.Id, Cluster.AccountId!, Session.Organization.Id), target.KeyUri, target.AuthPrincipal));

    public JsonObject Policy(string resource) => Server.Exclusively(() => Google.Policies.Get(resource).DeepClone().AsObject());

    public void Put(string resource, JsonObject policy) =>
        Server.Exclusively(() => Google.Policies.Put(resource, policy, DateTimeOffset.MinValue));

    /// <summary>Adds a binding behind everybody's back.</summary>
    public void Bind(string resource, string role, string member, string? condition = null)
    {
        JsonObject policy = Policy(resource);
        JsonObject binding = new() { ["role"] = role, ["members"] = new JsonArray(member) };
        if (condition is not null)
        {
            binding["condition"] = new JsonObject { ["title"] = "limit", ["expression"] = condition };
            policy["version"] = 3;
        }

        (policy["bindings"] as JsonArray ?? (JsonArray)(policy["bindings"] = new JsonArray())).Add(binding);
        Put(resource, policy);
    }

    public static string AccountResource(AccessTarget target) => $"projects/{Project}/serviceAccounts/{target.AuthPrincipal}";

    /// <summary>Sends one request as the project's owner, as gcloud would.</summary>
    public async Task<JsonObject> SendAsync(string method, string path, JsonObject? body = null)
    {
        using HttpClient client = new();
        using HttpRequestMessage request = new(new HttpMethod(method), new Uri(Server.BaseAddress, "v1/" + path));
        request.Headers.Authorization = new("Bearer", Server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"]);
        request.Content = body is null ? null : new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        string text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!.AsObject();
    }

    public async ValueTask DisposeAsync()
    {
        _engine.Dispose();
        await Server.DisposeAsync();
    }
}
