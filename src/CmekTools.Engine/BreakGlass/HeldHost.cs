using System.Collections.Concurrent;
using System.Threading.Channels;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// What a break-glass says and to whom, so that nobody who listens can hold it up: objects, details and progress go into a queue that
/// another task empties, and errors and warnings are kept until the last step is done. A pipeline that has had enough, is stopped by a
/// preference or does not read stops nothing.
/// </summary>
internal sealed class HeldHost : IOperationHost
{
    private readonly IOperationHost _inner;
    private readonly Channel<Func<IOperationHost, Task>> _queue = Channel.CreateUnbounded<Func<IOperationHost, Task>>(
        new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentQueue<string> _warnings = new();
    private readonly ConcurrentQueue<CmekException> _errors = new();
    private readonly Task _emptied;

    public HeldHost(IOperationHost inner)
    {
        _inner = inner;
        _emptied = Task.Run(EmptyAsync);
    }

    /// <inheritdoc/>
    public bool WhatIf => _inner.WhatIf;

    /// <summary>The failures so far.</summary>
    public IReadOnlyList<CmekException> Errors => [.. _errors];

    /// <summary>The warnings so far: where the run is stopped, nobody has heard them.</summary>
    public IReadOnlyList<string> Warnings => [.. _warnings];

    /// <inheritdoc/>
    public Task OutputAsync(object value) => Queue(h => h.OutputAsync(value));

    /// <inheritdoc/>
    public Task VerboseAsync(string message) => Queue(h => h.VerboseAsync(message));

    /// <inheritdoc/>
    public Task ProgressAsync(OperationProgress progress) => Queue(h => h.ProgressAsync(progress));

    /// <inheritdoc/>
    public Task WarningAsync(string message)
    {
        if (!_warnings.Contains(message))
        {
            _warnings.Enqueue(message);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task ErrorAsync(CmekException error)
    {
        if (!_errors.Any(e => e.ErrorId == error.ErrorId && e.Message == error.Message))
        {
            _errors.Enqueue(error);
        }

        return Task.CompletedTask;
    }

    /// <summary>The one question of the plan has been answered before: a change is told to those who asked for details, and made.</summary>
    public async Task<bool> ShouldProcessAsync(string target, string action)
    {
        if (WhatIf)
        {
            return await _inner.ShouldProcessAsync(target, action).ConfigureAwait(false);
        }

        await VerboseAsync($"{target}: {action}").ConfigureAwait(false);
        return true;
    }

    /// <inheritdoc/>
    public Task<bool> ConfirmRunAsync(string target, string action, Unanswered otherwise) =>
        _inner.ConfirmRunAsync(target, action, otherwise);

    /// <inheritdoc/>
    public Task<bool> ShouldContinueAsync(string query, string caption) => _inner.ShouldContinueAsync(query, caption);

    /// <inheritdoc/>
    public Task LastWordAsync(string message) => _inner.LastWordAsync(message);

    /// <summary>Waits until everything that was said so far has been passed on, or nobody listens any more.</summary>
    public async Task DrainAsync()
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await Queue(_ =>
        {
            reached.TrySetResult();
            return Task.CompletedTask;
        }).ConfigureAwait(false);
        await Task.WhenAny(reached.Task, _emptied).ConfigureAwait(false);
    }

    /// <summary>The last step is done: what was kept is told, warnings first.</summary>
    public async Task ReleaseAsync()
    {
        _queue.Writer.TryComplete();
        await _emptied.ConfigureAwait(false);
        while (_warnings.TryDequeue(out string? warning))
        {
            await _inner.WarningAsync(warning).ConfigureAwait(false);
        }

        while (_errors.TryDequeue(out CmekException? error))
        {
            await _inner.ErrorAsync(error).ConfigureAwait(false);
        }
    }

    private Task Queue(Func<IOperationHost, Task> say)
    {
        _queue.Writer.TryWrite(say);
        return Task.CompletedTask;
    }

    private async Task EmptyAsync()
    {
        bool heard = true;
        await foreach (Func<IOperationHost, Task> say in _queue.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                await (heard ? say(_inner) : Task.CompletedTask).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // Nobody listens any more; what is being done goes on.
                heard = false;
            }
        }
    }
}
