namespace CmekTools.Engine;

/// <summary>The time that a piece of a run has before its silence counts as a failure. It goes by the session's clock.</summary>
internal sealed class TimeBudget : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly TimeSpan _limit;
    private readonly ITimer _timer;

    private TimeBudget(Operation op, TimeSpan limit)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
        _limit = limit;
        _timer = _source.CancelAfter(limit, op.Session.Time);
    }

    /// <summary>Ends when the time has run out, and with the run.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>An answer has come: the time begins anew.</summary>
    public void Renew() => _timer.Change(_limit, Timeout.InfiniteTimeSpan);

    /// <summary>Does the work within its time. Only the run's own end gets out of here.</summary>
    /// <param name="op">The run.</param>
    /// <param name="limit">How long the work may be silent.</param>
    /// <param name="work">The work, which listens to the budget's token.</param>
    /// <returns>Null, or what went wrong: a <see cref="TimeoutException"/> where the time had run out.</returns>
    public static async Task<Exception?> RunAsync(Operation op, TimeSpan limit, Func<TimeBudget, Task> work)
    {
        using TimeBudget budget = new(op, limit);
        try
        {
            await work(budget).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (!op.Cancellation.IsCancellationRequested)
        {
            return budget.Token.IsCancellationRequested ? new TimeoutException($"no answer in {limit.TotalSeconds:0.#} s", e) : e;
        }
    }

    /// <summary>
    /// The same off this thread, and not waited for beyond twice its time: a library that does not listen to its token holds nothing up.
    /// </summary>
    /// <param name="op">The run.</param>
    /// <param name="limit">How long the work may take.</param>
    /// <param name="work">The work, as a record of the run that ends with the budget.</param>
    public static Task<Exception?> RunAsideAsync(Operation op, TimeSpan limit, Func<Operation, Task> work) => RunAsync(
        op,
        limit,
        budget =>
        {
            Operation part = op.ForRecord(op.Host, budget.Token, budget.Token);
            return Task.Run(() => work(part), CancellationToken.None).WaitAsync(limit + limit, op.Session.Time, op.Cancellation);
        });

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        _source.Dispose();
    }
}
