using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>What is said around a cut: who makes it, what became of each step, and that nothing was done.</summary>
public sealed class SaidTests
{
    private static readonly SandboxOptions s_both = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
    [
        new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
        new SandboxClusterOptions("ledger", "GCP", ["us-east1"]),
    ] };

    [Fact]
    public async Task WhoActsIsWhoeverActsAtTheCloudOfTheKeys()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(s_both);
        await shell.EnableAllAsync();
        string aws = (await shell.RunAsync("(Get-CmekSession).AwsIdentity")).Output[0].ToString()!;
        Assert.StartsWith("arn:", aws, StringComparison.Ordinal);
        shell.Shell.Host.TakeText();
        (await shell.RunAsync("Revoke-CmekAccess ledger -WhatIf")).Expect();
        Assert.DoesNotContain(aws, shell.Shell.Host.TakeText(), StringComparison.Ordinal);
        (await shell.RunAsync("Revoke-CmekAccess shop -WhatIf")).Expect();
        Assert.Contains($"as {aws} on AWS", shell.Shell.Host.TakeText(), StringComparison.Ordinal);

        (await shell.RunAsync("$null = Revoke-CmekAccess ledger -Force -NoWait")).Expect();
        CmekJournalEntry[] lines = [.. (await shell.RunAsync("Get-CmekJournal")).Expect().Values<CmekJournalEntry>()];
        Assert.All(
            lines.Where(l => l.ClusterName == "ledger" || l.Kind!.StartsWith("cloudkms:", StringComparison.Ordinal)),
            l => Assert.DoesNotContain("arn:", l.Who!, StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Kind == "kms:PutKeyPolicy" && l.Who!.Contains(aws, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Revoke-CmekAccess shop -Confirm", "Nothing was cut, because you said no.")]
    [InlineData("Revoke-CmekAccess shop -ServiceOnly", "The service was not told, because you said no.")]
    public async Task WhoSaysNoIsToldThatNothingWasDone(string command, string said)
    {
        await using Life life = await Life.StartAsync("AWS");
        life.Shell.Shell.Answer("N");
        PowerShellResult result = await life.RunAsync(command);
        Assert.Empty(result.Output);
        Assert.Equal([said], result.Warnings);
        Assert.Empty(life.Writes);
        Assert.Empty(life.Receipts());
    }

    [Fact]
    public async Task TheTableShowsWhatFailedAndWhomAProofIsAbout()
    {
        await using Life life = await Life.StartAsync("AWS");
        life.Answer(
            r => r.Service == "cloud" && r.Method == "PATCH" ? new SandboxResponse
            {
                Status = 403,
                Body = """{"code":7,"message":"the vendor says no"}""",
            } : null);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        string text = life.Shell.Shell.Format(result.Output);
        Assert.Contains("NOT told", text, StringComparison.Ordinal);
        CmekStep[] proofs = [.. result.Values<CmekStep>().Where(s => s.Step == "Proof")];
        Assert.All(proofs, p => Assert.StartsWith("arn:aws:iam::", p.AuthPrincipal, StringComparison.Ordinal));
        Assert.Contains("as cmektools-shop", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ADisabledKeyWithAnUnreadPolicyIsNoProofAndTheErrorSaysWhy(bool before)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        if (before)
        {
            await life.Aws.Kms.DisableKeyAsync(key, TestContext.Current.CancellationToken);
        }

        life.Answer(r => r.Operation is "GetKeyPolicy" && r.Names(key) ? Faults.Refused : null);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        Assert.Contains(
            "may be able to switch the key on again",
            result.ExpectError("CutNotSeen,").Exception.Message,
            StringComparison.Ordinal);
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Null(steps[^1].KeyCut);
        Assert.Contains(
            steps,
            s => s.Step == "Cut" && s.KeyUri == key
                && s.Result.EndsWith(before ? "it is disabled already" : "disable the key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AReadinessThatWasAskedForWithWildcardsOrOfACutClusterSaysWhatItIs()
    {
        await using Life life = await Life.StartAsync("AWS");
        PowerShellResult none = await life.TryAsync("Test-CmekBreakGlass 'zzz*' -Quiet");
        none.ExpectError("ClusterNotFound,");
        Assert.Equal([false], none.Output.Select(o => o.BaseObject));
        Assert.Equal([true], (await life.RunAsync("Test-CmekBreakGlass 'sh*' -Quiet")).Output.Select(o => o.BaseObject));
        Assert.Equal(
            (await life.RunAsync("Test-CmekBreakGlass shop")).Values<CmekCheck>().Select(c => (c.Name, c.Target)),
            (await life.RunAsync("Test-CmekBreakGlass shop, 's*', '*'")).Values<CmekCheck>().Select(c => (c.Name, c.Target)));
        string before = Keys(await life.RunAsync("Test-CmekBreakGlass shop"));
        Assert.StartsWith("2 keys with 1 principal would be cut", before, StringComparison.Ordinal);
        await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        string after = Keys(await life.RunAsync("Test-CmekBreakGlass shop"));
        Assert.Matches("^2 keys with 1 principal are known, and a cut of .* stands by its receipt", after);

        static string Keys(PowerShellResult result) => Assert.Single(result.Values<CmekCheck>(), c => c.Name == "CutKeys").Seen!;
    }

    [Fact]
    public async Task AFolderOfASharedStateThatIsNotThereIsSaidAtOnce()
    {
        await using Life life = await Life.StartAsync("AWS", enable: false);
        string missing = Path.Combine(life.Shell.StateFolder, "not", "mounted");
        PowerShellResult result = await life.TryAsync(
            "param($Sandbox, $State, $Shared) Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State -SharedState $Shared",
            new
            {
                Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = life.Server.Environment },
                State = life.Shell.StateFolder,
                Shared = missing,
            });
        Assert.Contains(result.Warnings, w => w.Contains($"{missing}, is not there", StringComparison.Ordinal));
        Assert.Single(result.Values<CmekSession>());
        Assert.False(Directory.Exists(missing));
    }
}
