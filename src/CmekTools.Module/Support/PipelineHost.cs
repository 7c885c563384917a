using System.Collections.Concurrent;
using System.Management.Automation;
using CmekTools.Engine;

namespace CmekTools.Module;

/// <summary>Carries what the engine asks for to the pipeline's thread.</summary>
internal sealed class PipelineHost(PipelineCommand command, BlockingCollection<Action> queue, bool whatIf) : IOperationHost
{
    // The tag by which what a command tells people can be told apart on the information stream.
    private const string Summary = "CmekSummary";

    private readonly ConcurrentDictionary<string, int> _activities = new(StringComparer.Ordinal);
    private readonly HashSet<string> _planned = new(StringComparer.Ordinal);
    private volatile bool _detached;
    private bool _runConfirmed;

    /// <inheritdoc/>
    public bool WhatIf { get; } = whatIf;

    /// <inheritdoc/>
    public bool AsksEach { get; init; }

    /// <summary>True where <c>-Force</c> takes the place of the questions (not of a second confirmation).</summary>
    public bool Force { get; set; }

    /// <summary>The pipeline takes nothing more: whatever is asked of it from now on is cancelled.</summary>
    public void Detach() => _detached = true;

    /// <summary>Lets the pipeline's thread look whether the work has ended.</summary>
    public void Wake()
    {
        try
        {
            queue.Add(() => { });
        }
        catch (ObjectDisposedException)
        {
            // The cmdlet is gone, and so is whoever would have looked.
        }
    }

    /// <inheritdoc/>
    public Task OutputAsync(object value) => PostAsync(() => command.WriteObject(value));

    /// <summary>Tells details that nobody waits for.</summary>
    /// <param name="message">What is told; there is nothing secret in it.</param>
    /// <param name="debug">To the debug stream in place of the verbose one.</param>
    public Task TraceAsync(string message, bool debug)
    {
        if (!_detached)
        {
            _ = PostAsync(() => Trace(message, debug)).ContinueWith(
                t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }

        return Task.CompletedTask;
    }

    private void Trace(string message, bool debug)
    {
        if (debug)
        {
            command.WriteDebug(Shown(message));
        }
        else
        {
            command.WriteVerbose(Shown(message));
        }
    }

    /// <summary>
    /// Tells the user something that is no output, as Write-Host does. Where the console goes to a file or another program it is on the
    /// information stream only: <c>pwsh -Command</c> would write it between the lines of what was asked for.
    /// </summary>
    public Task TellAsync(string message) => PostAsync(() => command.WriteInformation(
        new HostInformationMessage { Message = Shown(message) },
        Console.IsOutputRedirected ? [Summary] : ["PSHOST", Summary]));

    /// <summary>Takes all bars away: one for all records comes in their place.</summary>
    public Task EndProgressAsync()
    {
        // ToArray of the dictionary itself is one snapshot; a spread would count first and copy later.
        KeyValuePair<string, int>[] shown = _activities.ToArray();
        _activities.Clear();
        return shown.Length == 0 ? Task.CompletedTask : PostAsync(() =>
        {
            foreach ((string activity, int id) in shown)
            {
                command.WriteProgress(new ProgressRecord(id, activity, " ") { RecordType = ProgressRecordType.Completed });
            }
        });
    }

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => PostAsync(() => command.WriteVerbose(Shown(message)));

    /// <inheritdoc/>
    public Task WarningAsync(string message) => PostAsync(() => command.WriteWarning(Shown(message)));

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error) => PostAsync(() =>
    {
        command.HadErrors = true;
        command.WriteError(Errors.ToRecord(error));
    });

