namespace CmekTools.Module;

/// <summary>What is said of records that were stopped.</summary>
internal static class FleetReport
{
    /// <summary>What is said where the first error stops the others.</summary>
    /// <param name="records">The records that were begun and have not ended well.</param>
    public static string Stopped(IEnumerable<FleetRecord> records)
    {
        string[] begun =
        [
            .. records.Select(r => r.Operation?.AllChanges is { Count: > 0 } changes
                ? $"{r.Name} (changed: {string.Join("; ", changes)})"
                : $"{r.Name} (nothing changed)"),
        ];
        return begun.Length == 0
            ? "Stopped at the first error; nothing else was under way."
            : $"Stopped at the first error. Begun and not finished: {string.Join(", ", begun)}. Run the command again: it "
                + "goes on where it stopped.";
    }

    /// <summary>What is said where the user stops the command; null where nothing was changed or waited for.</summary>
    /// <param name="records">The records that were begun and have not ended.</param>
    public static string? Interrupted(IEnumerable<FleetRecord> records)
    {
        const int Named = 5;
        string[] begun =
        [
            .. records.Where(r => r.Waits || r.Operation?.AllChanges is { Count: > 0 })
                .Select(r => r.Operation?.AllChanges is { Count: > 0 } changes
                    ? $"{r.Name} (changed: {string.Join("; ", changes)})"
                    : $"{r.Name} (waited for)"),
        ];
        string more = begun.Length > Named ? $" and {begun.Length - Named} more" : string.Empty;
        return begun.Length == 0
            ? null
            : $"Stopped, and nothing was undone: {string.Join(", ", begun.Take(Named))}{more}. What the service has begun goes on "
                + "there. Run the same command again: it goes on where it stopped.";
    }
}
