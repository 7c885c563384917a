using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>The journal's hold on a change that was announced and has not ended.</summary>
internal sealed record JournalTicket(string Id, Operation Operation, PlannedChange Change);

/// <summary>What a run does where the journal cannot be written.</summary>
internal enum JournalNeed
{
    /// <summary>Nothing is changed without its line.</summary>
    Required,

    /// <summary>
    /// The change is what counts (a break-glass): the line goes to a file of its own in the folder for temporary files, and where that
    /// does not work either, into a warning.
    /// </summary>
    Wanted,
}

/// <summary>
/// Writes every change down, a line of JSON each, flushed to disk before the request that it announces and again after its answer. Each
/// line carries the SHA-256 of the one before it (<c>prev</c>), so that a line that was changed or taken out is seen
/// (Test-CmekJournal). Processes side by side write into the same file; whatever they do, a line is whole or it is not there.
/// </summary>
internal sealed class JournalWriter
{
    /// <summary>The format of a line. 1 had no chain, and is read.</summary>
    public const int Version = 2;

    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string s_tool = typeof(JournalWriter).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
        .InformationalVersion.Split('+')[0] ?? "unknown";

    /// <summary>How long a break-glass waits for a disk before it writes elsewhere.</summary>
    public static readonly TimeSpan DiskPatience = TimeSpan.FromSeconds(2);

    // One writes, and the others wait without a thread of their own: a pool that waits for a disk answers nobody.
    private readonly OneAtATime _one = new();
    private readonly object _lock = new();
    private readonly List<WaitingLine> _waiting = [];
    private string? _fallback;
    private volatile bool _stuck;

    public JournalWriter(string folder, TimeProvider? time = null)
    {
        Folder = folder;
        Time = time ?? TimeProvider.System;
    }

    /// <summary>The state folder.</summary>
    public string Folder { get; }

    /// <summary>The journal's file.</summary>
    public string FilePath => Path.Combine(Folder, "journal.jsonl");

    /// <summary>
    /// The file in the folder for temporary files that lines went to because the journal could not be written; null where none did.
    /// </summary>
    public string? FallbackPath
    {
        get
        {
            lock (_lock)
            {
                return _fallback;
            }
        }
    }

    /// <summary>A second place that each line goes to; null: none. It is never in the way.</summary>
    public JournalSink? Sink { get; init; }

    private TimeProvider Time { get; }

    /// <summary>The state folder of this platform: CMEKTOOLS_STATE, else the user's local application data.</summary>
    /// <exception cref="CmekException"><c>StateFolderUnknown</c>.</exception>
    public static string DefaultFolder() => StateFolder.Default();

    /// <summary>Announces a change.</summary>
    /// <exception cref="CmekException"><c>JournalUnwritable</c>: the change must not be made. Never where the run only wants the
    /// journal.</exception>
    public async Task<JournalTicket> BeginAsync(Operation op, PlannedChange change)
    {
        JournalTicket ticket = new(Guid.NewGuid().ToString("N")[..12], op, change);
        await AppendAsync(Entry(ticket, "begin", null), announces: true, op).ConfigureAwait(false);
        return ticket;
    }

    /// <summary>Writes down how an announced change ended.</summary>
    /// <exception cref="CmekException"><c>JournalUnwritable</c>: the change was made, its end is not on record. Never where the run only
    /// wants the journal.</exception>
    public Task EndAsync(JournalTicket ticket, string phase, string? message = null) =>
        AppendAsync(Entry(ticket, phase, message), announces: false, ticket.Operation);

    /// <summary>Like <see cref="EndAsync"/>, where another failure is on its way to the user already.</summary>
    public async Task TryEndAsync(JournalTicket ticket, string phase, string? message)
    {
        try
        {
            await EndAsync(ticket, phase, message).ConfigureAwait(false);
        }
        catch (CmekException)
        {
            // An entry without an end reads as "outcome not known", which is the truth.
        }
    }

