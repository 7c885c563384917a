using System.Collections.Concurrent;
using System.Management.Automation;
using System.Runtime.ExceptionServices;
using CmekTools.Engine;

namespace CmekTools.Module;

/// <summary>
/// The base of all cmdlets. Work runs off the pipeline's thread; whatever it wants of the pipeline (output, progress, questions) is queued and
/// done on the pipeline's thread, which waits for nothing else. Ctrl-C, a downstream command that has had enough and <c>-ErrorAction Stop</c>
/// each cancel every call in flight, and the cmdlet returns when the work has ended.
/// </summary>
public abstract class PipelineCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();
    private Operation? _operation;

    /// <summary>Cancelled when the pipeline is being stopped.</summary>
    internal CancellationToken Cancellation => _cancellation.Token;

    /// <summary>The runspace's connection when the cmdlet began.</summary>
    internal CmekSession? RunspaceSession { get; private set; }

    /// <summary>What the engine may ask of this cmdlet.</summary>
    internal PipelineHost Pipeline { get; private set; } = null!;

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the cmdlet holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _cancellation.Dispose();
        }
    }

    /// <inheritdoc/>
    protected sealed override void BeginProcessing()
    {
        Pipeline = new PipelineHost(this, IsWhatIf());
        RunspaceSession = Sessions.Current;
        Run(BeginAsync, recordFails: false);
    }

    /// <inheritdoc/>
    protected sealed override void ProcessRecord() => Run(ProcessAsync, recordFails: true);

    /// <inheritdoc/>
    protected sealed override void EndProcessing() => Run(EndAsync, recordFails: true);

    /// <inheritdoc/>
    protected sealed override void StopProcessing() => _cancellation.Cancel();

    /// <summary>Before the first record. A failure ends the cmdlet.</summary>
    internal virtual Task BeginAsync() => Task.CompletedTask;

    /// <summary>For each record. A failure is that record's; the next one goes on.</summary>
    internal virtual Task ProcessAsync() => Task.CompletedTask;

    /// <summary>After the last record.</summary>
    internal virtual Task EndAsync() => Task.CompletedTask;

    /// <summary>The run that this cmdlet's changes belong to.</summary>
    internal Operation OperationOn(SessionContext session) =>
        _operation is { } found && ReferenceEquals(found.Session, session)
            ? found
            : _operation = new Operation(MyInvocation.MyCommand?.Name ?? GetType().Name, session, Pipeline, Cancellation);

    /// <summary>Does one cluster's part where several were collected: its failure is an error of its own, and the next one goes on.</summary>
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

    private void Run(Func<Task> work, bool recordFails)
    {
        using BlockingCollection<Action> queue = [];
        Pipeline.Attach(queue);
        Task task = Task.Run(async () =>
        {
            try
            {
                await work().ConfigureAwait(false);
            }
            finally
            {
                queue.CompleteAdding();
            }
        });

        ExceptionDispatchInfo? stopped = null;
        foreach (Action action in queue.GetConsumingEnumerable())
        {
            try
            {
                action();
            }
            catch (Exception e)
            {
                // The pipeline has no more use for this cmdlet: the work is told, and waited for.
                stopped ??= ExceptionDispatchInfo.Capture(e);
                Pipeline.Detach();
                _cancellation.Cancel();
            }
        }

        Pipeline.Detach();
        Exception? failure = Outcome(task);
        stopped?.Throw();
        if (failure is null || (failure is OperationCanceledException && _cancellation.IsCancellationRequested))
        {
            // Being stopped is not an error, and the engine says by itself that it stopped.
            return;
        }

        ErrorRecord record = Errors.ToRecord(failure);
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
