using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>Keys, their uses and manifests of many clusters at once, and the regions of one.</summary>
public sealed class FleetKeysTests
{
    private const int Count = 4;

    private static SandboxOptions Options { get; } = SandboxShell.Fast with
    {
        Clusters = [.. Enumerable.Range(1, Count).Select(i => new SandboxClusterOptions($"c{i}", "AWS", ["us-east-1", "us-west-2"]))],
    };

    [Fact]
    public async Task OneKeysYesIsNoOtherKeysYesAndTheClustersAreReadOnceForBoth()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        PSObject[] keys = [.. (await shell.RunAsync("Get-CmekCluster c1, c2 | New-CmekKey -Region us-east-1 -Ordered")).Expect().Output];
        shell.Server.ClearExchanges();
        shell.Shell.Answer("y", "n");
        CmekKey[] after =
            [.. (await shell.RunAsync("param($Keys) $Keys | Remove-CmekKey", new { Keys = keys })).Expect().Values<CmekKey>()];
        Assert.Equal(2, shell.Shell.Host.Questions.Count);
        Assert.Equal(
            [CmekKeyState.Enabled, CmekKeyState.PendingDeletion],
            after.Select(k => k.State).OrderBy(s => s == CmekKeyState.PendingDeletion));
        Assert.Equal(["ScheduleKeyDeletion"], shell.Writes.Select(w => w.Request.Operation));
        Assert.Equal(1, Sent(shell, "ListClusters"));
        Assert.Equal(Count, Sent(shell, "GetCmek"));
    }

    [Fact]
    public async Task AQuestionThatStoodForLongIsAskedOfTheServiceAgain()
    {
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Aws);
        ShiftedClock clock = new();
        using EngineKit kit = EngineKit.Create(server, time: clock);
        TestOperationHost maker = new();
        CmekCluster shop = await kit.Session.Cloud.GetClusterAsync(
            server.Get<CloudApiService>().IdOf("shop"), TestContext.Current.CancellationToken);
        await Keys.MakeAsync(shop, ["us-east-1"], false, false, new Engine.Access.KeyOptions(), kit.Run(maker));
        string uri = Assert.Single(maker.Output.OfType<CmekKey>()).KeyUri!;
        TestOperationHost host = new()
        {
            Answer = (_, action) =>
            {
                // An hour later: meanwhile nobody can read what the cluster uses any more.
                clock.Ahead = TimeSpan.FromHours(1);
                server.Before = r => Task.FromResult(r.Operation == "GetCmek"
                    ? new SandboxResponse { Status = 403, Body = """{"code":7,"message":"no"}""" }
                    : null);
                return action.Contains("schedule", StringComparison.Ordinal);
            },
        };
        CmekException error = await Assert.ThrowsAsync<CmekException>(() => Removing.RemoveAsync(uri, null, [], kit.Run(host)));
        Assert.Equal("KeyInUse", error.ErrorId);
        Assert.DoesNotContain(server.Exchanges, e => e.Request.Operation == "ScheduleKeyDeletion");
    }

    [Fact]
    public async Task KeysOfManyClustersAreReadSideBySideAndOneThatIsNotThereStopsNone()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        (await shell.RunAsync("Get-CmekCluster | New-CmekKey")).Expect();
        Meeting meeting = Meeting.Of(shell.Server, "GetCmek", Count);
        CmekKey[] keys = [.. (await shell.RunAsync("Get-CmekKey -ClusterName * -Ordered")).Expect().Values<CmekKey>()];
        Assert.True(meeting.Happened, "Not all clusters were read at once.");
        Assert.Equal(
            Enumerable.Range(1, Count).SelectMany(i => new[] { $"c{i}/us-east-1", $"c{i}/us-west-2" }),
            keys.Select(k => $"{k.ClusterName}/{k.Region}"));

        shell.Server.Before = null;
        string[] uris = [keys[0].KeyUri!, keys[0].KeyUri![..^4] + "0000", keys[1].KeyUri!];
        foreach (string command in new[] { "Get-CmekKey", "Get-CmekKeyUse" })
        {
            PowerShellResult result = await shell.RunAsync($"param($Uris) $Uris | {command}", new { Uris = uris });
            Assert.StartsWith("KeyNotFound,", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
            Assert.Equal(
                [uris[0], uris[2]],
                result.Output.Select(o => (string)o.Properties["KeyUri"].Value).Distinct().OrderBy(u => u == uris[2]));
        }
    }

    [Fact]
    public async Task TheRegionsOfOneClusterAreMadeSideBySideAndComeInTheirOrder()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        Meeting meeting = Meeting.Of(shell.Server, "CreateKey", 2);
        CmekKey[] keys = [.. (await shell.RunAsync("New-CmekKey c1 -EnableRotation")).Expect().Values<CmekKey>()];
        Assert.True(meeting.Happened, "The regions were made one after the other.");
        Assert.Equal(["us-east-1", "us-west-2"], keys.Select(k => k.Region));

        // What each changed is its own.
        Assert.All(keys, k => Assert.Equal(k.Changes.Count, k.Changes.Distinct().Count()));
        Assert.All(keys, k => Assert.Contains(k.Changes, c => c.Contains(k.Region!, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task QuestionsComeARegionAfterTheOther()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        shell.Shell.Answer("y", "y", "n");
        CmekKey[] keys = [.. (await shell.RunAsync("New-CmekKey c1 -NoRotation -Confirm")).Expect().Values<CmekKey>()];
        Assert.Equal(
            ["us-east-1", "us-east-1", "us-west-2"],
            shell.Shell.Host.Questions.Select(q => q.Message.Contains("us-west-2", StringComparison.Ordinal) ? "us-west-2" : "us-east-1"));
        Assert.Equal([CmekKeyState.Enabled, CmekKeyState.Planned], keys.Select(k => k.State));
    }

    [Fact]
    public async Task AKeyRingThatClustersShareIsMadeByOneOfThem()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with
        {
            Clusters = [.. Enumerable.Range(1, 3).Select(i => new SandboxClusterOptions($"g{i}", "GCP", ["us-central1"]))],
        });
        Meeting.Of(shell.Server, "keyRings.get", 3);
        CmekKey[] keys = [.. (await shell.RunAsync("Get-CmekCluster | New-CmekKey")).Expect().Values<CmekKey>()];
        Assert.Equal(3, keys.Length);
        Assert.Equal(1, Sent(shell, "keyRings.create"));
        Assert.Equal(1, keys.Count(k => k.Changes.Any(c => c.StartsWith("make the key ring", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task ASecondAccessForARegionIsNotLostWithoutAWord()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        CmekAccess[] accesses =
        [
            .. (await shell.RunAsync("New-CmekKey c1 | Grant-CmekAccess -Ordered")).Expect().Values<CmekAccess>(),
        ];
        CmekAccess[] given = [.. accesses, accesses[0], accesses[0] with { AuthPrincipal = "arn:aws:iam::111122223333:role/other" }];
        PowerShellResult result = await shell.RunAsync("param($Given) $Given | Enable-CmekCluster -Wait", new { Given = given });
        ErrorRecord late = Assert.Single(result.Errors);
        Assert.StartsWith("RegionDuplicate,", late.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal("arn:aws:iam::111122223333:role/other", Assert.IsType<CmekAccess>(late.TargetObject).AuthPrincipal);
        Assert.Equal(CmekState.ENABLED, Assert.Single(result.Values<CmekStatus>()).State);
        Assert.Equal(1, Sent(shell, "EnableCmek"));
    }

    [Fact]
    public async Task ManifestsAreReadSideBySideAndAFileIsTheFirstClustersWhoeverAnswersFirst()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        await shell.EnableAllAsync();
        Meeting meeting = Meeting.Of(shell.Server, "GetCmek", Count);
        Assert.Equal(Count, (await shell.RunAsync("Get-CmekCluster | Export-CmekManifest")).Expect().Output.Count);
        Assert.True(meeting.Happened, "The manifests were read one after the other.");

        shell.Server.Before = null;
        string path = Path.Combine(shell.StateFolder, "one.json");
        PowerShellResult result = await shell.RunAsync(
            "param($Path) Get-CmekCluster c1, c2, c3, c4 | Export-CmekManifest -Path $Path", new { Path = path });
        Assert.All(result.Errors, e => Assert.StartsWith("FileExists,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Equal(Count - 1, result.Errors.Count);
        string written = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(written, (await shell.RunAsync("Export-CmekManifest c1")).Expect().Output[0].ToString());
    }

    [Fact]
    public async Task WhatHasGoneDownThePipelineIsNotKept()
    {
        const int Many = 120;
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with
        {
            Clusters = [.. Enumerable.Range(1, Many).Select(i => new SandboxClusterOptions($"m{i:000}", "AWS", ["us-east-1"]))],
        });
        TaskCompletionSource looked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        string last = shell.Server.Get<CloudApiService>().IdOf($"m{Many:000}");
        shell.Server.Before = async r =>
        {
            if (r.Operation == "GetOrganization")
            {
                looked.SetResult();
            }
            else if (r.Operation == "GetCmek" && r.RawPath.Contains(last, StringComparison.Ordinal))
            {
                await looked.Task;
            }

            return null;
        };

        // While the last one is still read, nothing holds those that have gone by.
        const string Script = """
            $seen = [Collections.Generic.List[WeakReference]]::new()
            $alive = -1
            Get-CmekStatus | ForEach-Object {
                $seen.Add([WeakReference]::new($_))
                if ($seen.Count -eq COUNT) {
                    $_ = $null
                    [GC]::Collect(); [GC]::WaitForPendingFinalizers(); [GC]::Collect()
                    $alive = @($seen | Where-Object IsAlive).Count
                    $null = Get-CmekOrganization
                }
            }
            $alive
            """;
        PowerShellResult result =
            (await shell.RunAsync(Script.Replace("COUNT", $"{Many - 1}", StringComparison.Ordinal))).Expect();
        Assert.InRange((int)result.Output[0].BaseObject, 0, Many / 4);
    }

    [Fact]
    public async Task AGrantOfAKeyThatWasMadeJustNowForAClusterWithoutKeysDoesNotReadTheClusterAgain()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(Options);
        (await shell.RunAsync("Get-CmekCluster c1 | New-CmekKey | Grant-CmekAccess")).Expect();
        Assert.Equal(1, Sent(shell, "GetCmek"));

        // The keys are there now: who has looked at the cluster before does not know what has happened since they were made.
        shell.Server.ClearExchanges();
        (await shell.RunAsync("Get-CmekCluster c1 | New-CmekKey | Grant-CmekAccess")).Expect();
        Assert.Equal(2, Sent(shell, "GetCmek"));

        (await shell.RunAsync("Get-CmekCluster c1 | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        shell.Server.ClearExchanges();
        (await shell.RunAsync("New-CmekKey c1 -NewGeneration | Grant-CmekAccess")).Expect();
        Assert.InRange(Sent(shell, "GetCmek"), 2, 4);
    }

    private static int Sent(SandboxShell shell, string operation) =>
        shell.Server.Exchanges.Count(e => e.Request.Operation == operation);

    // The machine's clock, so far ahead.
    private sealed class ShiftedClock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Ahead;
    }

    // Holds requests back until so many are there at once; gives up after a while, and then it has not happened.
    private sealed class Meeting
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _there;

        public bool Happened => _all.Task.IsCompletedSuccessfully;

        public static Meeting Of(SandboxServer server, string operation, int wanted)
        {
            Meeting meeting = new();
            server.Before = async r =>
            {
                if (r.Operation == operation)
                {
                    if (Interlocked.Increment(ref meeting._there) == wanted)
                    {
                        meeting._all.TrySetResult();
                    }

                    await Task.WhenAny(meeting._all.Task, Task.Delay(TimeSpan.FromSeconds(10)));
                }

                return null;
            };
            return meeting;
        }
    }
}
