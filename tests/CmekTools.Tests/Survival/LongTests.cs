using System.Diagnostics;
using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;
using CmekTools.Benchmarks.Survival;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>The small version of the benchmark that waits for fifty clusters for two hours.</summary>
public sealed class LongTests
{
    [Theory]
    [InlineData("Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait -SkipPreflight", "changed: enable CMEK")]
    [InlineData("Wait-CmekStatus c0,c1,c2,c3,c4,c5,c6,c7,c8", "waited for")]
    public async Task CtrlCDuringAWaitForManyIsBackAtOnceAndSaysHowToGoOn(string script, string about)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with
        {
            StateTime = TimeSpan.FromHours(2),
            Clusters = [.. Enumerable.Range(0, 9).Select(n => new SandboxClusterOptions($"c{n}", "AWS", ["us-east-1"]))],
        });
        int enabled = about == "waited for" ? 9 : 0;
        int looks = 0;
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = request =>
        {
            // Four or more that wait look at the list of clusters: the third list after the last change shows that they do.
            if (request.Operation == "EnableCmek")
            {
                Interlocked.Increment(ref enabled);
            }
            else if (request.Operation == "ListClusters" && Volatile.Read(ref enabled) == 9 && Interlocked.Increment(ref looks) == 3)
            {
                all.TrySetResult();
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        RunningScript run = shell.Shell.Start(script);
        await all.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        await run.WaitForProgressAsync();
        Stopwatch watch = Stopwatch.StartNew();
        PowerShellResult result = await run.StopAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"stopping took {watch.Elapsed}");
        Assert.Equal(PSInvocationState.Stopped, result.State);
        Assert.Empty(result.Errors);
        string said = shell.Shell.Host.TakeText();
        Assert.Contains(about, said, StringComparison.Ordinal);
        Assert.Contains("Run the same command again", said, StringComparison.Ordinal);
        Assert.Matches("and [1-4] more", said);
    }

    // In a process of its own, whose time is simulated: it jumps where no thread has anything to do.
    [Fact]
    public async Task KeysAndTokensThatEndDuringALongWaitAreRenewed()
    {
        FinishedProgram run = await ExternalProgram.RunAsync(
            "dotnet",
            [typeof(LongWait).Assembly.Location, "long", "--clusters", "2", "--minutes", "70", "--grace", "600"]);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

        // Keys that ended a moment ago are not refused here, and how soon it is back
        // after Ctrl-C is for the benchmark: others have the machine too.
        Assert.DoesNotContain(lines[..^1], l => l != "not back within a second");
        Match said = Regex.Match(lines[^1], @"waited for 1:1\d.* AWS keys asked for (\d+) times, Google's token (\d+) times");
        Assert.True(said.Success, lines[^1]);
        Assert.All(said.Groups.Values.Skip(1), g => Assert.InRange(int.Parse(g.Value, CultureInfo.InvariantCulture), 2, 1000));
    }

    [Fact]
    public async Task CtrlCInARunThatChangedNothingSaysNothing()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        shell.Server.Before = async _ =>
        {
            asked.TrySetResult();
            await stopped.Task;
            return null;
        };
        RunningScript run = shell.Shell.Start("Get-CmekStatus shop");
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        PowerShellResult result = await run.StopAsync();
        stopped.SetResult();
        Assert.Equal(PSInvocationState.Stopped, result.State);
        Assert.DoesNotContain("Stopped", shell.Shell.Host.TakeText(), StringComparison.Ordinal);
    }
}
