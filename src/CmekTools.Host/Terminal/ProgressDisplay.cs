using System.Management.Automation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace CmekTools.Host.Terminal;

/// <summary>Shows progress on the error stream: bars on a terminal, otherwise a line at the start of an activity and one at its end.</summary>
internal sealed class ProgressDisplay(TextWriter error, HostOptions options)
{
    private const int BarWidth = 30;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly SortedDictionary<(long Source, int Id), ProgressRecord> _running = [];
    private readonly ProgressBarColumn _bar = new() { Width = BarWidth };
    private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = AnsiSupport.Yes,
        ColorSystem = options.Color ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
        Interactive = InteractionSupport.No,
        Out = new AnsiConsoleOutput(error),
    });

    private int _linesShown;
    private long _drawnAt;

    /// <summary>Takes a record in.</summary>
    public void Show(long source, ProgressRecord record)
    {
        (long, int) key = (source, record.ActivityId);
        bool completed = record.RecordType == ProgressRecordType.Completed;
        bool known = completed ? _running.Remove(key) : !_running.TryAdd(key, record);
        if (!completed)
            _running[key] = record;

        if (!options.ErrorIsTerminal)
        {
            if (completed && known)
                error.WriteLine(record.Activity + ": done");
            else if (!completed && !known)
                error.WriteLine(record.Activity + "...");
            return;
        }

        // Records may come by the thousand; what is drawn more often than this nobody sees.
        if (completed || !known || TimeProvider.System.GetElapsedTime(_drawnAt) >= s_pause)
        {
            Hide();
            Draw();
        }
    }

    /// <summary>Takes the bars away, so that text can be written where they were; the next record brings them back.</summary>
    public void Hide()
    {
        for (; _linesShown > 0; _linesShown--)
            error.Write("\e[1A\e[2K");
    }

    private void Draw()
    {
        _drawnAt = TimeProvider.System.GetTimestamp();
        if (_running.Count == 0)
            return;

        _console.Profile.Width = options.Width();
        RenderOptions render = RenderOptions.Create(_console, _console.Profile.Capabilities);
        Grid grid = new();
        grid.AddColumn(new GridColumn().NoWrap());
        grid.AddColumn(new GridColumn().NoWrap().Width(BarWidth));
        grid.AddColumn(new GridColumn().NoWrap());
        foreach (ProgressRecord record in _running.Values)
        {
            ProgressTask task = new(record.ActivityId, record.Activity, maxValue: 100, autoStart: true)
            {
                Value = Math.Max(0, record.PercentComplete),
                IsIndeterminate = record.PercentComplete < 0,
            };
            grid.AddRow(OneLine(record.Activity), _bar.Render(render, task, TimeSpan.Zero), OneLine(record.StatusDescription));
        }

        _linesShown = Segment.SplitLines(((IRenderable)grid).Render(render, _console.Profile.Width)).Count;
        _console.Write(grid);
    }

    private static Text OneLine(string? text) =>
        new((text ?? string.Empty).ReplaceLineEndings(" ").Trim()) { Overflow = Overflow.Ellipsis };
}
