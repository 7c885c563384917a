using System.Diagnostics;
using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>Nothing holds the break-glass up: no key waits for another one, for the vendor, for IAM, or for whoever listens.</summary>
public sealed class HeldUpTests
{
    [Fact]
    public async Task IamAndStsThatNeverAnswerKeepNoKeyOpenAndNoProofAway()
    {
        await using Life life = await Life.StartAsync("AWS");
        life.Hang(r => r.Service is "iam" or "sts");
        Stopwatch watch = Stopwatch.StartNew();
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal((true, true), (steps[^1].KeyCut, steps[^1].Revoked));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(8), $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatNeverAnswersKeepsNothingElseWaitingAndCtrlCSaysWhatIsCut(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string silent = await life.KeyAsync(life.Regions[0]);
        string other = await life.KeyAsync(life.Regions[1]);
        life.Hang(r => r.Service is "kms" or "gcp-kms" && r.Names(silent));
        RunningScript run = life.Shell.Shell.Start("Revoke-CmekAccess shop -Force");
        await run.WaitForOutputAsync(o => o.BaseObject is CmekStep { Step: "Proof", CutState: CmekCutState.Cut } s && s.KeyUri == other);
        await run.WaitForOutputAsync(o => o.BaseObject is CmekStep { Step: "Revoked" });
        Assert.DoesNotContain(run.Output, o => o.BaseObject is CmekStep { KeyCut: true });

        Stopwatch watch = Stopwatch.StartNew();
        PowerShellResult result = await run.StopAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1.5), $"back after {watch.Elapsed}");
        Assert.Equal(PSInvocationState.Stopped, result.State);
        string said = life.Shell.Shell.Host.TakeText();
        Assert.Matches($@"{System.Text.RegularExpressions.Regex.Escape(other)}: cut, and seen to be", said);
        Assert.Matches($@"{System.Text.RegularExpressions.Regex.Escape(silent)}: NOT known to be cut", said);
        Assert.Contains("the service has taken the REVOKE", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$ErrorActionPreference = 'Stop'; Revoke-CmekAccess shop -Force")]
    [InlineData("$ErrorActionPreference = 'Stop'; $WarningPreference = 'Stop'; Revoke-CmekAccess shop -Force -PendingWindowInDays 7")]
    [InlineData("foreach ($once in 1) { Revoke-CmekAccess shop -Force | ForEach-Object { break } }")]
    [InlineData("Revoke-CmekAccess shop -Force | ForEach-Object { throw 'enough' }")]
    public async Task NoPreferenceAndNoListenerEndsItHalfWay(string script)
    {
        await using Life life = await Life.StartAsync("AWS");
        string[] keys = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        life.Answer(r => r.Operation is "GetKeyPolicy" or "DisableKey" && r.Names(keys[0]) ? Faults.Refused : null);
        PowerShellResult result = await life.TryAsync(script);
        life.Server.Before = null;
        Assert.True(
            life.Writes.Length == 3,
            $"{string.Join(", ", life.Writes)}; {result.State}; {string.Join(", ", result.Output)}; "
                + $"{string.Join(", ", result.Errors.Select(e => e.Exception))}");
        Assert.Equal(["cloud:UpdateCmekStatus", "kms:DisableKey", "kms:PutKeyPolicy"], life.Writes.Order(StringComparer.Ordinal));
        Assert.Contains(keys[1], (string)Assert.Single(life.Sent("PutKeyPolicy"))["KeyId"]!, StringComparison.Ordinal);
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task ManyClustersAreOnePlanAndOneQuestion()
    {
        SandboxOptions many = SandboxShell.Fast with
        {
            StateTime = TimeSpan.FromMilliseconds(30),
            Clusters =
            [
                .. Enumerable.Range(1, 6).Select(
                    i => new SandboxClusterOptions($"shop{i}", i % 2 == 0 ? "AWS" : "GCP", Life.RegionsOf(i % 2 == 0 ? "AWS" : "GCP"))),
            ],
        };
        await using SandboxShell shell = await SandboxShell.StartAsync(many);
        await shell.EnableAllAsync();
        shell.Shell.Answer("Y");

        // No cluster is seen REVOKED before the last key of all has been cut: whoever waited for one cluster's end would wait for ever.
        TaskCompletionSource allCut = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int cuts = 0;
        bool told = false;
        shell.Server.Before = async r =>
        {
            told |= r.Operation == "UpdateCmekStatus";
            if ((r.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy") && Interlocked.Increment(ref cuts) == 12)
            {
                allCut.TrySetResult();
            }

            if (told && r.Service == "cloud" && r.Method == "GET")
            {
                await allCut.Task;
            }

            return null;
        };
        CmekStep[] steps = [.. (await shell.RunAsync("Get-CmekCluster | Revoke-CmekAccess")).Expect().Values<CmekStep>()];
        string question = Assert.Single(shell.Shell.Host.Questions).Message;
        Assert.All(Enumerable.Range(1, 6), i => Assert.Contains($"shop{i} (", question, StringComparison.Ordinal));
        Assert.Contains("a SANDBOX", question, StringComparison.Ordinal);

        Assert.All(steps.GroupBy(s => s.ClusterName), c => Assert.Equal((true, true), (c.Last().KeyCut, c.Last().Revoked)));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ABusyClusterIsAskedAgainAndNoWaitDoesNotWait(string provider)
    {
        await using Life life = await Life.StartAsync(provider, change: o => o with { StateTime = TimeSpan.FromMilliseconds(300) });
        int asked = 0;
        life.Answer(r => r.Operation == "UpdateCmekStatus" && Interlocked.Increment(ref asked) <= 12
            ? new SandboxResponse { Status = 503, Body = """{"code":14,"message":"cluster is locked by another operation"}""" }
            : null);
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force -NoWait")).Values<CmekStep>()];
        Assert.Equal(13, asked);
        Assert.Single(steps, s => s.Step == "Revoke");
        Assert.DoesNotContain(steps, s => s.Step == "Revoked");
        Assert.Contains(steps, s => s.KeyCut == true);
    }

    [Theory]
    [InlineData("journal.jsonl", "receipts")]
    [InlineData("receipts", "journal.jsonl")]
    public async Task AStateFolderThatCannotBeWrittenStopsNothingButWhereAReceiptIsRequired(string first, string second)
    {
        await using Life life = await Life.StartAsync("AWS");
        foreach (string name in (string[])[first, second])
        {
            // A folder where a file belongs, and the reverse: what no permission of the user's makes writable.
            string path = Path.Combine(life.Shell.StateFolder, name);
            File.Delete(path);
            if (name == "receipts")
            {
                File.WriteAllText(path, "in the way");
            }
            else
            {
                Directory.CreateDirectory(path);
            }
        }

        PowerShellResult required = await life.TryAsync("Revoke-CmekAccess shop -Force -RequireReceipt");
        Assert.Empty(life.Writes);
        Assert.Contains(required.Errors, e => e.FullyQualifiedErrorId.StartsWith("ReceiptUnwritable,", StringComparison.Ordinal));
        Assert.All(required.Values<CmekStep>(), s => Assert.Null(s.KeyCut));

        PowerShellResult result = await life.RunAsync("Revoke-CmekAccess shop -Force");
        CmekStep last = result.Values<CmekStep>()[^1];
        Assert.Equal((true, true), (last.KeyCut, last.Revoked));
        Assert.Contains(
            result.Warnings,
            w => w.Contains("The receipt of shop cannot be written where it belongs", StringComparison.Ordinal));
        Assert.Contains(result.Warnings, w => w.StartsWith("The journal cannot be written", StringComparison.Ordinal));
        Assert.Contains(
            "Deny",
            life.Server.Exchanges.Last(e => e.Request.Operation == "PutKeyPolicy").Request.Text,
            StringComparison.Ordinal);

        // What was written elsewhere undoes the cut.
        Assert.Contains("\"accesses\"", File.ReadAllText(last.ReceiptPath!), StringComparison.Ordinal);
        File.Delete(last.ReceiptPath!);
    }
}
