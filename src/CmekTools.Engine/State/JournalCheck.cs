namespace CmekTools.Engine.State;

/// <summary>Looks whether the journal's chain is whole.</summary>
internal static class JournalCheck
{
    /// <summary>What is wrong, or one finding that says that nothing is.</summary>
    /// <exception cref="CmekException"><c>JournalUnreadable</c>.</exception>
    public static IReadOnlyList<CmekJournalCheck> Run(string path)
    {
        List<CmekJournalCheck> found = [];
        string? before = null;
        string? lastReadable = null;
        string? head = JournalHead.Read(path);
        bool headSeen = head is null;
        int lines = 0;
        int unchained = 0;
        foreach (JournalLine line in JournalReader.Lines(path))
        {
            lines++;
            headSeen |= JournalWriter.HashOf(line.Text) == head;
            if (line.Json is not { } json)
            {
                bool cut = line.Text.StartsWith('{') && !line.Text.EndsWith('}');
                found.Add(Finding(cut ? CmekCheckResult.Warn : CmekCheckResult.Fail, line.Number, $"cannot be read: {line.Fault}"));
            }
            else if (JournalReader.Text(json, "prev") is { } previous)
            {
                // A line that was cut short is closed by the next writer, which goes on behind the last whole one.
                if (previous != JournalWriter.HashOf(before) && previous != JournalWriter.HashOf(lastReadable))
                {
                    found.Add(Finding(CmekCheckResult.Fail, line.Number, lines == 1
                        ? "does not begin the journal: what stood before it is gone"
                        : "does not follow the line before it: lines were changed, added or taken out here"));
                }
            }
            else if (unchained < lines - 1 || !IsFirstFormat(json))
            {
                found.Add(Finding(CmekCheckResult.Fail, line.Number, "is not in the chain"));
            }
            else
            {
                unchained++;
            }

            before = line.Text;
            lastReadable = line.Json is null ? lastReadable : line.Text;
        }

        if (!headSeen)
        {
            found.Add(
                Finding(
                    CmekCheckResult.Fail,
                    0,
                    "the line that this user wrote last is not there: the end was cut off, or another file was put in its place"));
        }

        if (found.Count == 0)
        {
            string old = unchained == 0 ? string.Empty : $"; {unchained} of them are of the first format, which has no chain";
            found.Add(Finding(CmekCheckResult.Pass, 0, $"{lines} lines, each follows the one before it{old}"));
        }

        return found;

        CmekJournalCheck Finding(
            CmekCheckResult result,
            int number,
            string seen) => new() { Result = result, Path = path, LineNumber = number, Seen = seen };
    }

    private static bool IsFirstFormat(System.Text.Json.Nodes.JsonObject json) =>
        json["v"] is System.Text.Json.Nodes.JsonValue value && value.TryGetValue(out int format) && format == 1;
}
