using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>Folders and files that are not the user's alone are refused, with what to do.</summary>
public sealed class StateFilesTests
{
    private const UnixFileMode All = (UnixFileMode)0x1FF;

    [Theory]
    [InlineData("a folder that everybody may write in", "chmod 700")]
    [InlineData("a folder that the group may write in", "chmod 700")]
    [InlineData("a journal that is a link", "rm ")]
    [InlineData("a journal that others may write", "chmod 600")]
    [InlineData("a lock that is a link", "rm ")]
    public async Task WhatOthersCouldChangeIsRefusedWithTheRemedy(string what, string remedy)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Modes are of Unix.");
        using TempFolder folder = new();
        string state = Path.Combine(folder.Path, "state");
        string victim = folder.Write("victim", "somebody's file");
        Modes.Folder(state);
        using EngineKit kit = EngineKit.Create(journal: new JournalWriter(state));
        string journal = kit.Session.Journal.FilePath;
        switch (what)
        {
            case "a folder that everybody may write in":
                Modes.Set(state, All);
                break;
            case "a folder that the group may write in":
                Modes.Set(state, Modes.Own | UnixFileMode.GroupWrite);
                break;
            case "a journal that is a link":
                File.CreateSymbolicLink(journal, victim);
                break;
            case "a journal that others may write":
                File.WriteAllText(journal, string.Empty);
                Modes.Set(journal, UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
                break;
            default:
                File.CreateSymbolicLink(journal + ".lock", victim);
                break;
        }

        bool sent = false;
        CmekException error = await Assert.ThrowsAsync<CmekException>(() => kit.Run(new TestOperationHost()).ChangeAsync(
            new PlannedChange("test:Change", "key", "do it"),
            _ => Task.FromResult(sent = true)));
        Assert.Equal("JournalUnwritable", error.ErrorId);
        Assert.Contains(remedy, error.RecommendedAction, StringComparison.Ordinal);
        Assert.False(sent);
        Assert.Equal("somebody's file", File.ReadAllText(victim));
    }

    [Fact]
    public void AReceiptThatIsALinkIsNotWrittenThrough()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        using TempFolder folder = new();
        string victim = folder.Write("victim", "somebody's file");
        string path = Path.Combine(folder.Path, "receipt.json");
        File.CreateSymbolicLink(path, victim);
        Modes.Set(folder.Path, Modes.Own);
        Assert.Throws<UnsafeFileException>(() => StateFiles.WriteWhole(path, "{}"));
        Assert.Equal("somebody's file", File.ReadAllText(victim));
        Assert.Equal(2, Directory.GetFiles(folder.Path).Length);
    }

    [Fact]
    public async Task AnotherUsersFolderIsRefused()
    {
        Assert.SkipUnless(
            !OperatingSystem.IsWindows() && Environment.UserName == "root" && ExternalProgram.Exists("chown"),
            "Only root can give a folder away.");
        using TempFolder folder = new();
        string state = Path.Combine(folder.Path, "state");
        Modes.Folder(state);
        (await ExternalProgram.RunAsync("chown", ["12345", state])).Expect();

        // Root may write anywhere, and would be writing where another may change it afterwards.
        UnsafeFileException error = Assert.Throws<UnsafeFileException>(() => FileOwner.RequireFolder(state));
        Assert.Contains("belongs to another user (id 12345)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutAHomeTheErrorSaysWhatToSet()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is always a profile.");
        const string Script = """
            $ErrorActionPreference = 'Stop'
            Import-Module $env:TEST_MODULE
            $sandbox = Start-CmekSandbox
            foreach ($command in { Connect-CmekCloud -Sandbox $sandbox }, { Get-CmekJournal }, { Test-CmekJournal }, { Get-CmekReceipt }) {
                try { & $command; 'no error' } catch { $_.FullyQualifiedErrorId.Split(',')[0] + ': ' + $_.ErrorDetails.RecommendedAction }
            }
            "connections $(@(Get-CmekSession).Count)"
            """;
        using TempFolder folder = new();

        // A home that is no path of its own is none; PowerShell itself does not start where it cannot make its folders.
        FinishedProgram run = await ExternalProgram.RunAsync(
            "sh",
            [
                "-c",
                $"cd '{folder.Path}' && exec dotnet '{ExternalProgram.PowerShellProgram}' -NoProfile -NonInteractive "
                    + "-Command \"$TEST_SCRIPT\"",
            ],
            [
                ("TEST_SCRIPT", Script), ("TEST_MODULE", PowerShellSession.ModuleManifest), ("CMEKTOOLS_STATE", null), ("HOME", "nowhere"),
                ("XDG_DATA_HOME", null), ("XDG_CACHE_HOME", folder.Path), ("XDG_CONFIG_HOME", folder.Path),
            ]);
        string[] lines = run.Expect().Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        const string Said = "StateFolderUnknown: Set CMEKTOOLS_STATE to a folder of your own, or give -StateFolder.";
        Assert.Equal([Said, Said, Said, Said, "connections 0"], lines);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(8191)]
    [InlineData(8192)]
    [InlineData(100_000)]
    public void TheLastLineIsFoundHoweverLongItIs(int length)
    {
        using TempFolder folder = new();
        Modes.Set(folder.Path, Modes.Own);
        string path = Path.Combine(folder.Path, "lines");
        string line = new('x', length);
        List<string?> seen = [];
        foreach (string next in (string[])["first", line, "third"])
        {
            StateFiles.AppendLine(path, last =>
            {
                seen.Add(last);
                return next;
            });
        }

        Assert.Equal([null, "first", line], seen);
    }
}
