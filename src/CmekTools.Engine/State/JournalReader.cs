using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>One line of the journal as it was read.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Text">The line.</param>
/// <param name="Json">What it says; null where it cannot be read.</param>
/// <param name="Fault">Why it cannot be read; null where it can.</param>
internal sealed record JournalLine(int Number, string Text, JsonObject? Json, string? Fault);

/// <summary>
/// Reads the journal back: announcements and ends become one entry a change. No line, whatever is in it, stops the reading of the
/// others.
/// </summary>
internal static class JournalReader
{
    private const int LineLimit = 4 * 1024 * 1024;

    /// <summary>Every change, in the order of announcement. A line that cannot be read is passed over.</summary>
    /// <exception cref="CmekException"><c>JournalUnreadable</c>.</exception>
    public static IReadOnlyList<CmekJournalEntry> Read(string path)
    {
        List<string> order = [];
        Dictionary<string, CmekJournalEntry> entries = new(StringComparer.Ordinal);
        foreach (JournalLine line in Lines(path))
        {
            if (line.Json is not { } json || Text(json, "id") is not { } id)
            {
                continue;
            }

            string phase = Text(json, "phase") ?? "?";
            if (phase == "begin")
            {
                // An id that is announced twice is somebody's forgery, or chance: the first one stands.
                if (entries.TryAdd(id, Announced(json, id)))
                {
                    order.Add(id);
                }
            }
            else if (entries.TryGetValue(id, out CmekJournalEntry? begun))
            {
                entries[id] = begun with
                {
                    Outcome = phase == "settled" ? Text(json, "outcome") ?? begun.Outcome : phase,
                    EndTime = Time(json),
                    Message = Text(json, "message") ?? begun.Message,
                };
            }
        }

        return [.. order.Select(id => entries[id])];
    }

    /// <summary>Every line, also those that cannot be read.</summary>
    /// <exception cref="CmekException"><c>JournalUnreadable</c>.</exception>
    public static IEnumerable<JournalLine> Lines(string path)
    {
        int number = 0;
        foreach (string text in Content(path))
        {
            number++;
            if (text.Length > 0)
            {
                yield return Parse(number, text);
            }
        }
    }

    /// <summary>A text member, or null where it is none.</summary>
    public static string? Text(JsonObject json, string name) =>
        json[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static CmekJournalEntry Announced(JsonObject json, string id)
    {
        JsonObject? cluster = json["cluster"] as JsonObject;
        return new CmekJournalEntry
        {
            Id = id,
            Time = Time(json),
            Outcome = "unknown",
            Command = Text(json, "command"),
            RunId = Text(json, "run"),
            Kind = Text(json, "kind"),
            Target = Text(json, "target"),
            Summary = Text(json, "summary"),
            Before = json["before"]?.ToJsonString(),
            After = json["after"]?.ToJsonString(),
            ClusterId = cluster is null ? null : Text(cluster, "id"),
            ClusterName = cluster is null ? null : Text(cluster, "name"),
            OrganizationId = Text(json, "organization"),
            Who = json["who"] is JsonObject who ? string.Join(", ", who.Select(w => $"{w.Key} {w.Value}")) : null,
            Machine = Text(json, "machine"),
            ToolVersion = Text(json, "tool"),
        };
    }

    private static DateTimeOffset Time(JsonObject json) =>
        DateTimeOffset.TryParse(Text(json, "time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset parsed)
            ? parsed
            : default;

    private static string[] Content(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            return StateFiles.ReadText(path, 1024L * 1024 * 1024).Split('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            throw new CmekException(
                "JournalUnreadable",
                CmekErrorKind.ReadError,
                $"The journal {path} cannot be read: {e.Message}",
                "It belongs to the user who ran the commands; read it as that user.",
                path,
                e);
        }
    }

    private static JournalLine Parse(int number, string text)
    {
        try
        {
            JsonObject json = SafeJson.ParseObject(text, LineLimit);
            int? version = json["v"] is JsonValue value && value.TryGetValue(out int given) ? given : null;
            return version switch
            {
                null or < 1 => new(number, text, null, "it says no format"),
                > JournalWriter.Version => new(
                    number,
                    text,
                    null,
                    $"a newer CmekTools wrote it (format {version}); this one reads formats 1 to {JournalWriter.Version}"),
                _ => new(number, text, json, null),
            };
        }
        catch (JsonException e)
        {
            return new(number, text, null, e.Message);
        }
    }
}
