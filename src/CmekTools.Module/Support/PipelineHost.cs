using System.Collections.Concurrent;
using System.Management.Automation;
using CmekTools.Engine;

namespace CmekTools.Module;

/// <summary>Carries what the engine asks for to the pipeline's thread.</summary>
internal sealed class PipelineHost(PipelineCommand command, bool whatIf) : IOperationHost
{
    private readonly ConcurrentDictionary<string, int> _activities = new(StringComparer.Ordinal);
    private BlockingCollection<Action>? _queue;
    private bool _runConfirmed;

    /// <inheritdoc/>
    public bool WhatIf { get; } = whatIf;

    /// <summary>True where <c>-Force</c> takes the place of the questions (not of a second confirmation).</summary>
    public bool Force { get; set; }

    public void Attach(BlockingCollection<Action> queue) => Volatile.Write(ref _queue, queue);

    public void Detach() => Volatile.Write(ref _queue, null);

    /// <inheritdoc/>
    public Task OutputAsync(object value) => PostAsync(() => command.WriteObject(value));

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => PostAsync(() => command.WriteVerbose(ViewText.Plain(message)));

    /// <inheritdoc/>
    public Task WarningAsync(string message) => PostAsync(() => command.WriteWarning(ViewText.Plain(message)));

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error) => PostAsync(() => command.WriteError(Errors.ToRecord(error)));

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress)
    {
        int id = _activities.GetOrAdd(progress.Activity, _ => _activities.Count + 1);
        ProgressRecord record = new(id, ViewText.Plain(progress.Activity), progress.Status.Length == 0 ? " " : ViewText.Plain(progress.Status))
        {
            PercentComplete = Math.Clamp(progress.Percent, -1, 100),
            RecordType = progress.Completed ? ProgressRecordType.Completed : ProgressRecordType.Processing,
        };
        return PostAsync(() => command.WriteProgress(record));
    }

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) => PostAsync(() =>
    {
        string text = ViewText.Plain($"{target}: {action}");
        if (!WhatIf && (Force || _runConfirmed))
        {
            command.WriteVerbose(text);
            return true;
        }

        return command.ShouldProcess(text, text + Environment.NewLine + "Go on?", "Confirm");
    });

    /// <inheritdoc/>
    public Task<bool> ConfirmRunAsync(string target, string action) => PostAsync(() =>
    {
        string text = ViewText.Plain($"{target}: {action}");
        if (WhatIf)
        {
            command.ShouldProcess(text, text, "Confirm");
            return true;
        }

        _runConfirmed = Force || command.ShouldProcess(text, text + Environment.NewLine + "Go on?", "Confirm");
        return _runConfirmed;
    });

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => PostAsync(() =>
    {
        // The form with a security impact is the one whose answer to a bare Enter is No.
        bool yesToAll = false;
        bool noToAll = false;
        return command.ShouldContinue(ViewText.Plain(query), ViewText.Plain(caption), hasSecurityImpact: true, ref yesToAll, ref noToAll);
    });

    /// <summary>Does something on the pipeline's thread.</summary>
    public Task OnPipelineAsync(Action action) => PostAsync(action);

    private Task<bool> PostAsync(Action action) => PostAsync(() =>
    {
        action();
        return true;
    });

    private async Task<T> PostAsync<T>(Func<T> action)
    {
        // Continuations must not run on the pipeline's thread: it would wait for itself.
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        BlockingCollection<Action> queue = Volatile.Read(ref _queue) ?? throw new OperationCanceledException("The pipeline has been stopped.", command.Cancellation);
        try
        {
            queue.Add(
                () =>
                {
                    if (Volatile.Read(ref _queue) is null)
                    {
                        done.TrySetCanceled(command.Cancellation);
                        return;
                    }

                    try
                    {
                        done.TrySetResult(action());
                    }
                    catch
                    {
                        done.TrySetCanceled(command.Cancellation);
                        throw;
                    }
                },
                command.Cancellation);
        }
        catch (InvalidOperationException)
        {
            throw new OperationCanceledException("The pipeline has been stopped.", command.Cancellation);
        }

        return await done.Task.ConfigureAwait(false);
    }
}
