using System.Globalization;

namespace CmekTools.Engine.Text;

/// <summary>What is said of many records that are worked on side by side, in one line.</summary>
internal static class FleetProgressText
{
    // A bar has one line.
    private const int SlowestNameWidth = 40;

    /// <summary>The bar's text: how many are where, how long it has taken and may still take, and which one is slowest.</summary>
    /// <param name="running">The records that were begun and have not ended.</param>
    /// <param name="gone">The records that have ended and are no longer kept: done and failed.</param>
    /// <param name="elapsed">Since the first was begun.</param>
    /// <param name="complete">True where no further record will come, so that the time that is left can be told.</param>
    public static string Line(IReadOnlyCollection<FleetStanding> running, FleetCounts gone, TimeSpan elapsed, bool complete)
    {
        List<string> parts =
        [
            .. running.GroupBy(
                r => r.Label,
                StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).Select(g => $"{g.Key} {g.Count()}"),
        ];
        if (gone.Done > 0)
        {
            parts.Add($"done {gone.Done}");
        }

        if (gone.Failed > 0)
        {
            parts.Add($"failed {gone.Failed}");
        }

        string text = $"{string.Join(", ", parts)}{(parts.Count > 0 ? "; " : string.Empty)}{Time(elapsed)} so far";
        int ended = gone.Done + gone.Failed;
        if (complete && ended > 0 && running.Count > 0)
        {
            text += $", about {Time(elapsed / ended * running.Count)} left";
        }

        if (running.MinBy(r => r.BegunAt) is { } slowest)
        {
            string name = slowest.Name.Length > SlowestNameWidth ? slowest.Name[..SlowestNameWidth] + "…" : slowest.Name;
            text += $"; slowest {name} ({Time(elapsed - slowest.BegunAt)})";
        }

        return text;
    }

    /// <summary>What is said at the end of a long run.</summary>
    public static string Summary(string command, FleetCounts counts, TimeSpan elapsed, FleetSlowest? slowest) =>
        $"{command}: {counts.Done} done, {counts.Failed} failed in "
            + $"{Time(elapsed)}{(slowest is null ? string.Empty : $"; slowest {slowest.Name} ({Time(slowest.Took)})")}.";

    private static string Time(TimeSpan time) => time.TotalSeconds < 100
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0} s")
        : time.TotalMinutes < 100 ? string.Create(
            CultureInfo.InvariantCulture,
            $"{time.TotalMinutes:0} min") : string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} h");
}

/// <summary>How many records have ended.</summary>
/// <param name="Done">Without an error.</param>
/// <param name="Failed">With one.</param>
internal sealed record FleetCounts(int Done, int Failed);

/// <summary>The record that took longest.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Took">How long.</param>
internal sealed record FleetSlowest(string Name, TimeSpan Took);

/// <summary>Where a record stands that is being worked on.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Label">Where it stands, in one word.</param>
/// <param name="BegunAt">When it was begun, since the first of all was.</param>
internal sealed record FleetStanding(string Name, string Label, TimeSpan BegunAt);
