using System.Diagnostics;
using CmekTools.Engine;
using CmekTools.Engine.Text;

namespace CmekTools.Module;

/// <summary>The records of one cmdlet, worked on side by side. One that fails is an error record; the others go on.</summary>
internal sealed class Fleet : IDisposable
{
    private static readonly TimeSpan s_showEvery = TimeSpan.FromMilliseconds(250);

    // From here on a run is long enough to be summed up.
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(30);

    private readonly PipelineCommand _command;
    private readonly SemaphoreSlim _places;
    private readonly SemaphoreSlim _releasing = new(1, 1);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly object _lock = new();
    private readonly LinkedList<FleetRecord> _records = new();
    private readonly TaskCompletionSource _allEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _othersEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private FleetRecord? _stopping;
    private FleetCounts _gone = new(0, 0);
    private FleetSlowest? _slowest;
    private TimeSpan _shownAt = -s_showEvery;
    private bool _shown;
    private bool _complete;
    private int _begun;
    private int _running;

    /// <summary>Makes one.</summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="limit">How many work at once; those that only wait for the service are not counted.</param>
    /// <param name="ordered">Output in the order of the input.</param>
    public Fleet(PipelineCommand command, int limit, bool ordered)
    {
        _command = command;
        _places = new SemaphoreSlim(limit);
        Ordered = ordered;
    }

    /// <summary>True where output comes in the order of the input.</summary>
    public bool Ordered { get; }

    /// <summary>True where the first error ends the cmdlet.</summary>
    public bool EndsAtErrors => _command.StopsAtErrors;

    /// <summary>A failure of this program itself, which ends the cmdlet.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>The records that have not ended well: running, failed, or stopped.</summary>
    public IReadOnlyList<FleetRecord> Unfinished
    {
        get
        {
            lock (_lock)
            {
                return [.. _records.Where(r => r.EndedAt is null)];
            }
        }
    }

