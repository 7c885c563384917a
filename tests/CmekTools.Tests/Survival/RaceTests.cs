using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using CmekTools.Benchmarks.Processes;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>
/// Grants and revocations of the same keys at the same moment, in the orders that cost most. The benchmark has processes race by chance.
/// </summary>
public sealed class RaceTests
{
    private const string ClusterId = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AGrantThatWritesAfterARevocationHasEndedTakesBackWhatItGave(string provider)
    {
        await using SandboxServer server = Start(provider);
        using TempFolder here = new();
        using TempFolder there = new();
        CmekAccess access = await BeginAsync(server, here.Path);
        TakeOut(server, access);
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int writes = 0;
        server.Before = async request =>
        {
            // The grant has read a policy without a cut, and its write is on its way for long.
            if (request.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy" && Interlocked.Increment(ref writes) == 1)
            {
                arrived.SetResult();
                await release.Task;
            }

            return null;
        };
        Task<Commands.Outcome> grant = Task.Run(() => RunAsync(server, there.Path, "grant", access));
        await Task.WhenAny(arrived.Task, grant);
        bool said = false;
        try
        {
            said = (await RunAsync(server, here.Path, "revoke", access)).Cut;
        }
        finally
        {
            release.SetResult();
        }

        Assert.True(said);
        CmekException refused = await Assert.ThrowsAnyAsync<CmekException>(() => grant);
        Assert.Equal("AccessRevoked", refused.ErrorId);
        Assert.NotNull(Refusal(server, access));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatSomebodyOpensBehindTheProofIsCutAgainBeforeTheRevocationEnds(string provider)
    {
        await using SandboxServer server = Start(provider);
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        string before = Policy(server, access);
        ProofHost host = new();
        int opened = 0;
        int told = 0;
        server.Before = async request =>
        {
            if (request.Operation == "UpdateCmekStatus")
            {
                Interlocked.Increment(ref told);
            }

            // The service is told already; an older tool writes the policy that it read before the cut.
            if (request.Operation == "GetCmek" && Volatile.Read(ref told) > 0)
            {
                await host.Proof.Task;
                if (Interlocked.Increment(ref opened) == 1)
                {
                    Put(server, access, before);
                }
            }

            return null;
        };
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(server), folder.Path);
        await Revocation.RevokeAsync(
            o => SubjectFinder.FindAsync([new ClusterRef(null, ClusterId, null)], o),
            new RevokeOptions { Unasked = true, Limit = TimeSpan.FromMinutes(2) },
            new Operation("revoke", session, host, TestContext.Current.CancellationToken));
        Assert.True(opened > 0);
        Assert.NotNull(Refusal(server, access));
        Assert.Equal(true, host.Output.OfType<CmekStep>().Last().KeyCut);
        Assert.Contains(host.Told, w => w.Contains("was let in to", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AServiceThatIsEnabledAfterItTookTheRevokeIsToldAgain()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        int told = 0;
        server.Before = request => Task.FromResult(
            // A rotation that was under way went over the first one.
            request.Operation == "UpdateCmekStatus" && Interlocked.Increment(ref told) == 1
                ? new SandboxResponse { Body = server.Exchanges.Last(e => e.Request.Operation == "GetCmek").ResponseBody }
                : null);
        Assert.True((await RunAsync(server, folder.Path, "revoke", access)).Cut);
        Assert.Equal(2, told);
        Assert.Equal(
            ["REVOKED"],
            server.Exclusively(
                () => server.Get<CloudApiService>().Store.All.First(c => c.Id == ClusterId).Regions.Select(r => r.Status.ToString())));
    }

    // The service is not told, so that its status shows nothing, and the receipt lies elsewhere: the cut leaves its mark on the key.
    [Fact]
    public async Task AGrantSeesTheMarkOfACutThatTheServiceWasNotToldOf()
    {
        await using SandboxServer server = Start("GCP");
        using TempFolder here = new();
        using TempFolder there = new();
        CmekAccess access = await BeginAsync(server, here.Path);
        TakeOut(server, access);
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int writes = 0;
        server.Before = async request =>
        {
            if (request.Operation == "cryptoKeys.setIamPolicy" && Interlocked.Increment(ref writes) == 1)
            {
                arrived.SetResult();
                await release.Task;
            }

            return null;
        };
        Task<Commands.Outcome> grant = Task.Run(() => RunAsync(server, there.Path, "grant", access));
        await Task.WhenAny(arrived.Task, grant);
        await CutsBesideAsync(server, here.Path, access, grant, release);
    }

    // A revocation goes on with the receipt that an earlier run left open: that is no new file.
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AReceiptThatIsGoneOnWithTakesTheGrantBackToo(string provider)
    {
        await using SandboxServer server = Start(provider);
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        (string path, ReceiptDocument receipt) = BeginReceipt(server, folder.Path, access);
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(server), folder.Path);
        Operation op = new("grant", session, new ProofHost(), TestContext.Current.CancellationToken);
        CmekCluster cluster = await session.Cloud.GetClusterAsync(ClusterId, TestContext.Current.CancellationToken);
        CmekStatus status = await session.Cloud.GetCmekAsync(cluster, TestContext.Current.CancellationToken);
        GrantBesideRevocation beside = GrantBesideRevocation.Before(cluster, status, [access.AuthPrincipal!], op);
        IKeyProvider keys = session.GetProvider(access.Provider);
        await beside.AfterAsync(access, keys, op);
        Assert.Null(Refusal(server, access));
        ReceiptStore.Save(path, receipt);
        CmekException refused = await Assert.ThrowsAnyAsync<CmekException>(() => beside.AfterAsync(access, keys, op));
        Assert.Equal("AccessRevoked", refused.ErrorId);
        Assert.NotNull(Refusal(server, access));
    }

    // KMS takes a whole policy whatever it was made from. A look beside the write shows the cut that the write has just gone over.
    [Fact]
    public async Task ACutThatAGrantHasWrittenOverIsPutBack()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder here = new();
        using TempFolder there = new();
        CmekAccess access = await BeginAsync(server, here.Path);
        TakeOut(server, access);
        TaskCompletionSource put = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource look = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource looked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        SandboxRequest? beside = null;
        int reads = 0;
        int writes = 0;
        server.Before = async request =>
        {
            if (request.Operation == "PutKeyPolicy" && Interlocked.Increment(ref writes) == 1)
            {
                put.SetResult();
                await looked.Task;
            }
            else if (request.Operation == "GetKeyPolicy"
                && !release.Task.IsCompleted
                && Directory.Exists(Path.Combine(there.Path, "turns"))
                && Interlocked.Increment(ref reads) == 2)
            {
                // The grant has its turn: the first look is what it writes from, the second goes out beside the write.
                beside = request;
                look.SetResult();
                await release.Task;
            }

            return null;
        };
        server.After = (request, _) =>
        {
            if (request == beside)
            {
                looked.SetResult();
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        Task<Commands.Outcome> grant = Task.Run(() => RunAsync(server, there.Path, "grant", access));
        await Task.WhenAny(Task.WhenAll(put.Task, look.Task), grant);
        await CutsBesideAsync(server, here.Path, access, grant, release);
    }

    // Somebody had read the policy before the grant wrote it, and writes his when the grant has seen its own in.
    [Fact]
    public async Task AGrantThatSomebodyWritesOverIsMadeOnceMore()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        TakeOut(server, access);
        string his = With(Policy(server, access), "His");
        bool written = false;
        server.After = (request, _) =>
        {
            written |= request.Operation == "PutKeyPolicy";
            if (written && request.Operation == "GetKeyPolicy")
            {
                server.After = null;
                Put(server, access, his);
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        await RunAsync(server, folder.Path, "grant", access);
        Assert.Null(server.After);
        Assert.Null(Refusal(server, access));
        Assert.Contains("\"His\"", Policy(server, access), StringComparison.Ordinal);
    }

    // What is written beside the write that puts the first one's rule back in goes back in too.
    [Fact]
    public async Task EveryoneWhoWritesBesideACutIsKept()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        int reads = 0;
        bool written = false;
        server.After = (request, _) =>
        {
            string? his = (request.Operation, written) switch
            {
                // The cut is made from what this read shows.
                ("GetKeyPolicy", false) when ++reads == 1 => "First",
                ("PutKeyPolicy", false) => "Second",
                ("GetKeyPolicy", true) when ++reads == 10 => "Third",
                _ => null,
            };
            if (request.Operation == "PutKeyPolicy" && !written)
            {
                written = true;
                reads = 9;
            }

            if (his is not null)
            {
                Put(server, access, With(Policy(server, access), his));
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        Assert.True(await CutAsync(server, folder.Path));
        server.After = null;
        Assert.NotNull(Refusal(server, access));
        string policy = Policy(server, access);
        Assert.All(["First", "Second", "Third"], n => Assert.Contains($"\"{n}\"", policy, StringComparison.Ordinal));
    }

    // A grant for another role has written over the cut, sees that, and puts it back, before the revocation has looked a second time.
    [Fact]
    public async Task ACutThatWasGoneForAMomentIsSeenToBeBack()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        string before = Policy(server, access);
        string? cut = null;
        int gone = 0;
        server.After = (request, response) =>
        {
            bool seen = response.Body.Contains("CmekToolsRevoke", StringComparison.Ordinal);
            if (request.Operation == "GetKeyPolicy" && seen && cut is null)
            {
                cut = Policy(server, access);
                Put(server, access, before);
            }
            else if (request.Operation == "GetKeyPolicy" && !seen && cut is not null && ++gone == 1)
            {
                Put(server, access, cut);
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        Assert.True(await CutAsync(server, folder.Path));
        Assert.Equal(1, gone);
        Assert.NotNull(Refusal(server, access));
    }

    // On two machines, without the service: the grant's write is on its way when the cut is proven, and comes before the last look.
    [Fact]
    public async Task TheLastLookOfACutComesWhenWhoeverReadBeforeItHasWritten()
    {
        await using SandboxServer server = Start("AWS");
        using TempFolder folder = new();
        CmekAccess access = await BeginAsync(server, folder.Path);
        string before = Policy(server, access);
        using SettleClock clock = new(TimeSpan.FromSeconds(77));
        ProofHost host = new();
        using SessionContext session = Commands.Connect(
            new Dictionary<string, string>(WorkerProcess.Variables(server)) { [Commands.Settle] = "77000" },
            folder.Path,
            clock);
        Task revoke = Task.Run(
            () => Revocation.RevokeAsync(
                o => SubjectFinder.FindAsync([new ClusterRef(null, ClusterId, null)], o),
                new RevokeOptions { Unasked = true, Scope = RevokeScope.KeyOnly, Limit = TimeSpan.FromMinutes(2) },
                new Operation("revoke", session, host, TestContext.Current.CancellationToken)),
            TestContext.Current.CancellationToken);
        await Task.WhenAny(clock.Waits.Task, revoke);
        Assert.True(clock.Waits.Task.IsCompleted);
        Put(server, access, before);
        Assert.Null(Refusal(server, access));
        clock.Go();
        await revoke;
        Assert.NotNull(Refusal(server, access));
        Assert.Equal(true, host.Output.OfType<CmekStep>().Last().KeyCut);
    }

    // What was written before the grant failed lets in all the same.
    [Theory]
    [InlineData("AWS", "GetKeyPolicy")]
    [InlineData("GCP", "cryptoKeys.getIamPolicy")]
    public async Task AGrantThatFailsBehindARevocationTakesBackWhatItHadWritten(string provider, string readBack)
    {
        await using SandboxServer server = Start(provider);
        using TempFolder here = new();
        using TempFolder there = new();
        CmekAccess access = await BeginAsync(server, here.Path);
        TakeOut(server, access);
        bool written = false;
        bool failed = false;
        server.Before = async request =>
        {
            if (request.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy" && !written)
            {
                written = true;
                server.Before = null;
                Assert.True((await RunAsync(server, here.Path, "revoke", access)).Cut);
                server.Before = request => Task.FromResult<SandboxResponse?>(
                    request.Operation == readBack && !failed && (failed = true)
                        ? new SandboxResponse { Status = 403, Body = Refused(provider) }
                        : null);
            }

            return null;
        };
        CmekException refused = await Assert.ThrowsAnyAsync<CmekException>(() => RunAsync(server, there.Path, "grant", access));
        Assert.True(failed);
        Assert.Equal("AccessRevoked", refused.ErrorId);
        Assert.NotNull(Refusal(server, access));
    }

    private static string Refused(string provider) => provider == "AWS"
        ? """{"__type":"AccessDeniedException","message":"no"}"""
        : """{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}""";

    // Cuts while the grant's request is held, lets it go on, and wants the cut to stand and the grant to be refused.
    private static async Task CutsBesideAsync(
        SandboxServer server,
        string folder,
        CmekAccess access,
        Task<Commands.Outcome> grant,
        TaskCompletionSource release)
    {
        bool said;
        try
        {
            said = await CutAsync(server, folder);
        }
        finally
        {
            release.SetResult();
        }

        Assert.True(said);
        Assert.Equal("AccessRevoked", (await Assert.ThrowsAnyAsync<CmekException>(() => grant)).ErrorId);
        Assert.NotNull(Refusal(server, access));
    }

    private static async Task<bool> CutAsync(SandboxServer server, string folder)
    {
        ProofHost host = new();
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(server), folder);
        await Revocation.RevokeAsync(
            o => SubjectFinder.FindAsync([new ClusterRef(null, ClusterId, null)], o),
            new RevokeOptions { Unasked = true, Scope = RevokeScope.KeyOnly, Limit = TimeSpan.FromMinutes(2) },
            new Operation("revoke", session, host, TestContext.Current.CancellationToken));
        return host.Output.OfType<CmekStep>().Last().KeyCut == true;
    }

    // A revocation that was stopped before its first cut.
    private static (string Path, ReceiptDocument Document) BeginReceipt(SandboxServer server, string folder, CmekAccess access)
    {
        ReceiptStore store = new(folder);
        ReceiptDocument document = new()
        {
            Id = "0a1b2c3d",
            CreatedAt = DateTimeOffset.UtcNow,
            OrganizationId = server.Options.OrganizationId,
            ClusterId = ClusterId,
            ClusterName = "shop",
            Provider = access.Provider,
            AccountId = null,
            StatusBefore = "ENABLED",
            Accesses = [],
        };
        string path = store.PathFor(document);
        ReceiptStore.Save(path, document);
        return (path, document);
    }

    private static SandboxServer Start(string provider) => SandboxServer.Start(new SandboxOptions
    {
        RateLimit = 0,
        StateTime = TimeSpan.FromMilliseconds(10),
        // The vendor's support mends a revoked cluster, and nothing does by itself.
        VendorRecovers = false,
        Clusters = [new SandboxClusterOptions("shop", provider, [provider == "AWS" ? "us-east-1" : "us-central1"]) { Id = ClusterId }],
    });

    private static async Task<CmekAccess> BeginAsync(SandboxServer server, string folder)
    {
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(server), folder);
        Commands.Outcome begun = await Commands.RunAsync(
            new Order("begin", ClusterId, [], null),
            session,
            TestContext.Current.CancellationToken);
        return begun.Accesses[0];
    }

    private static async Task<Commands.Outcome> RunAsync(SandboxServer server, string folder, string command, CmekAccess access)
    {
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(server), folder);
        return await Commands.RunAsync(new Order(command, ClusterId, [access], null), session, TestContext.Current.CancellationToken);
    }

    // The principal's statement or binding is gone, so that a grant has something to write.
    private static void TakeOut(SandboxServer server, CmekAccess access)
    {
        JsonObject policy = JsonNode.Parse(Policy(server, access))!.AsObject();
        JsonArray rules = policy[access.KeyUri!.StartsWith("arn:", StringComparison.Ordinal) ? "Statement" : "bindings"]!.AsArray();
        foreach (JsonNode? rule in rules.ToArray())
        {
            if (rule!.ToJsonString().Contains(access.AuthPrincipal!, StringComparison.Ordinal)
                || rule["Sid"]?.ToString().StartsWith("CmekToolsUse", StringComparison.Ordinal) == true)
            {
                rules.Remove(rule);
            }
        }

        Put(server, access, policy.ToJsonString());
    }

    private static string Policy(SandboxServer server, CmekAccess access) => server.Exclusively(() => access.Provider == CmekProvider.AWS
        ? server.Get<AwsService>().World.Keys.Find(access.KeyUri!)!.Policy.Current.Show()
        : server.Get<GcpService>().Policies.Get(access.KeyUri!).ToJsonString());

    private static void Put(SandboxServer server, CmekAccess access, string policy) => server.Exclusively(() =>
    {
        if (access.Provider == CmekProvider.AWS)
        {
            KmsKey key = server.Get<AwsService>().World.Keys.Find(access.KeyUri!)!;
            key.Policy.Set(StoredPolicy.Resource(policy, PolicyKind.Key, p => p), DateTimeOffset.MinValue);
        }
        else
        {
            server.Get<GcpService>().Policies.Put(access.KeyUri!, JsonNode.Parse(policy)!.AsObject(), DateTimeOffset.MinValue);
        }

        return true;
    });

    private static string With(string policy, string sid)
    {
        JsonObject with = JsonNode.Parse(policy)!.AsObject();
        with["Statement"]!.AsArray().Add(JsonNode.Parse(
            $$"""{"Sid":"{{sid}}","Effect":"Deny","Principal":"*","Action":"kms:UpdateAlias","Resource":"*"}"""));
        return with.ToJsonString();
    }

    private static string? Refusal(SandboxServer server, CmekAccess access) => server.Exclusively(() =>
    {
        CloudCluster cluster = server.Get<CloudApiService>().Store.All.First(c => c.Id == ClusterId);
        IClusterKeyService service = access.Provider == CmekProvider.AWS ? server.Get<AwsService>() : server.Get<GcpService>();
        return service.TryUse(
            new ClusterIdentity(cluster.Id, cluster.AccountId, server.Options.OrganizationId),
            access.KeyUri!,
            access.AuthPrincipal!);
    });

    // Stands still, and holds who waits for one certain time until it is told to go on; other timers go off as they do.
    private sealed class SettleClock(TimeSpan settle) : TimeProvider, IDisposable
    {
        private readonly ConcurrentQueue<ITimer> _held = new();
        private volatile bool _going;

        public TaskCompletionSource Waits { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override long GetTimestamp() => 0;

        public void Go()
        {
            _going = true;
            foreach (ITimer timer in _held)
            {
                timer.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
            }
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime != settle)
            {
                return System.CreateTimer(callback, state, dueTime, period);
            }

            ITimer timer = System.CreateTimer(callback, state, _going ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _held.Enqueue(timer);
            Waits.TrySetResult();
            return timer;
        }

        public void Dispose()
        {
            foreach (ITimer timer in _held)
            {
                timer.Dispose();
            }
        }
    }

    // Says when the key's cut is proven.
    private sealed class ProofHost : IOperationHost
    {
        public TaskCompletionSource Proof { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ConcurrentQueue<object> Output { get; } = new();

        public ConcurrentQueue<string> Told { get; } = new();

        public bool WhatIf => false;

        public Task OutputAsync(object value)
        {
            Output.Enqueue(value);
            if (value is CmekStep { Step: "Proof" })
            {
                Proof.TrySetResult();
            }

            return Task.CompletedTask;
        }

        public Task VerboseAsync(string message) => Task.CompletedTask;

        public Task WarningAsync(string message)
        {
            Told.Enqueue(message);
            return Task.CompletedTask;
        }

        public Task ErrorAsync(CmekException error)
        {
            Told.Enqueue(error.Message);
            return Task.CompletedTask;
        }

        public Task ProgressAsync(OperationProgress progress) => Task.CompletedTask;

        public Task<bool> ShouldProcessAsync(string target, string action) => Task.FromResult(true);

        public Task<bool> ShouldContinueAsync(string query, string caption) => Task.FromResult(true);
    }
}
