using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>Many clusters at once: side by side, each read once, in order where asked for, and none stopped by another's failure.</summary>
public sealed class FleetTests
{
    private const int Count = 12;

    private static SandboxOptions Options { get; } = SandboxShell.Fast with
    {
        StateTime = TimeSpan.FromMilliseconds(400),
        Clusters = [.. Enumerable.Range(1, Count).Select(i => new SandboxClusterOptions($"c{i:00}", "AWS", ["us-east-1", "us-west-2"]))],
    };

    [Theory]
    [InlineData("Get-CmekStatus")]
    [InlineData("Get-CmekCluster | Get-CmekStatus")]
    public async Task AStatusIsOneRequestAClusterAndTheyAreSentSideBySide(string script)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        using Crowd crowd = new(shell.Server, 4);
        Assert.Equal(Count, (await shell.RunAsync(script)).Expect().Values<CmekStatus>().DistinctBy(s => s.ClusterId).Count());
        Assert.True(crowd.Most >= 4, $"At most {crowd.Most} at once.");
        Assert.Equal(["GetCmek", "ListClusters"], shell.Server.Exchanges.Select(e => e.Request.Operation).Distinct().Order());
        Assert.Equal(1 + Count, shell.Server.Exchanges.Count);
    }

    [Fact]
    public async Task OneThatFailsIsAnErrorRecordAndTheOthersGoOn()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        Refuse(shell, "c03");
        PowerShellResult result = await shell.RunAsync("Get-CmekStatus");
        ErrorRecord error = Assert.Single(result.Errors);
        Assert.Equal("c03", Assert.IsType<CmekCluster>(error.TargetObject).Name);
        Assert.Equal(Count - 1, result.Values<CmekStatus>().Count);
    }

    [Fact]
    public async Task OrderedKeepsTheOrderThoughTheFirstIsTheLastToAnswer()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        string first = shell.Server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("c01");
        TaskCompletionSource others = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int answered = 0;
        shell.Server.Before = async r =>
        {
            if (r.Operation == "GetCmek" && r.RawPath.Contains(first, StringComparison.Ordinal))
            {
                await others.Task;
            }
            else if (r.Operation == "GetCmek" && Interlocked.Increment(ref answered) == Count - 1)
            {
                others.SetResult();
            }

            return null;
        };
        string[] names = [.. (await shell.RunAsync("Get-CmekStatus -Ordered")).Expect().Values<CmekStatus>().Select(s => s.ClusterName)];
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.Equal(Count, names.Length);
    }

    [Fact]
    public async Task ErrorActionStopLetsAChangeThatIsUnderWayEndAndSaysWhatWasBegun()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options with { Clusters = [.. Options.Clusters.Take(2)] });
        PSObject[] accesses = [.. (await shell.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess")).Expect().Output];
        string refused = shell.Server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("c02");
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = async r =>
        {
            if (r.Operation == "EnableCmek" && r.RawPath.Contains(refused, StringComparison.Ordinal))
            {
                await begun.Task;
                return new SandboxResponse { Status = 400, Body = """{"code":3,"message":"invalid argument: no"}""" };
            }

            return null;
        };
        shell.Server.After = async (r, _) =>
        {
            if (r.Operation == "EnableCmek" && !r.RawPath.Contains(refused, StringComparison.Ordinal))
            {
                begun.SetResult();
                await told.Task;
            }

            return null;
        };
        RunningScript script = shell.Shell.Start(
            "param($Access) $Access | Enable-CmekCluster -Wait -SkipPreflight -ErrorAction Stop", new { Access = accesses });
        await begun.Task.WaitAsync(TestContext.Current.CancellationToken);
        while (!shell.Server.Exchanges.Any(e => e.Request.Operation == "EnableCmek" && e.Status == 400))
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        told.SetResult();
        PowerShellResult result = await script.Completion;
        Assert.NotNull(result.Failure);
        Assert.Contains(result.Warnings, w => w.Contains("c01 (changed: enable CMEK", StringComparison.Ordinal));
        CmekJournalEntry[] entries =
        [
            .. (await shell.RunAsync("Get-CmekJournal")).Expect().Values<CmekJournalEntry>().Where(e => e.Kind == "cmek:Enable"),
        ];
        Assert.Contains(entries, e => e.Target!.StartsWith("c01", StringComparison.Ordinal) && e.Outcome.ToString() == "done");
    }

    [Fact]
    public async Task KeysAndAccessesOverlapAndNothingIsReadTwice()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);

        // The last key is made when the first role is; a pipeline that waits for all keys first would not get there. When the first
        // cluster is enabled hangs on when PowerShell lets Grant hand an access on: with the next key, or at the end.
        int keys = 0;
        TaskCompletionSource granting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = async r =>
        {
            if (r.Operation == "CreateRole")
            {
                granting.TrySetResult();
            }
            else if (r.Operation == "CreateKey" && Interlocked.Increment(ref keys) == 2 * Count)
            {
                await Task.WhenAny(granting.Task, Task.Delay(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
            }

            return null;
        };
        CmekStatus[] done =
        [
            .. (
                await shell.RunAsync(
                    "Get-CmekCluster | New-CmekKey -ThrottleLimit 2 | Grant-CmekAccess | Enable-CmekCluster -Wait"))
                        .Expect().Values<CmekStatus>(),
        ];
        Assert.Equal(Count, done.DistinctBy(s => s.ClusterId).Count());
        Assert.All(done, s => Assert.Equal(CmekState.ENABLED, s.State));
        SandboxExchange[] seen = [.. shell.Server.Exchanges];
        DateTimeOffset firstRole = seen.Where(e => e.Request.Operation == "CreateRole").Min(e => e.Request.Time);
        SandboxExchange lastKey = seen.Where(e => e.Request.Operation == "CreateKey").MaxBy(e => e.Request.Number)!;
        Assert.Equal(2 * Count, keys);
        Assert.True(
            firstRole - lastKey.Request.Time < TimeSpan.FromSeconds(25),
            $"The first role came at {firstRole:O}, and the last key had waited for it since {lastKey.Request.Time:O}.");

        // A cluster was listed, and is not read again by any of the commands.
        Assert.DoesNotContain(seen, e => e.Request.Operation == "GetCluster");
    }

    [Fact]
    public async Task WaitsAreOneWatchThatLooksAtTheListOfClusters()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        PSObject[] accesses = [.. (await shell.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess")).Expect().Output];
        shell.Server.ClearExchanges();
        shell.Server.Options = shell.Server.Options with { StateTime = TimeSpan.FromMinutes(10) };
        int lists = 0;
        int looks = 0;
        TaskCompletionSource enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = r =>
        {
            if (r.Operation == "GetCmek" && lists > 0)
            {
                Interlocked.Increment(ref looks);
            }
            else if (r.Operation == "ListClusters" && Interlocked.Increment(ref lists) == 9)
            {
                enough.SetResult();
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        RunningScript script = shell.Shell.Start(
            "param($Access) $Access | Enable-CmekCluster -Wait -SkipPreflight",
            new { Access = accesses });
        await enough.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        // Nine lists are nine looks at each of twelve clusters; by itself each is looked at when it is enabled and at every sixth look.
        int seen = Volatile.Read(ref looks);
        shell.Server.Options = shell.Server.Options with { StateTime = TimeSpan.Zero };
        Assert.Equal(Count, (await script.Completion).Expect().Values<CmekStatus>().Count(s => s.State == CmekState.ENABLED));
        Assert.True(seen <= 4 * Count, $"{seen} looks at {Count} clusters beside {lists} lists.");
    }

    [Fact]
    public async Task WhoOnlyWaitsTakesNoPlace()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options with { Clusters = [.. Options.Clusters.Take(3)] });
        PSObject[] accesses = [.. (await shell.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess")).Expect().Output];
        shell.Server.Options = shell.Server.Options with { StateTime = TimeSpan.FromMinutes(10) };
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int sent = 0;
        shell.Server.After = (r, _) =>
        {
            if (r.Operation == "EnableCmek" && Interlocked.Increment(ref sent) == 3)
            {
                all.SetResult();
            }

            return Task.FromResult<SandboxResponse?>(null);
        };

        // One place: the second is sent while the first is waited for, which would take ten minutes.
        RunningScript script = shell.Shell.Start(
            "param($Access) $Access | Enable-CmekCluster -Wait -SkipPreflight -ThrottleLimit 1", new { Access = accesses });
        await all.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        shell.Server.Options = shell.Server.Options with { StateTime = TimeSpan.Zero };
        Assert.Equal(3, (await script.Completion).Expect().Values<CmekStatus>().Count(s => s.State == CmekState.ENABLED));
    }

    [Fact]
    public async Task QuestionsComeOneAtATimeAndANoIsThatRecordsOnly()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options with { Clusters = [.. Options.Clusters.Take(3)] });
        PSObject[] accesses = [.. (await shell.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess")).Expect().Output];
        shell.Shell.Answer("y", "n", "y");
        CmekStatus[] done =
        [
            .. (
                await shell.RunAsync(
                    "param($Access) $Access | Enable-CmekCluster -Wait -Confirm",
                    new { Access = accesses })).Expect().Values<CmekStatus>(),
        ];
        Assert.Equal(3, done.Length);
        Assert.Equal(2, done.Count(s => s is { Changed: true, State: CmekState.ENABLED }));
        Assert.Equal(1, done.Count(s => s is { Changed: false, State: CmekState.DISABLED }));
    }

    [Fact]
    public async Task FiltersTakeNamesStatesCloudsAndRegions()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with
        {
            Clusters =
            [
                new SandboxClusterOptions("shop-1", "AWS", ["us-east-1", "us-west-2"]),
                new SandboxClusterOptions("shop-2", "GCP", ["us-central1"]),
                new SandboxClusterOptions("small", "AWS", ["us-east-1"]) { Plan = "BASIC" },
            ],
        });
        await shell.RunAsync("Get-CmekCluster shop-1 | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait");
        Assert.Equal(["shop-1", "shop-2"], await NamesAsync(shell, "Get-CmekStatus -Ordered"));
        Assert.Equal(["shop-1", "shop-2"], await NamesAsync(shell, "Get-CmekStatus SHOP-* -Ordered"));
        Assert.Equal(["small"], await NamesAsync(shell, "Get-CmekStatus small"));
        Assert.Equal(["shop-2"], await NamesAsync(shell, "Get-CmekStatus -Provider GCP"));
        Assert.Equal(["shop-1"], await NamesAsync(shell, "Get-CmekStatus -State ENABLED, ENABLING"));
        Assert.Equal(
            ["us-east-1", "us-west-2"],
            (await shell.RunAsync("Get-CmekStatus -Detailed -State ENABLED")).Expect().Values<CmekRegionStatus>().Select(r => r.Region));
        (await shell.RunAsync("Get-CmekStatus shop-1, nobody")).ExpectError("ClusterNotFound");
    }

    [Fact]
    public async Task DebugTellsEachRequestInItsOwnStream()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        PowerShellResult result = (
            await shell.RunAsync(
                "$told = Get-CmekStatus -Debug 5>&1; $told | Where-Object { $_ -is [System.Management.Automation.DebugRecord] } "
                    + "| ForEach-Object Message")).Expect();
        string[] told = [.. result.Output.Select(o => o.ToString()!)];
        Assert.Equal(1 + Count, told.Count(v => System.Text.RegularExpressions.Regex.IsMatch(
            v, @"^GET http://127\.0\.0\.1:\d+/api/v1/\S+: (200|404) in \d+ ms")));
        Assert.DoesNotContain(
            told,
            v => v.Contains(shell.Server.Options.ApiKey, StringComparison.Ordinal) || v.Contains("Bearer", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Verbose, v => v.StartsWith("GET ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("shop=AWS:us-east-1", @"^POST http://127\.0\.0\.1:\d+/ \(KMS CreateKey us-east-1\): 200 in \d+ ms")]
    [InlineData("shop=AWS:us-east-1", @"^POST http://127\.0\.0\.1:\d+/ \(KMS DescribeKey us-east-1\): 400 NotFoundException in \d+ ms")]
    [InlineData(
        "shop=GCP:us-central1",
        @"^GET http://127\.0\.0\.1:\d+/v1/projects/\S+/keyRings/cmektools \(cloudkms GET [^)]*\(.*\)\): 404 in \d+ ms")]
    public async Task DebugTellsMethodHostPathAndStatusOfTheCloudsToo(string cluster, string line)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(
            SandboxShell.Fast with { Clusters = [SandboxClusterOptions.Parse(cluster)] });
        PowerShellResult result = (await shell.RunAsync(
            "$DebugPreference = 'Continue'; New-CmekKey shop 5>&1 "
                + "| Where-Object { $_ -is [System.Management.Automation.DebugRecord] } | ForEach-Object Message")).Expect();
        Assert.Contains(result.Output, o => System.Text.RegularExpressions.Regex.IsMatch(o.ToString()!, line));
    }

    [Fact]
    public async Task VerboseTellsEachRequestWithItsTimeAndNoSecret()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        PowerShellResult result = (await shell.RunAsync("Get-CmekStatus -Verbose")).Expect();
        Assert.Equal(
            1 + Count,
            result.Verbose.Count(v => System.Text.RegularExpressions.Regex.IsMatch(v, @"^GET /api/v1/\S+: (200|404) in \d+ ms")));
        Assert.DoesNotContain(
            result.Verbose,
            v => v.Contains(shell.Server.Options.ApiKey, StringComparison.Ordinal) || v.Contains("Bearer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AClusterThatWasDeletedSinceItWasListedIsNotCalledDisabled()
    {
        HandClock clock = new();
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Aws);
        using CmekTools.Engine.CloudApi.CloudApiClient cloud = new(
            server.BaseAddress,
            server.Options.ApiKey,
            CmekTools.Engine.Timings.Sandbox,
            clock);
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        CmekCluster listed = await cloud.GetClusterAsync(
            server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
            cancellation);
        Assert.Equal(CmekState.DISABLED, (await cloud.GetCmekAsync(listed, cancellation)).State);
        server.Before = _ => Task.FromResult<SandboxResponse?>(
            new SandboxResponse { Status = 404, Body = """{"code":5,"message":"not found"}""" });
        clock.Now += TimeSpan.FromSeconds(30);
        CmekServiceException gone = await Assert.ThrowsAsync<CmekServiceException>(() => cloud.GetCmekAsync(listed, cancellation));
        Assert.Equal("CloudApiNotFound", gone.ErrorId);
    }

    [Fact]
    public async Task ABreakGlassGoesBeforeTheQueueOfAnotherCommand()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        (await shell.RunAsync("Get-CmekCluster c01 | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        await using SandboxShell other = await SandboxShell.StartAsync(server: shell.Server);
        CmekTools.Engine.Pacing.Pacer pacer = CmekTools.Engine.Pacing.Pacers.Cloud(
            shell.Server.BaseAddress,
            shell.Server.Options.ApiKey,
            4)!;
        foreach (SandboxShell each in (SandboxShell[])[shell, other])
        {
            // In a session whose client has the pacer: these sandboxes have no limit of their own.
            (await each.RunAsync(
                "param($Sandbox, $State) $null = Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State -RequestsPerSecond 4",
                new
                {
                    Sandbox = new CmekSandbox { BaseAddress = shell.Server.BaseAddress, Environment = shell.Server.Environment },
                    State = each.StateFolder,
                })).Expect();
        }

        shell.Server.ClearExchanges();
        RunningScript fleet = other.Shell.Start("Get-CmekStatus");
        await fleet.WaitForOutputAsync();
        (await shell.RunAsync("Revoke-CmekAccess c01 -Force -KeyOnly")).Expect();

        // Four requests a second: what the break-glass asked was answered while the fleet's twelve were still in the queue.
        Assert.False(fleet.Completion.IsCompleted);
        Assert.Equal(Count, (await fleet.Completion).Expect().Output.Count);
        Assert.Equal(4, pacer.Permits);
    }

    private static async Task<string[]> NamesAsync(SandboxShell shell, string script) =>
        [.. (await shell.RunAsync(script)).Expect().Values<CmekStatus>().Select(s => s.ClusterName)];

    private static void Refuse(SandboxShell shell, string name)
    {
        string id = shell.Server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf(name);
        shell.Server.Before = r => Task.FromResult(r.Operation == "GetCmek" && r.RawPath.Contains(id, StringComparison.Ordinal)
            ? new SandboxResponse { Status = 403, Body = """{"code":7,"message":"no"}""" }
            : null);
    }

    // Holds answers back until so many requests are there at once, or no more come for a moment.
    private sealed class Crowd : IDisposable
    {
        private readonly SandboxServer _server;
        private readonly SemaphoreSlim _enough = new(0);
        private int _now;
        private int _most;

        public Crowd(SandboxServer server, int wanted)
        {
            _server = server;
            server.Before = async r =>
            {
                if (r.Operation == "GetCmek")
                {
                    int now = Interlocked.Increment(ref _now);
                    int most = Math.Max(_most, now);
                    Interlocked.Exchange(ref _most, most);
                    if (most >= wanted)
                    {
                        _enough.Release(1000);
                    }

                    await _enough.WaitAsync(TimeSpan.FromSeconds(2));
                    Interlocked.Decrement(ref _now);
                }

                return null;
            };
        }

        public int Most => _most;

        public void Dispose()
        {
            _server.Before = null;
            _enough.Dispose();
        }
    }
}
