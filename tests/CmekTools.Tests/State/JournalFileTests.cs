using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>The journal's file under everything that may happen to it: many processes, kills, hands that change it, a full disk.</summary>
public sealed class JournalFileTests
{
    [Fact]
    public async Task EightProcessesOfWhichTwoAreKilledLoseAndGarbleNoLine()
    {
        const int Writers = 8;
        const int Lines = 1000;
        using TempFolder folder = new();
        string path = Path.Combine(folder.Path, "state", "journal.jsonl");
        Process[] processes = [.. Enumerable.Range(0, Writers).Select(w => Start(path, w, Lines))];
        try
        {
            // Two are killed in the middle of their work: once they have shown that they write.
            foreach (Process victim in processes[..2])
            {
                for (int i = 0; i < 50; i++)
                {
                    Assert.NotNull(await victim.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
                }

                victim.Kill();
            }

            foreach (Process process in processes[2..])
            {
                Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
                await process.WaitForExitAsync(TestContext.Current.CancellationToken);
                Assert.True(process.ExitCode == 0, await output);
                Assert.Equal(Lines, (await output).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
            }
        }
        finally
        {
            foreach (Process process in processes)
            {
                if (!process.HasExited)
                {
                    process.Kill();
                }

                process.Dispose();
            }
        }

        JournalLine[] lines = [.. JournalReader.Lines(path)];
        Assert.All(lines.Where(l => l.Json is null), l => Assert.False(l.Text.EndsWith('}'), $"line {l.Number} is garbled: {l.Text}"));
        Assert.True(lines.Count(l => l.Json is null) <= 2, "more lines were cut short than processes were killed");
        ILookup<int, int> written = lines.Where(l => l.Json is not null).ToLookup(
            l => (int)l.Json!["writer"]!,
            l => (int)l.Json!["number"]!);
        Assert.All(Enumerable.Range(2, Writers - 2), w => Assert.Equal(Enumerable.Range(0, Lines), written[w]));
        Assert.All(Enumerable.Range(0, 2), w =>
        {
            Assert.Equal(Enumerable.Range(0, written[w].Count()), written[w]);
            Assert.InRange(written[w].Count(), 50, Lines);
        });
        Assert.DoesNotContain(JournalCheck.Run(path), c => c.Result == CmekCheckResult.Fail);
    }

    [Fact]
    public async Task WhateverIsDoneToALineIsSeen()
    {
        using EngineKit kit = EngineKit.Create();
        string path = await SomeChangesAsync(kit, 6);
        Assert.Equal(CmekCheckResult.Pass, Assert.Single(JournalCheck.Run(path)).Result);
        string[] lines = File.ReadAllLines(path);
        foreach ((string what, string[] changed) in ((string, string[])[])
        [
            ("one is changed", [.. lines[..4], lines[4].Replace("target", "Target", StringComparison.Ordinal), .. lines[5..]]),
            ("one is gone", [.. lines[..4], .. lines[5..]]),
            ("two change places", [.. lines[..4], lines[5], lines[4], .. lines[6..]]),
            ("one is doubled", [.. lines[..5], lines[4], .. lines[5..]]),
            ("one is added", [.. lines[..5], lines[4].Replace("test:", "evil:", StringComparison.Ordinal), .. lines[5..]]),
            ("the beginning is gone", lines[2..]),
            ("the end is gone", lines[..^1]),
            ("one of the first format is put between", [.. lines[..4], """{"v":1,"id":"x","phase":"begin"}""", .. lines[4..]]),
            ("there is nothing", []),
        ])
        {
            File.WriteAllLines(path, changed);
            Assert.True(JournalCheck.Run(path).Any(c => c.Result == CmekCheckResult.Fail), what);
        }
    }

    [Fact]
    public async Task NoLineStopsTheReadingOfTheOthers()
    {
        using EngineKit kit = EngineKit.Create();
        string path = await SomeChangesAsync(kit, 2);
        string deep = string.Concat(Enumerable.Repeat("[", 200)) + string.Concat(Enumerable.Repeat("]", 200));
        File.AppendAllText(path, $$$"""
            {"v":1,"id":"a","id":"b","phase":"begin"}
            {"v":1,"id":"c","phase":"begin","before":{"x":1,"x":2}}
            {"v":1,"id":"d","phase":"begin","before":{{{deep}}}}
            {"v":99,"id":"e","phase":"begin"}
            {"v":2,"id":7,"phase":[],"time":{}}
            {"v":1,"id":"f","phase":"begin","time":"2030-01-01T00:00:00Z","kind":3,"cluster":"no object","who":[1]}
            not json

            """);
        IReadOnlyList<CmekJournalEntry> entries = JournalReader.Read(path);
        Assert.Equal(["done", "done", "unknown"], entries.Select(e => e.Outcome));
        Assert.Equal("f", entries[^1].Id);
        string[] faults = [.. JournalCheck.Run(path).Select(c => c.ToString())];
        Assert.Contains(faults, f => f.Contains("the name 'id' stands in one object twice", StringComparison.Ordinal));
        Assert.Contains(faults, f => f.Contains("a newer CmekTools wrote it (format 99)", StringComparison.Ordinal));

        // The next change goes on behind all that.
        await ChangeAsync(kit, "test:Next");
        Assert.Equal("test:Next", JournalReader.Read(path)[^1].Kind);
    }

    [Fact]
    public async Task AJournalOfTheFirstFormatIsReadAndGoesOn()
    {
        using EngineKit kit = EngineKit.Create();
        Modes.Folder(kit.Session.Journal.Folder);
        File.Copy(
            Path.Combine(ExternalProgram.RepositoryRoot, "tests", "CmekTools.Tests", "State", "Samples", "journal-1.jsonl"),
            kit.Session.Journal.FilePath);
        Modes.Set(kit.Session.Journal.FilePath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Equal(["done", "failed", "unknown"], JournalReader.Read(kit.Session.Journal.FilePath).Select(e => e.Outcome));
        await ChangeAsync(kit, "test:Next");
        CmekJournalCheck check = Assert.Single(JournalCheck.Run(kit.Session.Journal.FilePath));
        Assert.Equal(CmekCheckResult.Pass, check.Result);
        Assert.Contains("5 of them are of the first format", check.Seen, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALineSaysWhoDidWhatForWhichClusterWhereAndWithWhichVersion()
    {
        using EngineKit kit = EngineKit.Create();
        kit.Session.Who.Note("aws", "arn:aws:iam::111122223333:user/alice");
        Operation op = kit.Run(new TestOperationHost());
        op.About(new CmekCluster { Id = "c-1", Name = "shop", Provider = CmekProvider.AWS, Plan = "ADVANCED", State = "CREATED" });
        await op.ChangeAsync(new PlannedChange("test:Change", "key", "do it"), _ => Task.CompletedTask);
        CmekJournalEntry entry = Assert.Single(JournalReader.Read(kit.Session.Journal.FilePath));
        Assert.Equal(
            ("c-1", "shop", EngineKit.OrganizationId, Environment.MachineName),
            (entry.ClusterId, entry.ClusterName, entry.OrganizationId, entry.Machine));
        Assert.Contains("aws arn:aws:iam::111122223333:user/alice", entry.Who, StringComparison.Ordinal);
        Assert.Contains(Environment.UserName, entry.Who, StringComparison.Ordinal);
        Assert.Matches(@"^\d+\.\d+\.\d+$", entry.ToolVersion);
    }

    [Fact]
    public void OfAnApiKeyOnlyTheIdIsKnown()
    {
        string secret = new('s', 40);
        Assert.Equal("CCDB1_" + new string('i', 22), Who.KeyIdOf("CCDB1_" + new string('i', 22) + "_" + secret));
        Assert.All((string[])["CCDB1_short_" + secret, secret, "CCDB1_" + new string('i', 22), ""], key => Assert.Null(Who.KeyIdOf(key)));
    }

    [Theory]
    [InlineData(504, "unknown")]
    [InlineData(500, "unknown")]
    [InlineData(0, "unknown")]
    [InlineData(403, "failed")]
    [InlineData(400, "failed")]
    public async Task ALostAnswerIsUnknownAndARefusalIsFailed(int status, string outcome)
    {
        using EngineKit kit = EngineKit.Create();
        CmekServiceException failure = new("S", "X", CmekErrorKind.ResourceUnavailable, "no", status, null, null);
        JsonObject before = new() { ["x"] = 1 };
        JsonObject after = new() { ["x"] = 2 };
        PlannedChange change = new("test:Change", "key", "do it", null, before, after);
        await Assert.ThrowsAsync<CmekServiceException>(() => kit.Run(new TestOperationHost()).ChangeAsync(change, _ => throw failure));
        Assert.Equal(outcome, Assert.Single(JournalReader.Read(kit.Session.Journal.FilePath)).Outcome);
        if (outcome != "unknown")
        {
            return;
        }

        // A look within the run: it was made after all, and nothing has failed.
        Assert.True(
            await kit.Run(new TestOperationHost()).ChangeAsync(
                change with { Target = "other" },
                _ => throw failure,
                _ => Task.FromResult(true)));
        Assert.Equal("done", JournalReader.Read(kit.Session.Journal.FilePath)[^1].Outcome);

        // The next run that looks settles the first one.
        await kit.Run(new TestOperationHost()).SettleAsync("test:Change", "key", new JsonObject { ["x"] = 3 });
        Assert.True(JournalReader.Read(kit.Session.Journal.FilePath)[0].IsUnsettled);
        await kit.Run(new TestOperationHost()).SettleAsync("test:Change", "key", after.DeepClone());
        CmekJournalEntry settled = JournalReader.Read(kit.Session.Journal.FilePath)[0];
        Assert.Equal(("done", false), (settled.Outcome, settled.IsUnsettled));
        Assert.Contains("made after all", settled.Message, StringComparison.Ordinal);
        Assert.Equal(CmekCheckResult.Pass, Assert.Single(JournalCheck.Run(kit.Session.Journal.FilePath)).Result);
    }

    [Fact]
    public async Task ABreakGlassDoesNotStopForTheJournal()
    {
        using EngineKit kit = EngineKit.Create();
        Modes.Folder(kit.Session.Journal.Folder);
        Modes.Folder(kit.Session.Journal.FilePath);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        op.JournalNeed = JournalNeed.Wanted;
        int sent = 0;
        for (int i = 0; i < 2; i++)
        {
            Assert.True(await op.ChangeAsync(new PlannedChange("test:Cut", $"key-{i}", "cut"), _ => Task.FromResult(sent++)));
        }

        Assert.Equal(2, sent);
        string elsewhere = kit.Session.Journal.FallbackPath!;
        Assert.Contains(elsewhere, Assert.Single(host.Warnings), StringComparison.Ordinal);
        Assert.Equal(["done", "done"], JournalReader.Read(elsewhere).Select(e => e.Outcome));
        Assert.Equal(CmekCheckResult.Pass, Assert.Single(JournalCheck.Run(elsewhere)).Result);
        File.Delete(elsewhere);

        op.JournalNeed = JournalNeed.Required;
        Assert.Equal(
            "JournalUnwritable",
            (
                await Assert.ThrowsAsync<CmekException>(
                    () => op.ChangeAsync(new PlannedChange("test:Cut", "k", "cut"), _ => Task.CompletedTask))).ErrorId);
    }

    /// <summary>
    /// Lines that wait together are written together: each stands there once, before its change is sent, in a whole chain.
    /// </summary>
    [Fact]
    public async Task AHundredAtOnceHaveTheirLinesBeforeTheyAreSent()
    {
        using EngineKit kit = EngineKit.Create();
        string path = await SomeChangesAsync(kit, 1);
        ConcurrentBag<string> early = [];
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(() => kit.Run(new TestOperationHost()).ChangeAsync(
            new PlannedChange($"test:{i}", "key", "do it"),
            _ =>
            {
                if (!JournalReader.Read(path).Any(e => e.Kind == $"test:{i}"))
                {
                    early.Add($"test:{i}");
                }

                return Task.CompletedTask;
            }))));
        Assert.Empty(early);
        Assert.Equal(CmekCheckResult.Pass, Assert.Single(JournalCheck.Run(path)).Result);
        CmekJournalEntry[] entries = [.. JournalReader.Read(path)];
        Assert.Equal(101, entries.Length);
        Assert.All(entries, e => Assert.Equal("done", e.Outcome));
        Assert.Equal(202, File.ReadLines(path).Count());
    }

    [Fact]
    public async Task OfManyAtOnceNoneIsSentWhereTheLinesCannotBeWritten()
    {
        using EngineKit kit = EngineKit.Create();
        string path = await SomeChangesAsync(kit, 1);
        File.Delete(path);
        Directory.CreateDirectory(path);
        int sent = 0;
        CmekException[] errors = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(
            () => Assert.ThrowsAsync<CmekException>(() => kit.Run(new TestOperationHost()).ChangeAsync(
                new PlannedChange($"test:{i}", "key", "do it"),
                _ => Task.FromResult(Interlocked.Increment(ref sent)))))));
        Assert.All(errors, e => Assert.Equal("JournalUnwritable", e.ErrorId));
        Assert.Equal(0, sent);
        Directory.Delete(path);
        await ChangeAsync(kit, "test:Next");
        Assert.Equal("test:Next", Assert.Single(JournalReader.Read(path)).Kind);
    }

    [Fact]
    public async Task TheSecondSinkGetsEachLineAndIsNeverInTheWay()
    {
        using TempFolder folder = new();
        string file = Path.Combine(folder.Path, "siem.jsonl");
        JournalSink sink = JournalSink.Create(file);
        string journal = Path.Combine(folder.Path, "state");
        using EngineKit kit = EngineKit.Create(journal: new JournalWriter(journal) { Sink = sink });
        await ChangeAsync(kit, "test:Change");
        Assert.Equal(File.ReadAllLines(Path.Combine(journal, "journal.jsonl")), File.ReadAllLines(file));

        File.Delete(file);
        Directory.CreateDirectory(file);
        await ChangeAsync(kit, "test:Change");
        Assert.Equal(2, sink.Failed);
        Assert.Equal(2, JournalReader.Read(Path.Combine(journal, "journal.jsonl")).Count);

        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no syslog.");
        string address = Path.Combine(folder.Path, "log");
        using Socket log = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        log.Bind(new UnixDomainSocketEndPoint(address));
        JournalSink.Create("SystemLog", address).Send("""{"v":2}""");
        byte[] buffer = new byte[1000];
        string got = Encoding.UTF8.GetString(buffer, 0, log.Receive(buffer));
        Assert.Matches(@"^<37>cmektools\[\d+\]: \{""v"":2\}$", got);
    }

    private static async Task<string> SomeChangesAsync(EngineKit kit, int count)
    {
        for (int i = 0; i < count; i++)
        {
            await ChangeAsync(kit, $"test:Change{i}");
        }

        return kit.Session.Journal.FilePath;
    }

    private static Task<bool> ChangeAsync(EngineKit kit, string kind) =>
        kit.Run(new TestOperationHost()).ChangeAsync(new PlannedChange(kind, "key", "do it"), _ => Task.CompletedTask);

    private static Process Start(string path, int writer, int lines) => Process.Start(
        new ProcessStartInfo("dotnet", [typeof(JournalFileTests).Assembly.Location, JournalProcess.Verb, path, $"{writer}", $"{lines}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