    /// <summary>Tells the error that ends the cmdlet, when the others have been told to stop.</summary>
    /// <param name="warning">What is said before it.</param>
    /// <param name="error">The error.</param>
    public Task LastErrorAsync(string warning, CmekException error) => PostAsync(
        () =>
        {
            command.WriteWarning(Shown(warning));
            command.WriteError(Errors.ToRecord(error));
            return true;
        },
        command.Abort);

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress)
    {
        int id = _activities.GetOrAdd(progress.Activity, _ => _activities.Count + 1);
        ProgressRecord record = new(id, Shown(progress.Activity), progress.Status.Length == 0 ? " " : Shown(progress.Status))
        {
            PercentComplete = Math.Clamp(progress.Percent, -1, 100),
            RecordType = progress.Completed ? ProgressRecordType.Completed : ProgressRecordType.Processing,
        };
        return PostAsync(() => command.WriteProgress(record));
    }

    /// <inheritdoc/>
    public Task<bool> ShouldProcessAsync(string target, string action) => ShouldProcessAsync(target, action, _runConfirmed);

    /// <summary>Asks for one change.</summary>
    /// <param name="target">The resource.</param>
    /// <param name="action">The change.</param>
    /// <param name="confirmed">It belongs to a run of changes that was answered with yes already.</param>
    public Task<bool> ShouldProcessAsync(string target, string action, bool confirmed) => PostAsync(() =>
    {
        string text = Shown($"{target}: {action}");
        if (WhatIf && !_planned.Add(text))
        {
            // One role for several regions would be made once: it is shown once.
            return false;
        }

        if (!WhatIf && (Force || confirmed))
        {
            command.WriteVerbose(text);
            return true;
        }

        return command.ShouldProcess(text, text + Environment.NewLine + "Go on?", "Confirm");
    });

    /// <inheritdoc/>
    public async Task<bool> ConfirmRunAsync(string target, string action, Unanswered otherwise)
    {
        bool confirmed = await AskRunAsync(target, action, otherwise).ConfigureAwait(false);
        _runConfirmed = confirmed && !WhatIf;
        return confirmed;
    }

    /// <summary>Asks for a run of changes; whose they are has to remember the answer.</summary>
    /// <param name="target">The resource.</param>
    /// <param name="action">The changes.</param>
    /// <param name="otherwise">What is said where nobody can be asked.</param>
    public Task<bool> AskRunAsync(string target, string action, Unanswered otherwise) => PostAsync(() =>
    {
        string text = Shown($"{target}: {action}");
        if (WhatIf)
        {
            command.ShouldProcess(text, text, "Confirm");
            return true;
        }

        return Force
            || Ask(
                () => command.ShouldProcess(text, text + Environment.NewLine + "Go on?", "Confirm"),
                otherwise);
    });

    /// <inheritdoc/>
    public Task LastWordAsync(string message)
    {
        try
        {
            // The pipeline takes nothing any more; the screen does.
            command.Host.UI.WriteWarningLine(ViewText.Plain(message));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A host without a screen: the journal has it.
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => PostAsync(() =>
    {
        // The form with a security impact is the one whose answer to a bare Enter is No.
        bool yesToAll = false;
        bool noToAll = false;
        return Ask(
            () => command.ShouldContinue(Shown(query), Shown(caption), hasSecurityImpact: true, ref yesToAll, ref noToAll),
            new Unanswered(
                "That question was not answered with yes.",
                "In a script give -Force, and -ConfirmClusterName for what is permanent."));
    });

    /// <summary>Does something on the pipeline's thread.</summary>
    public Task OnPipelineAsync(Action action) => PostAsync(action);

    // What is told in words: no secret in it, and nothing that does more to a terminal than be read.
    private static string Shown(string text) => ViewText.Plain(Secrets.Hide(text));

    // Where nobody can answer the host throws; that is no fault, and no yes.
    private static bool Ask(Func<bool> ask, Unanswered otherwise)
    {
        try
        {
            return ask();
        }
        catch (Exception e) when (
            e is not (PipelineStoppedException or CmekException)
                && (e is InvalidOperationException or NotImplementedException or RuntimeException))
        {
            throw new CmekException(
                "NobodyToAsk",
                CmekErrorKind.InvalidOperation,
                $"Nobody can be asked here ({e.Message}). {otherwise.Outcome}",
                otherwise.Remedy,
                null,
                e);
        }
    }

    private Task<bool> PostAsync(Action action) => PostAsync(() =>
    {
        action();
        return true;
    });

    private Task<T> PostAsync<T>(Func<T> action) => PostAsync(action, command.Cancellation);

    private async Task<T> PostAsync<T>(Func<T> action, CancellationToken cancellation)
    {
        if (_detached)
        {
            throw new OperationCanceledException("The pipeline has been stopped.", cancellation);
        }

        // Continuations must not run on the pipeline's thread: it would wait for itself.
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            queue.Add(
                () =>
                {
                    if (_detached)
                    {
                        done.TrySetCanceled(cancellation);
                        return;
                    }

                    try
                    {
                        done.TrySetResult(action());
                    }
                    catch (CmekException e)
                    {
                        // The work has to hear it, and goes on or ends by itself.
                        done.TrySetException(e);
                    }
                    catch
                    {
                        done.TrySetCanceled(cancellation);
                        throw;
                    }
                },
                cancellation);
        }
        catch (ObjectDisposedException)
        {
            throw new OperationCanceledException("The pipeline has been stopped.", cancellation);
        }

        // The pipeline's thread may never come back to this cmdlet.
        return await done.Task.WaitAsync(cancellation).ConfigureAwait(false);
    }
}
