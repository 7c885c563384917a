namespace CmekTools.Engine.CloudApi;

/// <summary>
/// Marks calls that are given up soon, because there is another way to know: they are tried a few times within seconds. It flows with
/// the work.
/// </summary>
internal static class ShortPatience
{
    private static readonly AsyncLocal<bool> s_current = new();

    /// <summary>True where the present call is given up soon.</summary>
    public static bool Current => s_current.Value;

    /// <summary>
    /// Asks the service, and gives up at the end of the patience. Where half of it has passed without an answer, the same is asked beside
    /// it, because one answer may have been lost on its way; the first that is good is taken. A change is told by <see cref="TellAsync"/>.
    /// </summary>
    /// <exception cref="CmekServiceException"><c>CloudApiTimedOut</c>, or what the service said.</exception>
    public static Task<T> AskAsync<T>(
        Uri server,
        string what,
        TimeSpan patience,
        TimeProvider time,
        Func<CancellationToken, Task<T>> ask,
        CancellationToken cancellation) =>
        TellAsync(server, what, patience, time, token => TwiceAsync(ask, patience / 2, time, token), cancellation);

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

    private static async Task<T> TwiceAsync<T>(
        Func<CancellationToken, Task<T>> ask,
        TimeSpan pause,
        TimeProvider time,
        CancellationToken cancellation)
    {
        using CancellationTokenSource rest = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<T> first = ask(rest.Token);
        Task<T>? second = null;
        try
        {
            if (await Task.WhenAny(first, Task.Delay(pause, time, rest.Token)).ConfigureAwait(false) == first)
            {
                return await first.ConfigureAwait(false);
            }

            second = ask(rest.Token);
            Task<T> soonest = await Task.WhenAny(first, second).ConfigureAwait(false);
            Task<T> other = soonest == first ? second : first;
            return await (soonest.IsCompletedSuccessfully ? soonest : other).ConfigureAwait(false);
        }
        finally
        {
            await rest.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(second is null ? [first] : [first, second]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