    /// <summary>Begins a record's work as soon as there is a place for it.</summary>
    public async Task BeginAsync(string name, Func<FleetRecord, Task> work)
    {
        await _places.WaitAsync(_command.Cancellation).ConfigureAwait(false);
        FleetRecord record = new(this, _command.Pipeline, name, _clock.Elapsed);
        lock (_lock)
        {
            _records.AddLast(record);
            _begun++;
            _running++;
        }

        _ = Task.Run(() => RunAsync(record, work));
        if (_begun == 2)
        {
            await _command.Pipeline.EndProgressAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Tells a record's error. Where the first one ends the cmdlet, the others are stopped before it is told, and what they had begun
    /// is told with it: after it the pipeline takes nothing more.
    /// </summary>
    public async Task ErrorAsync(FleetRecord record, CmekException error)
    {
        if (!_command.StopsAtErrors)
        {
            await _command.Pipeline.ErrorAsync(error).ConfigureAwait(false);
            return;
        }

        lock (_lock)
        {
            if (_stopping is not null)
            {
                throw new OperationCanceledException(_command.Cancellation);
            }

            _stopping = record;
            if (_running == 1)
            {
                _othersEnded.TrySetResult();
            }
        }

        _command.Stop();
        await _othersEnded.Task.ConfigureAwait(false);
        await _command.Pipeline.LastErrorAsync(FleetReport.Stopped(Unfinished.Where(r => r != record)), error).ConfigureAwait(false);
    }

    /// <summary>No record follows: waits for all of them.</summary>
    public async Task FinishAsync()
    {
        lock (_lock)
        {
            _complete = true;
            if (_running == 0)
            {
                _allEnded.TrySetResult();
            }
        }

        await _allEnded.Task.ConfigureAwait(false);
        if (Fault is not null)
        {
            return;
        }

        if (_shown)
        {
            await _command.Pipeline.ProgressAsync(
                new OperationProgress(Activity, string.Empty, 100, Completed: true)).ConfigureAwait(false);
        }

        if (_begun > 1 && _clock.Elapsed >= s_long)
        {
            await _command.Pipeline.TellAsync(
                FleetProgressText.Summary(_command.CommandName, _gone, _clock.Elapsed, _slowest)).ConfigureAwait(false);
        }
    }

    /// <summary>Waits, on whatever thread, until no record runs any more; they have been told to stop.</summary>
    public void WaitUntilStopped()
    {
        lock (_lock)
        {
            _complete = true;
            if (_running == 0)
            {
                return;
            }
        }

        _allEnded.Task.GetAwaiter().GetResult();
    }

    /// <summary>A record only waits from here on: its place goes to another.</summary>
    public void LeavePlace(FleetRecord record)
    {
        lock (_lock)
        {
            if (!record.HoldsPlace)
            {
                return;
            }

            record.HoldsPlace = false;
        }

        _places.Release();
    }

    /// <summary>Shows one bar for all records; a single one has its own.</summary>
    public async Task ShowAsync(OperationProgress? progress)
    {
        string status;
        int percent;
        lock (_lock)
        {
            if (_begun > 1 || progress is null)
            {
                if (_begun <= 1 || _clock.Elapsed - _shownAt < s_showEvery)
                {
                    return;
                }

                _shownAt = _clock.Elapsed;
                _shown = true;
                status = FleetProgressText.Line(
                    [.. _records.Where(r => r.EndedAt is null).Select(r => new FleetStanding(r.Name, r.Label, r.BegunAt))],
                    _gone,
                    _clock.Elapsed,
                    _complete);
                percent = _complete ? 100 * (_gone.Done + _gone.Failed) / _begun : -1;
                progress = null;
            }
            else
            {
                (status, percent) = (progress.Status, progress.Percent);
            }
        }

        await _command.Pipeline.ProgressAsync(progress ?? new OperationProgress(Activity, status, percent)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _places.Dispose();
        _releasing.Dispose();
    }

    private string Activity => _command.CommandName;

    private async Task RunAsync(FleetRecord record, Func<FleetRecord, Task> work)
    {
        bool stopped = false;
        try
        {
            _command.Trace();
            try
            {
                await work(record).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await record.ErrorAsync(e).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_command.Cancellation.IsCancellationRequested)
        {
            stopped = true;
        }
        catch (Exception e)
        {
            stopped = true;
            Fault ??= e;
            _command.Stop();
        }

        try
        {
            if (!stopped)
            {
                record.EndedAt = _clock.Elapsed;
                await ReleaseInOrderAsync().ConfigureAwait(false);
                await ShowAsync(null).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody is left to hear of it.
        }
        finally
        {
            LeavePlace(record);
            End(record);
        }
    }

    private void End(FleetRecord record)
    {
        lock (_lock)
        {
            if (record.EndedAt is { } ended)
            {
                _gone = record.Failed ? _gone with { Failed = _gone.Failed + 1 } : _gone with { Done = _gone.Done + 1 };
                TimeSpan took = ended - record.BegunAt;
                _slowest = _slowest is null || took > _slowest.Took ? new FleetSlowest(record.Name, took) : _slowest;
                if (!Ordered)
                {
                    _records.Remove(record);
                }
            }

            _running--;
            if (_running == 0 && _complete)
            {
                _allEnded.TrySetResult();
            }

            if (_running == 1 && _stopping is not null)
            {
                _othersEnded.TrySetResult();
            }
        }
    }

    // The first that has not ended sends what it has as it comes; those behind it hold theirs back.
    private async Task ReleaseInOrderAsync()
    {
        if (!Ordered)
        {
            return;
        }

        await _releasing.WaitAsync(_command.Cancellation).ConfigureAwait(false);
        try
        {
            while (true)
            {
                FleetRecord? first;
                lock (_lock)
                {
                    first = _records.First?.Value;
                }

                if (first is null)
                {
                    return;
                }

                await first.ReleaseAsync().ConfigureAwait(false);
                if (first.EndedAt is null)
                {
                    return;
                }

                lock (_lock)
                {
                    _records.RemoveFirst();
                }
            }
        }
        finally
        {
            _releasing.Release();
        }
    }
}
