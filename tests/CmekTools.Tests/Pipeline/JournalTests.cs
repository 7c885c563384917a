using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The journal: on disk before the request, readable after anything, its owner's only, and without it no change.</summary>
public sealed class JournalTests
{
    private const string WholeLife = """
        $WarningPreference = 'SilentlyContinue'
        New-CmekCluster orders -Provider PROVIDER -RegionNodes @{ 'REGION' = 3 }
        Get-CmekCluster shop | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
        Update-CmekCluster shop -Rewrap -RotateKey -Wait
        New-CmekKey shop -Region REGION -NewRegion | Grant-CmekAccess | Add-CmekRegion -NodeCount 3 -Wait
        New-CmekKey shop -Region REGION -NewGeneration | Remove-CmekKey -Confirm:$false
        Revoke-CmekAccess shop -Force
        Restore-CmekAccess shop -Wait
        Disable-CmekCluster shop
        """;

    // How the journal names a service's calls.
    private static readonly Dictionary<string, string[]> s_kinds = new()
    {
        ["cloud"] = ["cmek:", "cluster:"],
        ["kms"] = ["kms:"],
        ["iam"] = ["iam:"],
        ["gcp-kms"] = ["cloudkms:"],
        ["gcp-iam"] = ["iam:"],
    };

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EachEntryIsOnDiskBeforeTheRequestThatItAnnounces(string provider)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        List<string> faults = [];
        int writes = 0;
        life.Server.Before = request =>
        {
            if (request.IsWrite)
            {
                writes++;
                JsonObject[] lines = Lines(life);
                HashSet<string> ended = [.. lines.Where(l => (string?)l["phase"] != "begin").Select(l => (string)l["id"]!)];
                if (
                    !lines.Any(
                        l => (string?)l["phase"] == "begin" && !ended.Contains((string)l["id"]!) && (string?)l["kind"] != "cmek:RotateRun"
                            && s_kinds[request.Service].Any(k => ((string)l["kind"]!).StartsWith(k, StringComparison.Ordinal))))
                {
                    faults.Add($"{request} was not announced");
                }
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        await life.RunAsync(
            WholeLife.Replace("REGION", life.NewRegion, StringComparison.Ordinal).Replace("PROVIDER", provider, StringComparison.Ordinal));
        life.Server.Before = null;
        Assert.Empty(faults);
        Assert.True(writes > 10, $"only {writes} writes were looked at");

        CmekJournalEntry[] entries = [.. (await life.RunAsync("Get-CmekJournal")).Values<CmekJournalEntry>()];
        Assert.All(entries, e =>
        {
            Assert.Equal("done", e.Outcome);
            Assert.True(e.EndTime >= e.Time);
            Assert.False(
                string.IsNullOrEmpty(e.Kind) || string.IsNullOrEmpty(e.Target) || string.IsNullOrEmpty(e.Summary)
                    || string.IsNullOrEmpty(e.RunId));
        });
        string[] commands =
        [
            "New-CmekCluster",
            "New-CmekKey",
            "Grant-CmekAccess",
            "Enable-CmekCluster",
            "Update-CmekCluster",
            "Add-CmekRegion",
            "Remove-CmekKey",
            "Revoke-CmekAccess", "Restore-CmekAccess", "Disable-CmekCluster",
        ];
        Assert.Equal(commands, entries.Select(e => e.Command!).Distinct());

        // What was there before is kept with the change, as JSON.
        CmekJournalEntry cut = entries.First(
            e => e.Command == "Revoke-CmekAccess" && e.Kind is "kms:PutKeyPolicy" or "cloudkms:cryptoKeys.setIamPolicy");
        Assert.NotEqual(JsonNode.Parse(cut.Before!)!.ToJsonString(), JsonNode.Parse(cut.After!)!.ToJsonString());

        // The reader's filters.
        Assert.Equal(
            entries.Where(e => e.Target == cut.Target),
            (await life.RunAsync("param($Target) Get-CmekJournal $Target", new { cut.Target })).Values<CmekJournalEntry>());
        Assert.Equal(
            entries.Where(e => e.Time >= cut.Time),
            (await life.RunAsync("param($After) Get-CmekJournal -After $After", new { After = cut.Time })).Values<CmekJournalEntry>());
        Assert.Equal(
            entries.Length,
            (
                await life.RunAsync(
                    "param($Folder) Disconnect-CmekCloud; Get-CmekJournal -StateFolder $Folder",
                    new { Folder = life.Shell.StateFolder })).Output.Count);

        NothingSecret(life);
        OwnersOnly(life);
    }

    [Fact]
    public async Task ALineThatWasCutShortSwallowsNothing()
    {
        await using Life life = await Life.StartAsync("AWS");
        string path = Journal(life);
        string earlier = File.ReadAllText(path);
        int count = (await life.RunAsync("Get-CmekJournal")).Output.Count;
        string half = earlier.Split('\n')[0][..40];
        File.AppendAllText(path, half);
        Assert.Equal(count, (await life.RunAsync("Get-CmekJournal")).Output.Count);

        await life.RunAsync("Update-CmekCluster shop -Rewrap -WarningAction SilentlyContinue");
        string now = File.ReadAllText(path);
        Assert.StartsWith(earlier + half + "\n{", now, StringComparison.Ordinal);
        Assert.EndsWith("\n", now, StringComparison.Ordinal);
        CmekJournalEntry[] entries = [.. (await life.RunAsync("Get-CmekJournal")).Values<CmekJournalEntry>()];
        Assert.Equal(count + 1, entries.Length);
        Assert.Equal(("cmek:Update", "done"), (entries[^1].Kind, entries[^1].Outcome));
    }

    [Theory]
    [InlineData("AWS", "-AliasName second")]
    [InlineData("GCP", "-KeyRing second")]
    public async Task WhatCannotBeWrittenDownIsNotDone(string provider, string other)
    {
        await using Life life = await Life.StartAsync(provider);

        // A folder in the file's place cannot be written, not even by root.
        File.Delete(Journal(life));
        Directory.CreateDirectory(Journal(life));
        string[] commands = ["Update-CmekCluster shop -Rewrap -RotateKey", "Disable-CmekCluster shop", $"New-CmekKey shop {other}"];
        foreach (string command in commands)
        {
            PowerShellResult result = await life.TryAsync($"$WarningPreference = 'SilentlyContinue'; {command}");
            Assert.True(result.Errors.Count > 0, command);
            Assert.All(result.Errors, e =>
            {
                Assert.StartsWith("JournalUnwritable", e.FullyQualifiedErrorId, StringComparison.Ordinal);
                Assert.Equal(ErrorCategory.WriteError, e.CategoryInfo.Category);
                Assert.Contains("CMEKTOOLS_STATE", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
            });
            Assert.True(life.Writes.Length == 0, $"{command} sent {string.Join(", ", life.Writes)}");
        }
    }

    [Fact]
    public async Task AFolderThatCannotBeMadeStopsTheChangeToo()
    {
        await using Life life = await Life.StartAsync("AWS");
        string folder = life.Shell.StateFolder;
        string aside = folder + "-aside";
        Directory.Move(folder, aside);
        File.WriteAllText(folder, "a file stands where the folder should be");
        try
        {
            foreach (
                (string command, string id) in ((string, string)[])[("Disable-CmekCluster shop", "JournalUnwritable"), (
                    "Revoke-CmekAccess shop -Force -RequireReceipt",
                    "ReceiptUnwritable")])
            {
                Assert.Equal(ErrorCategory.WriteError, (await life.TryAsync(command)).ExpectError(id).CategoryInfo.Category);
                Assert.Empty(life.Writes);
            }
        }
        finally
        {
            File.Delete(folder);
            Directory.Move(aside, folder);
        }
    }

    [Fact]
    public async Task AFullDiskStopsTheChangeAndLosesNothing()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "This platform has no device that is always full.");
        await using Life life = await Life.StartAsync("AWS");
        string kept = Journal(life) + ".kept";
        File.Move(Journal(life), kept);
        string earlier = File.ReadAllText(kept);
        File.CreateSymbolicLink(Journal(life), "/dev/full");
        (await life.TryAsync("Disable-CmekCluster shop")).ExpectError("JournalUnwritable");
        Assert.Empty(life.Writes);

        // There is room again.
        File.Delete(Journal(life));
        File.Move(kept, Journal(life));
        await life.RunAsync("Disable-CmekCluster shop -WarningAction SilentlyContinue");
        Assert.StartsWith(earlier, File.ReadAllText(Journal(life)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnEntryOfAStoppedRunSaysThatTheOutcomeIsNotKnown()
    {
        await using Life life = await Life.StartAsync("AWS");
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource never = new(TaskCreationOptions.RunContinuationsAsynchronously);
        life.Server.Before = async request =>
        {
            if (request.Operation == "UpdateCmek")
            {
                held.TrySetResult();
                await never.Task;
            }

            return null;
        };
        RunningScript run = life.Shell.Shell.Start("Disable-CmekCluster shop");
        await held.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        // Another process looks while the request is on its way.
        string copy = life.Shell.StateFolder + "-copy";
        Directory.CreateDirectory(copy);
        try
        {
            File.Copy(Journal(life), Path.Combine(copy, "journal.jsonl"));
            await using PowerShellSession other = await PowerShellSession.OpenAsync();
            CmekJournalEntry entry = (
                await other.InvokeAsync(
                    "param($Folder) Get-CmekJournal -StateFolder $Folder",
                    new { Folder = copy })).Expect().Values<CmekJournalEntry>()[^1];
            Assert.Equal(("cmek:Disable", "unknown", null), (entry.Kind, entry.Outcome, entry.EndTime));
        }
        finally
        {
            Directory.Delete(copy, recursive: true);
        }

        Assert.Equal(PSInvocationState.Stopped, (await run.StopAsync()).State);
        life.Server.Before = null;
        Assert.Equal("cancelled", (await life.RunAsync("Get-CmekJournal")).Values<CmekJournalEntry>()[^1].Outcome);
    }

    private static string Journal(Life life) => Path.Combine(life.Shell.StateFolder, "journal.jsonl");

    private static JsonObject[] Lines(Life life) =>
        File.Exists(Journal(life)) ? [.. File.ReadAllLines(Journal(life)).Select(l => JsonNode.Parse(l)!.AsObject())] : [];

    private static void NothingSecret(Life life)
    {
        string[] secrets =
        [
            life.Server.Options.ApiKey,
            life.Server.Environment["AWS_SECRET_ACCESS_KEY"],
            life.Server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"],
        ];
        string[] files = life.Files();
        Assert.True(files.Length >= 2, "journal and receipt");
        Assert.All(secrets, secret => Assert.All(files, text => Assert.DoesNotContain(secret, text, StringComparison.Ordinal)));
    }

    private static void OwnersOnly(Life life)
    {
        if (OperatingSystem.IsWindows())
        {
            // The user's local application data is the user's own there.
            return;
        }

        const UnixFileMode file = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        foreach (string path in Directory.GetFiles(life.Shell.StateFolder, "*", SearchOption.AllDirectories))
        {
            Assert.Equal(file, File.GetUnixFileMode(path));
        }

        foreach (string path in Directory.GetDirectories(life.Shell.StateFolder).Append(life.Shell.StateFolder))
        {
            Assert.Equal(file | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        }
    }
}