    /// <summary>Writes down what a later look showed of a change whose outcome was not known.</summary>
    /// <param name="op">The run that looked.</param>
    /// <param name="entry">The change.</param>
    /// <param name="outcome"><c>done</c> or <c>not made</c>.</param>
    /// <param name="message">What was seen.</param>
    public async Task SettleAsync(Operation op, CmekJournalEntry entry, string outcome, string message)
    {
        JsonObject line = new()
        {
            ["v"] = Version,
            ["time"] = Time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
            ["run"] = op.RunId,
            ["id"] = entry.Id,
            ["command"] = op.Command,
            ["phase"] = "settled",
            ["outcome"] = outcome,
            ["kind"] = entry.Kind,
            ["target"] = entry.Target,
            ["message"] = message,
        };
        try
        {
            await AppendAsync(line, announces: false, op).ConfigureAwait(false);
        }
        catch (CmekException)
        {
            // It stays unsettled, and the next look tries again.
        }
    }

    /// <summary>The hash that the line after this one carries.</summary>
    /// <param name="line">A line without its end; null for none.</param>
    public static string HashOf(string? line) =>
        line is null ? new string('0', 64) : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(line))).ToLowerInvariant();

    /// <summary>Appends an entry to a journal's file, chained to the line before it.</summary>
    /// <returns>The line.</returns>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static string Append(string path, JsonObject entry) => Append(path, [entry])[0];

    private static List<string> Append(string path, IReadOnlyList<JsonObject> entries)
    {
        List<string> lines = [];
        StateFiles.AppendLines(
            path,
            last =>
            {
                foreach (JsonObject entry in entries)
                {
                    lines.Add(Chained(entry, lines.Count == 0 ? last : lines[^1]));
                }

                return lines;
            },
            () => JournalHead.Note(path, HashOf(lines[^1])));
        return lines;
    }

    private JsonObject Entry(JournalTicket ticket, string phase, string? message)
    {
        Operation op = ticket.Operation;
        JsonObject entry = new()
        {
            ["v"] = Version,
            ["time"] = Time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture),
            ["run"] = op.RunId,
            ["id"] = ticket.Id,
            ["command"] = op.Command,
            ["phase"] = phase,
            ["kind"] = ticket.Change.Kind,
            ["target"] = ticket.Change.Target,
            ["summary"] = ticket.Change.Summary,
        };
        if (op.Cluster is { } cluster)
        {
            entry["cluster"] = new JsonObject { ["id"] = cluster.Id, ["name"] = cluster.Name };
        }

        if (phase == "begin")
        {
            entry["organization"] = op.Session.Organization.Id;
            entry["who"] = op.Session.Who.ToJson(Who.CloudOf(ticket.Change.Kind) ?? op.Cluster?.Provider);
            entry["tool"] = s_tool;
            entry["machine"] = Environment.MachineName;
            entry["before"] = ticket.Change.Before?.DeepClone();
            entry["after"] = ticket.Change.After?.DeepClone();
        }

        if (message is not null)
        {
            entry["message"] = Secrets.Hide(message);
        }

        return entry;
    }

    private async Task AppendAsync(JsonObject entry, bool announces, Operation op)
    {
        Exception failure;
        try
        {
            string line = op.JournalNeed == JournalNeed.Required
                ? await AppendOneAsync(entry).ConfigureAwait(false)
                : await AppendInTimeAsync(entry).ConfigureAwait(false);
            Sink?.Send(line);
            return;
        }
        catch (TimeoutException e)
        {
            // The line is written twice where the disk comes back; its id tells.
            _stuck = true;
            entry = (JsonObject)entry.DeepClone();
            failure = e;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            failure = e;
        }

        if (op.JournalNeed == JournalNeed.Required)
        {
            const string Otherwise = "Free space or mend the permissions, or set CMEKTOOLS_STATE to another folder and connect again";
            string remedy = failure is UnsafeFileException unsafeFile ? unsafeFile.Remedy : Otherwise;
            string what = announces
                ? "Nothing was sent for the change that this entry announces."
                : "The change itself was made; that it ended is not on record.";
            throw new CmekException(
                "JournalUnwritable",
                CmekErrorKind.WriteError,
                $"The journal {FilePath} cannot be written: {failure.Message}",
                $"{what} {remedy}. Then run the command again.",
                FilePath,
                failure);
        }

        Sink?.Send(Chained(entry, null));
        await ElsewhereAsync(entry, failure, op).ConfigureAwait(false);
    }

    // A disk takes a hundred lines in the time of one: whoever's turn it is writes what all the others wait with.
    private async Task<string> AppendOneAsync(JsonObject entry)
    {
        WaitingLine own = new(entry);
        lock (_lock)
        {
            _waiting.Add(own);
        }

        using (await _one.HoldAsync(FilePath, CancellationToken.None).ConfigureAwait(false))
        {
            WaitingLine[] all;
            lock (_lock)
            {
                all = [.. _waiting];
                _waiting.Clear();
            }

            WriteAll(all);
        }

        return await own.Line.Task.ConfigureAwait(false);
    }

    private void WriteAll(WaitingLine[] all)
    {
        if (all.Length == 0)
        {
            // Another one's turn brought this one's line along.
            return;
        }

        try
        {
            List<string> lines = Append(FilePath, [.. all.Select(w => w.Entry)]);
            for (int i = 0; i < all.Length; i++)
            {
                all[i].Line.SetResult(lines[i]);
            }
        }
        catch (Exception e)
        {
            // None of them is on disk. Each run decides by itself what that means.
            foreach (WaitingLine waiting in all)
            {
                waiting.Line.SetException(e);
            }
        }
    }

    private sealed record WaitingLine(JsonObject Entry)
    {
        public TaskCompletionSource<string> Line { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    // A disk that does not answer, or somebody who holds the journal's lock and does not go on, must not keep a key open.
    private async Task<string> AppendInTimeAsync(JsonObject entry)
    {
        JsonObject own = (JsonObject)entry.DeepClone();
        Task<string> writing = _stuck ? new TaskCompletionSource<string>().Task : Task.Run(() => AppendOneAsync(own));
        try
        {
            return await writing.WaitAsync(_stuck ? TimeSpan.Zero : DiskPatience, Time).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            _ = writing.ContinueWith(
                t =>
                {
                    _stuck = false;
                    return t.Exception;
                },
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            throw new TimeoutException($"it was not written in {DiskPatience.TotalSeconds:0} s", e);
        }
    }

    private async Task ElsewhereAsync(JsonObject entry, Exception failure, Operation op)
    {
        bool first;
        string? path;
        lock (_lock)
        {
            first = _fallback is null;
            path = _fallback;
            if (path is null || !TryAppend(path, entry))
            {
                path = Fallback.TryWrite("journal.jsonl", Chained(entry, null) + "\n");
                _fallback = path;
            }
        }

        if (path is null)
        {
            await op.Host.WarningAsync(
                $"The journal cannot be written ({failure.Message}), nor can a file of temporary ones. Keep this line of "
                    + $"it: {Chained(entry, null)}").ConfigureAwait(false);
        }
        else if (first)
        {
            await op.Host.WarningAsync(
                $"The journal cannot be written ({failure.Message}). Its lines go to {path}; keep that file.").ConfigureAwait(false);
        }
    }

    private static bool TryAppend(string path, JsonObject entry)
    {
        try
        {
            string last = File.ReadLines(path).Last();
            using FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.Read);
            file.Position = file.Length;
            file.Write(Encoding.UTF8.GetBytes(Chained(entry, last) + "\n"));
            file.Flush(flushToDisk: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return false;
        }
    }

    private static string Chained(JsonObject entry, string? last)
    {
        entry["prev"] = HashOf(last);
        return Secrets.HideKnown(entry.ToJsonString(s_json));
    }
}
