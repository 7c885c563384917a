using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>The journal's hold on a change that was announced and has not ended.</summary>
internal sealed record JournalTicket(string Id, Operation Operation, PlannedChange Change);

/// <summary>
/// Writes every change down, a line of JSON each, flushed to disk before the request that it announces and again after its answer. A
/// change that cannot be written down is not made.
/// </summary>
internal sealed class JournalWriter
{
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly object s_lock = new();

    public JournalWriter(string folder, TimeProvider? time = null)
    {
        Folder = folder;
        Time = time ?? TimeProvider.System;
    }

    /// <summary>The state folder.</summary>
    public string Folder { get; }

    /// <summary>The journal's file.</summary>
    public string FilePath => Path.Combine(Folder, "journal.jsonl");

    private TimeProvider Time { get; }

    /// <summary>The state folder of this platform: CMEKTOOLS_STATE, else the user's local application data.</summary>
    public static string DefaultFolder()
    {
        string? given = Environment.GetEnvironmentVariable("CMEKTOOLS_STATE");
        if (!string.IsNullOrWhiteSpace(given))
        {
            return Path.GetFullPath(given);
        }

        string data = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create);
        return Path.Combine(data, "CmekTools");
    }

    /// <summary>Announces a change.</summary>
    /// <exception cref="CmekException"><c>JournalUnwritable</c>: the change must not be made.</exception>
    public JournalTicket Begin(Operation op, PlannedChange change)
    {
        JournalTicket ticket = new(Guid.NewGuid().ToString("N")[..12], op, change);
        Append(Entry(ticket, "begin", null), announces: true);
        return ticket;
    }

    /// <summary>Writes down how an announced change ended.</summary>
    /// <exception cref="CmekException"><c>JournalUnwritable</c>: the change was made, its end is not on record.</exception>
    public void End(JournalTicket ticket, string phase, string? message = null) => Append(Entry(ticket, phase, message), announces: false);

    /// <summary>Like <see cref="End"/>, where another failure is on its way to the user already.</summary>
    public void TryEnd(JournalTicket ticket, string phase, string? message)
    {
        try
        {
            End(ticket, phase, message);
        }
        catch (CmekException)
        {
            // An entry without an end reads as "outcome not known", which is the truth.
        }
    }

    private JsonObject Entry(JournalTicket ticket, string phase, string? message)
    {
        JsonObject entry = new()
        {
            ["v"] = 1,
            ["time"] = Time.GetUtcNow().ToString("O", System.Globalization.CultureInfo.InvariantCulture),
            ["run"] = ticket.Operation.RunId,
            ["id"] = ticket.Id,
            ["command"] = ticket.Operation.Command,
            ["phase"] = phase,
            ["kind"] = ticket.Change.Kind,
            ["target"] = ticket.Change.Target,
            ["summary"] = ticket.Change.Summary,
        };
        if (phase == "begin")
        {
            entry["before"] = ticket.Change.Before?.DeepClone();
            entry["after"] = ticket.Change.After?.DeepClone();
        }

        if (message is not null)
        {
            entry["message"] = message;
        }

        return entry;
    }

    private void Append(JsonObject entry, bool announces)
    {
        string line = entry.ToJsonString(s_json) + "\n";
        try
        {
            lock (s_lock)
            {
                StateFiles.AppendLine(FilePath, line);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            throw new CmekException(
                "JournalUnwritable",
                CmekErrorKind.WriteError,
                $"The journal {FilePath} cannot be written: {e.Message}",
                (announces
                    ? "Nothing was sent for the change that this entry announces."
                    : "The change itself was made; that it ended is not on record.")
                    + " Free space or mend the permissions, or set CMEKTOOLS_STATE to another folder and connect again, and run the command again.",
                FilePath,
                e);
        }
    }
}
