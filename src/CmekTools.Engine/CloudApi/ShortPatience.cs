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

    /// <summary>Asks the service, and gives up in the end of its patience.</summary>
    /// <exception cref="CmekServiceException"><c>CloudApiTimedOut</c>, or what the service said.</exception>
    public static async Task<T> AskAsync<T>(
        Uri server,
        string what,
        TimeSpan patience,
        TimeProvider time,
        Func<CancellationToken, Task<T>> ask,
        CancellationToken cancellation)
    {
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using ITimer limit = soon.CancelAfter(patience, time);
        s_current.Value = true;
        try
        {
            return await ask(soon.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw CloudApiErrors.NoAnswer(new TimeoutException($"no answer in {patience.TotalSeconds:0.#} s", e), server, what, server);
        }
    }
}
