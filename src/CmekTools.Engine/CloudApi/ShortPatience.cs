namespace CmekTools.Engine.CloudApi;

/// <summary>
/// Marks calls that are given up soon, because there is another way to know: they are tried a few times within seconds. It flows with
/// the work.
/// </summary>
internal static class ShortPatience
{
    private const int Times = 3;
    private static readonly AsyncLocal<bool> s_current = new();

    /// <summary>True where the present call is given up soon.</summary>
    public static bool Current => s_current.Value;

    /// <summary>
    /// Asks the service, and gives up at the end of the patience. After each third of it without an answer the same is asked beside,
    /// because answers may be lost on their way; the first that is good is taken. A change is told by <see cref="TellAsync"/>.
    /// </summary>
    /// <exception cref="CmekServiceException"><c>CloudApiTimedOut</c>, or what the service said.</exception>
    public static Task<T> AskAsync<T>(
        Uri server,
        string what,
        TimeSpan patience,
        TimeProvider time,
        Func<CancellationToken, Task<T>> ask,
        CancellationToken cancellation) =>
        TellAsync(server, what, patience, time, token => SeveralAsync(ask, patience / Times, time, token, cancellation), cancellation);

    /// <summary>Sends the service a change, once, and gives up at the end of the patience.</summary>
    /// <exception cref="CmekServiceException"><c>CloudApiTimedOut</c>, or what the service said.</exception>
    public static async Task<T> TellAsync<T>(
        Uri server,
        string what,
        TimeSpan patience,
        TimeProvider time,
        Func<CancellationToken, Task<T>> tell,
        CancellationToken cancellation)
    {
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using ITimer limit = soon.CancelAfter(patience, time);
        s_current.Value = true;
        try
        {
            return await tell(soon.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw CloudApiErrors.NoAnswer(new TimeoutException($"no answer in {patience.TotalSeconds:0.#} s", e), server, what, server);
        }
    }

    private static async Task<T> SeveralAsync<T>(
        Func<CancellationToken, Task<T>> ask,
        TimeSpan pause,
        TimeProvider time,
        CancellationToken patience,
        CancellationToken cancellation)
    {
        using CancellationTokenSource rest = CancellationTokenSource.CreateLinkedTokenSource(patience);
        List<Task<T>> asked = [];
        List<Task<T>> open = [];
        try
        {
            while (true)
            {
                using CancellationTokenSource paused = CancellationTokenSource.CreateLinkedTokenSource(rest.Token);
                Task next = asked.Count < Times - 1 ? Task.Delay(pause, time, paused.Token) : Task.Delay(Timeout.Infinite, paused.Token);
                Task<T> question = ask(rest.Token);
                asked.Add(question);
                open.Add(question);
                while (open.Count > 0)
                {
                    Task soonest = await Task.WhenAny([.. open, next]).ConfigureAwait(false);
                    if (soonest == next)
                    {
                        break;
                    }

                    // A bad answer counts where no other one is awaited.
                    if (soonest.IsCompletedSuccessfully || open.Count == 1)
                    {
                        await paused.CancelAsync().ConfigureAwait(false);
                        return await ((Task<T>)soonest).ConfigureAwait(false);
                    }

                    open.Remove((Task<T>)soonest);
                }

                patience.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException) when (
            !cancellation.IsCancellationRequested && asked.FirstOrDefault(a => a.IsFaulted) is { } said)
        {
            // What the service said says more than that a later question had no time left.
            return await said.ConfigureAwait(false);
        }
        finally
        {
            await rest.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(asked)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
