using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>Reads the journal back: announcements and ends become one entry a change.</summary>
internal static class JournalReader
{
    /// <summary>Every change, in the order of announcement. A line that cannot be read (cut short by a stop) is passed over; the others are not affected.</summary>
    /// <exception cref="CmekException"><c>JournalUnreadable</c>.</exception>
    public static IReadOnlyList<CmekJournalEntry> Read(string path)
    {
        List<string> order = [];
        Dictionary<string, CmekJournalEntry> entries = [];
        foreach (string line in Lines(path))
        {
            if (TryParse(line) is not { } json || Text(json, "id") is not { } id)
            {
                continue;
            }

            DateTimeOffset time = DateTimeOffset.TryParse(Text(json, "time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset parsed) ? parsed : default;
            string phase = Text(json, "phase") ?? "?";
            if (phase == "begin")
            {
                order.Add(id);
                entries[id] = new CmekJournalEntry
                {
                    Time = time,
                    Outcome = "unknown",
                    Command = Text(json, "command"),
                    RunId = Text(json, "run"),
                    Kind = Text(json, "kind"),
                    Target = Text(json, "target"),
                    Summary = Text(json, "summary"),
                    Before = json["before"]?.ToJsonString(),
                    After = json["after"]?.ToJsonString(),
                };
            }
            else if (entries.TryGetValue(id, out CmekJournalEntry? begun))
            {
                entries[id] = begun with { Outcome = phase, EndTime = time, Message = Text(json, "message") };
            }
        }

        return [.. order.Select(id => entries[id])];
    }

    private static string[] Lines(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using StreamReader reader = new(file);
            return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException("JournalUnreadable", CmekErrorKind.ReadError, $"The journal {path} cannot be read: {e.Message}", "It belongs to the user who ran the commands; read it as that user.", path, e);
        }
    }

    private static JsonObject? TryParse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonObject json, string name) => json[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
