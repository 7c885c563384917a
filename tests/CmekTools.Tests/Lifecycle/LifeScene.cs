using System.Text.Json.Nodes;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>
/// A sandbox with the clusters <c>shop</c> (two regions) and <c>orders</c> of one cloud, and the engine's life cycle on it without any
/// PowerShell: quick enough that mutants are hunted with it too.
/// </summary>
internal sealed class LifeScene : IAsyncDisposable
{
    private readonly EngineKit _engine;

    private LifeScene(CmekProvider cloud, SandboxServer server, EngineKit engine)
    {
        Cloud = cloud;
        Server = server;
        _engine = engine;
    }

    public CmekProvider Cloud { get; }

    public SandboxServer Server { get; }

    public SessionContext Session => _engine.Session;

    public CmekCluster Shop { get; private set; } = null!;

    public CmekCluster Orders { get; private set; } = null!;

    /// <summary>The first region, which both clusters have.</summary>
    public string Region => Cloud == CmekProvider.AWS ? "us-east-1" : "us-east1";

    /// <summary>The second region of <see cref="Shop"/>.</summary>
    public string Second => Cloud == CmekProvider.AWS ? "us-west-2" : "us-west1";

    public IKeyProvider Provider => Session.GetProvider(Cloud);

    public CloudApiService CloudApi => Server.Get<CloudApiService>();

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static SwitchOptions Wait { get; } = new(true, TimeSpan.FromSeconds(20), false);

    public static SwitchOptions NoWait { get; } = new(false, TimeSpan.FromSeconds(20), false);

    public static SwitchOptions Unchecked { get; } = new(false, TimeSpan.FromSeconds(20), true);

    /// <summary>The requests that would have changed something, refused ones included.</summary>
    public string[] Writes => [.. Server.Exchanges.Where(e => e.Request.IsWrite).Select(e => e.Request.Operation)];

    public static async Task<LifeScene> StartAsync(
        string cloud = "AWS",
        SandboxOptions? options = null,
        TimeProvider? time = null,
        TimeSpan? propagation = null)
    {
        string[] regions = cloud == "AWS" ? ["us-east-1", "us-west-2"] : ["us-east1", "us-west1"];
        SandboxServer server = SandboxServer.Start((options ?? new SandboxOptions()) with
        {
            StateTime = TimeSpan.FromMilliseconds(20),
            RateLimit = 0,
            Clusters =
            [
                new SandboxClusterOptions("shop", cloud, regions),
                new SandboxClusterOptions("orders", cloud, regions[..1]),
                .. options?.Clusters.Where(c => c.Name is not ("shop" or "ledger")) ?? [],
            ],
        });
        Timings timings = Timings.Sandbox with
        {
            StatusPoll = TimeSpan.FromMilliseconds(10),
            PropagationPoll = TimeSpan.FromMilliseconds(10),
            PropagationLimit = propagation ?? Timings.Sandbox.PropagationLimit,
            RetryBase = TimeSpan.FromMilliseconds(5),
        };
        LifeScene scene = new(Enum.Parse<CmekProvider>(cloud), server, EngineKit.Create(server, timings, time));
        scene.Shop = await scene.ClusterAsync("shop");
        scene.Orders = await scene.ClusterAsync("orders");
        server.ClearExchanges();
        return scene;
    }

    /// <summary>From now on what is begun does not come to its end.</summary>
    public void Freeze() => Server.Options = Server.Options with { StateTime = TimeSpan.FromHours(1) };

    public Task<CmekCluster> ClusterAsync(string name) => Session.Cloud.GetClusterAsync(CloudApi.IdOf(name), Cancel);

    public Task<CmekStatus> StatusAsync(CmekCluster? cluster = null) => Session.Cloud.GetCmekAsync(cluster ?? Shop, Cancel);

    public Operation Run(TestOperationHost? host = null) => _engine.Run(host ?? new TestOperationHost());

    /// <summary>A run in which every change is declined.</summary>
    public Operation Planned() => Run(new TestOperationHost { WhatIf = true });

    public int Count(string operation) => Server.Exchanges.Count(e => e.Request.Operation == operation);

    /// <summary>The JSON that was sent with the one request of this operation.</summary>
    public JsonObject Sent(string operation) =>
        JsonNode.Parse(Server.Exchanges.Single(e => e.Request.Operation == operation).Request.Text)!.AsObject();

    /// <summary>A key that is not granted to anybody.</summary>
    public Task<CmekKey> KeyAsync(string? region = null, CmekCluster? cluster = null, int generation = 1) =>
        Provider.EnsureKeyAsync(cluster ?? Shop, region ?? Region, new KeyOptions { Generation = generation }, Run());

    /// <summary>An access that the provider gives, without the life cycle's own rules.</summary>
    public async Task<CmekAccess> AccessAsync(
        string? region = null,
        CmekCluster? cluster = null,
        int generation = 1,
        PrincipalOptions? options = null) =>
        await Provider.GrantAsync(
            cluster ?? Shop,
            await KeyAsync(region, cluster, generation),
            region ?? Region,
            options ?? new PrincipalOptions(),
            Run());

    public AccessTarget Target(CmekAccess access, CmekCluster? cluster = null) =>
        new(cluster ?? Shop, Session.Organization.Id, access.Region, access.KeyUri!, access.AuthPrincipal!);

    /// <summary>Takes a cluster from nothing to ENABLED with keys of its own; one access a region.</summary>
    public async Task<CmekAccess[]> EnabledAsync(CmekCluster? cluster = null)
    {
        cluster ??= Shop;
        List<CmekAccess> accesses = [];
        foreach (CmekRegion region in cluster.Regions)
        {
            accesses.Add(await AccessAsync(region.Name, cluster));
        }

        await SendAsync(cluster, "POST", [.. accesses]);
        await SettledAsync(cluster);
        Server.ClearExchanges();
        return [.. accesses];
    }

