namespace CmekTools.Engine;

/// <summary>Limits that go by a session's clock, as its pauses do.</summary>
internal static class Limits
{
    /// <summary>Cancels after a while.</summary>
    /// <param name="source">What is cancelled.</param>
    /// <param name="limit">How long.</param>
    /// <param name="time">The clock.</param>
    /// <returns>The timer, to be disposed of before the source is.</returns>
    public static ITimer CancelAfter(this CancellationTokenSource source, TimeSpan limit, TimeProvider time) =>
        time.CreateTimer(Cancel, source, limit, Timeout.InfiniteTimeSpan);

    private static void Cancel(object? source)
    {
        try
        {
            ((CancellationTokenSource)source!).Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It went off while the work ended.
        }
    }
}
