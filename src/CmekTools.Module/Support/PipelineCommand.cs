using System.Collections.Concurrent;
using System.Management.Automation;
using System.Runtime.ExceptionServices;
using CmekTools.Engine;
using CmekTools.Engine.Pacing;

namespace CmekTools.Module;

/// <summary>
/// The base of all cmdlets. Work runs off the pipeline's thread; whatever it wants of the pipeline (output, progress, questions) is
/// queued and done on the pipeline's thread, which waits for nothing else. Records may be worked on side by side (<see
/// cref="BesideAsync"/>): then the pipeline goes on with the next record while they run. Ctrl-C cancels every call in flight. A
/// downstream command that has had enough and
/// <c>-ErrorAction Stop</c> end every read and wait, and let a change that was announced come to its end. The cmdlet returns when all
/// work has ended.
/// </summary>
public abstract class PipelineCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _abort = new();
    private readonly CancellationTokenSource _stop;
    private readonly BlockingCollection<Action> _queue = [];
    private Operation? _operation;
    private bool _disposed;
    private Fleet? _fleet;
    private Func<TracedRequest, Task>? _trace;

    /// <summary>Makes the cmdlet.</summary>
    protected PipelineCommand() => _stop = CancellationTokenSource.CreateLinkedTokenSource(_abort.Token);

    /// <summary>Cancelled when the pipeline is being stopped.</summary>
    internal CancellationToken Cancellation => _stop.Token;

    /// <summary>Cancelled when every call in flight has to end.</summary>
    internal CancellationToken Abort => _abort.Token;

    /// <summary>True once an error was told.</summary>
    internal bool HadErrors { get; set; }

    /// <summary>True where the first error ends the cmdlet.</summary>
    internal bool StopsAtErrors { get; private set; }

    /// <summary>The runspace's connection when the cmdlet began.</summary>
    internal CmekSession? RunspaceSession { get; private protected set; }

    /// <summary>What the engine may ask of this cmdlet.</summary>
    internal PipelineHost Pipeline { get; private set; } = null!;

    /// <summary>The cmdlet's name.</summary>
    internal string CommandName => MyInvocation.MyCommand?.Name ?? GetType().Name;

    /// <summary>How many records are worked on at once, and whether their output keeps their order.</summary>
    internal virtual FleetOptions Beside => FleetOptions.One;

    /// <summary>True where its requests go before those of all others.</summary>
    internal virtual bool Urgent => false;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends what still runs (the pipeline was stopped by another of its commands), and frees what the cmdlet holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing && !_disposed)
        {
            _disposed = true;
            Pipeline?.Detach();
            _stop.Cancel();
            _fleet?.WaitUntilStopped();
            if (_abort.IsCancellationRequested && _fleet is not null && FleetReport.Interrupted(_fleet.Unfinished) is { } stands)
            {
                _ = Pipeline?.LastWordAsync(stands);
            }

            _fleet?.Dispose();

            // Where the end was not come to: nobody shall be kept from a cluster by a command that is gone.
            _operation?.ReleaseSharedAsync().Wait(TimeSpan.FromSeconds(2));
            _stop.Dispose();
            _abort.Dispose();
            _queue.Dispose();
        }
    }

    /// <inheritdoc/>
    protected sealed override void BeginProcessing()
    {
        Pipeline = new PipelineHost(this, _queue, IsWhatIf()) { AsksEach = AsksForMedium() };
        bool debug = Wants("Debug");
        _trace = debug || Wants("Verbose") ? told => Pipeline.TraceAsync(debug ? told.Whole : told.Short, debug) : null;
        StopsAtErrors = Preference("ErrorAction") == ActionPreference.Stop;
        RunspaceSession = Sessions.Current;
        Run(
            async () =>
            {
                await PrepareAsync().ConfigureAwait(false);
                await BeginAsync().ConfigureAwait(false);
            },
            recordFails: false);
    }

    /// <inheritdoc/>
    protected sealed override void ProcessRecord() => Run(ProcessAsync, recordFails: true);

    /// <inheritdoc/>
    protected sealed override void EndProcessing()
    {
        Run(LastRecordsAsync, recordFails: true);
        Run(EndAsync, recordFails: true);
        if (_fleet is not null)
        {
            Run(_fleet.FinishAsync, recordFails: true);
        }

        if (_operation is not null)
        {
            Run(_operation.EndSharedAsync, recordFails: true);
        }
    }

    /// <inheritdoc/>
    protected sealed override void StopProcessing() => _abort.Cancel();

    /// <summary>
    /// True for what must be done to its end although the pipeline listens no more (a downstream command that has had enough, a
    /// preference that stops): only Ctrl-C ends it.
    /// </summary>
    internal virtual bool GoesOnUnheard => false;

    /// <summary>What has to be there before anything else. A failure ends the cmdlet.</summary>
    internal virtual Task PrepareAsync() => Task.CompletedTask;

    /// <summary>Before the first record. A failure ends the cmdlet.</summary>
    internal virtual Task BeginAsync() => Task.CompletedTask;

    /// <summary>For each record. A failure is that record's; the next one goes on.</summary>
    internal virtual Task ProcessAsync() => Task.CompletedTask;

    /// <summary>What was put off until no record follows, before <see cref="EndAsync"/>.</summary>
    internal virtual Task LastRecordsAsync() => Task.CompletedTask;

    /// <summary>After the last record.</summary>
    internal virtual Task EndAsync() => Task.CompletedTask;

    /// <summary>The run that this cmdlet's changes belong to.</summary>
    internal Operation OperationOn(SessionContext session) =>
        _operation is { } found && ReferenceEquals(found.Session, session)
            ? found
            : _operation = new Operation(CommandName, session, Pipeline, Cancellation) { Abort = _abort.Token };

    /// <summary>
    /// Works on one record beside the others: comes back as soon as there was a place for it. What belongs to the record has to be
    /// taken out of the parameters before, for the next record may come at once.
    /// </summary>
    /// <param name="name">What it is about, for people.</param>
    /// <param name="session">The connection.</param>
    /// <param name="work">The work; its failure is the record's error.</param>
    internal Task BesideAsync(string name, SessionContext session, Func<Operation, Task> work)
    {
        // What -WhatIf shows comes in the order of the records.
        _fleet ??= new Fleet(this, Pipeline.WhatIf ? 1 : Beside.Limit, Beside.Ordered);
        Operation run = OperationOn(session);
        return _fleet.BeginAsync(name, record =>
        {
            record.Operation = run.ForRecord(record, Cancellation, _abort.Token);
            return work(record.Operation);
        });
    }

    /// <summary>Waits for all records that were begun; none may follow.</summary>
    internal Task BesideEndAsync() => _fleet?.FinishAsync() ?? Task.CompletedTask;

    /// <summary>The requests of the present work are told to whoever asked for details.</summary>
    internal void Trace()
    {
        if (_trace is not null)
        {
            RequestTrace.Current = _trace;
        }
    }

    /// <summary>Ends every read and wait.</summary>
    internal void Stop() => _stop.Cancel();

    /// <summary>
    /// Does one cluster's part where several were collected: its failure is an error of its own, and the next one goes on.
    /// </summary>
    internal async Task EachAsync(Func<Task> part)
    {
        try
        {
            await part().ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            await Pipeline.ErrorAsync(e).ConfigureAwait(false);
        }
    }

    private bool IsWhatIf()
    {
        if (MyInvocation.BoundParameters.TryGetValue("WhatIf", out object? bound))
        {
            return LanguagePrimitives.IsTrue(bound);
        }

        return LanguagePrimitives.IsTrue(SessionState.PSVariable.GetValue("WhatIfPreference"));
    }

    // -Confirm, or a preference that asks for what has a medium impact, as nearly every change here has.
    private bool AsksForMedium()
    {
        if (MyInvocation.BoundParameters.TryGetValue("Confirm", out object? bound))
        {
            return LanguagePrimitives.IsTrue(bound);
        }

        return SessionState.PSVariable.GetValue("ConfirmPreference") is { } value
            && LanguagePrimitives.TryConvertTo(value, out ConfirmImpact from)
            && from is ConfirmImpact.Low or ConfirmImpact.Medium;
    }

    private bool Wants(string stream) => Preference(stream) is not (null or ActionPreference.SilentlyContinue or ActionPreference.Ignore);

    // What a common parameter says, or the preference variable in its place.
    private ActionPreference? Preference(string parameter)
    {
        if (MyInvocation.BoundParameters.TryGetValue(parameter, out object? bound))
        {
            return bound is SwitchParameter on ? (on ? ActionPreference.Continue : ActionPreference.SilentlyContinue) : Parsed(bound);
        }

        return Parsed(SessionState.PSVariable.GetValue(parameter + "Preference"));
    }

    private static ActionPreference? Parsed(object? value) =>
        value is not null && LanguagePrimitives.TryConvertTo(value, out ActionPreference action) ? action : null;

    private void Run(Func<Task> work, bool recordFails)
    {
        Task task = Task.Run(async () =>
        {
            using IDisposable? urgent = Urgent ? Urgency.Begin() : null;
            Trace();
            await work().ConfigureAwait(false);
        });
        _ = task.ContinueWith(_ => Pipeline.Wake(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

        ExceptionDispatchInfo? stopped = null;
        while (!task.IsCompleted || _queue.Count > 0)
        {
            Action action = _queue.Take();
            try
            {
                action();
            }
            catch (Exception e)
            {
                // The pipeline has no more use for this cmdlet: the work is told, and waited for.
                stopped ??= ExceptionDispatchInfo.Capture(e);
                Pipeline.Detach();
                if (!GoesOnUnheard)
                {
                    _stop.Cancel();
                }
            }
        }

        Exception? failure = Outcome(task) ?? _fleet?.Fault;
        if (stopped is not null)
        {
            _fleet?.WaitUntilStopped();
            stopped.Throw();
        }

        if (failure is null || (failure is OperationCanceledException && _stop.IsCancellationRequested && _fleet?.Fault is null))
        {
            // Being stopped is not an error, and the engine says by itself that it stopped.
            return;
        }

        HadErrors = true;
        ErrorRecord record = Errors.ToRecord(_fleet?.Fault ?? failure);
        if (recordFails && failure is CmekException)
        {
            WriteError(record);
        }
        else
        {
            ThrowTerminatingError(record);
        }
    }

    private static Exception? Outcome(Task task)
    {
        try
        {
            task.GetAwaiter().GetResult();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}