    /// <summary>Sends a CMEK specification past the life cycle; an access without a key gives the region back.</summary>
    public Task SendAsync(CmekCluster cluster, string method, params CmekAccess[] accesses)
    {
        CmekSpecWire body = new(
        [
            .. accesses.Select(a => new RegionSpecWire(
                a.Region,
                a.KeyUri is null
                    ? new KeySpecWire("NULL_KMS", string.Empty, string.Empty)
                    : new KeySpecWire(Provider.KeyType, a.KeyUri, a.AuthPrincipal!))),
        ]);
        return method == "POST"
            ? Session.Cloud.EnableCmekAsync(cluster, body, Cancel)
            : Session.Cloud.UpdateCmekAsync(cluster, body, Cancel);
    }

    /// <summary>Tells the service to let go of a cluster's keys, past the life cycle.</summary>
    public Task RevokeAsync(CmekCluster? cluster = null) => Session.Cloud.RevokeCmekAsync(cluster ?? Shop, Cancel);

    /// <summary>Puts a region's newest key, and the region with it, into a state behind the scenes.</summary>
    public void Put(string region, string state) => Server.Exclusively(() =>
    {
        CloudRegion there = CloudApi.Store.Get(Shop.Id).Region(region)!;
        there.Status = Enum.Parse<CmekTools.Sandbox.CloudApi.CmekState>(state);
        there.Keys.FirstOrDefault()?.Set(there.Status, DateTimeOffset.UtcNow);
        return there;
    });

    /// <summary>Waits until nothing goes on any more.</summary>
    public async Task SettledAsync(CmekCluster? cluster = null)
    {
        while (!Server.Exclusively(() => CloudApi.Store.Get((cluster ?? Shop).Id).Regions.All(r => r.Operation is null)))
        {
            _ = await StatusAsync(cluster);
            await Task.Delay(5, Cancel);
        }
    }

    /// <summary>Writes the receipt of a cut that has not been made.</summary>
    public async Task<(string Path, ReceiptDocument Document)> ReceiptAsync(CmekAccess access, CmekCluster? cluster = null)
    {
        cluster ??= Shop;
        AccessSnapshot snapshot = await Provider.CaptureAsync(Target(access, cluster), Run());
        ReceiptDocument document = new()
        {
            Id = Guid.NewGuid().ToString("N")[..12],
            CreatedAt = DateTimeOffset.UtcNow,
            OrganizationId = Session.Organization.Id,
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = cluster.Provider,
            AccountId = cluster.AccountId,
            Accesses = [new ReceiptAccess(access.Region, access.KeyUri!, access.AuthPrincipal!, snapshot)],
        };
        string path = new ReceiptStore(Session.Journal.Folder).PathFor(document);
        ReceiptStore.Save(path, document);
        return (path, document);
    }

    public Task CutAsync(CmekAccess access, CmekCluster? cluster = null) =>
        Provider.CutAsync(Target(access, cluster), new CutOptions(false), Run());

    public async Task<Decision> UseAsync(CmekAccess access, CmekCluster? cluster = null) =>
        (await Provider.EvaluateAsync(Target(access, cluster), Run())).Use;

    /// <summary>What has to be refused with an id.</summary>
    public static async Task<CmekException> RefusedAsync(string errorId, Func<Task> work)
    {
        CmekException refused = await Assert.ThrowsAnyAsync<CmekException>(work);
        Assert.True(refused.ErrorId == errorId, $"{refused.ErrorId} in place of {errorId}: {refused.Message}");
        return refused;
    }

    /// <summary>Answers requests in the service's place until the test is over; null lets a request through.</summary>
    public void Answer(Func<SandboxRequest, SandboxResponse?> answer) => Server.Before = r => Task.FromResult(answer(r));

    /// <summary>A refusal by a cloud's KMS or IAM, in the form of the one that the scene is on.</summary>
    public SandboxResponse Forbidden() => Cloud == CmekProvider.AWS
        ? new() { Status = 400, Body = """{"__type":"AccessDeniedException","message":"not for you"}""" }
        : new() { Status = 403, Body = """{"error":{"code":403,"message":"not for you","status":"PERMISSION_DENIED"}}""" };

    /// <summary>Is this the request that writes a key's policy?</summary>
    public static bool WritesPolicy(SandboxRequest request) => request.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy";

    /// <summary>Is this a request that reads a key's policy?</summary>
    public static bool ReadsPolicy(SandboxRequest request) => request.Operation is "GetKeyPolicy" or "cryptoKeys.getIamPolicy";

    /// <summary>Options that name a principal of the cloud.</summary>
    public PrincipalOptions Named(string name) =>
        Cloud == CmekProvider.AWS ? new PrincipalOptions { RoleName = name } : new PrincipalOptions { ServiceAccount = name };

    /// <summary>A refusal by the Cloud API.</summary>
    public static SandboxResponse Fault(int status, string message) =>
        new() { Status = status, Body = $$"""{"code":9,"message":"{{message}}","details":[]}""" };

    public async ValueTask DisposeAsync()
    {
        _engine.Dispose();
        await Server.DisposeAsync();
    }
}

/// <summary>The machine's clock, put forward when told to: what waits goes on waiting by the machine's.</summary>
internal sealed class ShiftedClock : TimeProvider
{
    private long _ticks;

    public void Shift(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _ticks));
}
