using CmekTools.Engine.State;

namespace CmekTools.Engine;

/// <summary>
/// Sends a request whose answer may be lost: where nobody knows whether it took effect, what it makes is looked for before it is sent
/// again.
/// </summary>
internal static class LostAnswerRetry
{
    private const int Sends = 3;

    // A look that shows at once what was made costs little, and leaves no doubt.
    private const int SendsWhereSeen = 5;

    // What cannot be looked at in a quarter of the longest call will not be seen soon: the user is told instead.
    private const int BlindPart = 4;

    /// <summary>Sends until it is known to be made, or refused.</summary>
    /// <param name="op">The run.</param>
    /// <param name="what">What is looked for, in words: "the key for shop/us-east-1".</param>
    /// <param name="send">
    /// One request. It is sent at most three times, five times where it is seen at once what it makes, and at most twice where the
    /// service gives the same error each time.
    /// </param>
    /// <param name="look">What the request made, as it is there now; null where it is not there.</param>
    /// <param name="visible">
    /// How long what was made may stay out of sight: so long it is looked for before the request is sent again. Zero for one look.
    /// </param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CmekServiceException">It was refused, or its last answer was lost too and nothing is there.</exception>
    public static async Task<T> SendAsync<T>(
        Operation op,
        string what,
        Func<CancellationToken, Task<T>> send,
        Func<CancellationToken, Task<T?>> look,
        TimeSpan visible,
        CancellationToken cancellation)
        where T : class
    {
        CmekServiceException? lost = null;
        int sends = visible == TimeSpan.Zero ? SendsWhereSeen : Sends;
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                return await send(cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (AnswerLoss.IsLost(e) || (lost is not null && AnswerLoss.MayBeOvertaken(e)))
            {
                // The whole time was waited for the first one already, and showed what this error is worth. The journal keeps the second
                // as unknown, and the next command waits for what is left of its time before it makes anything.
                bool same = lost is not null && IsSame(lost, e);
                lost = e;
                await op.Host.VerboseAsync($"{e.Message} Nobody knows whether it took effect: {what} is looked for.").ConfigureAwait(false);
                if (await LookAsync(op, what, look, same ? TimeSpan.Zero : visible, cancellation).ConfigureAwait(false) is { } found)
                {
                    await op.Host.VerboseAsync($"The answer was lost, and {what} is there.").ConfigureAwait(false);
                    return found;
                }

                if (same || attempt == sends || !AnswerLoss.IsLost(e))
                {
                    throw;
                }
            }

            await op.DelayAsync(op.Timings.RetryBase * (1 << attempt)).ConfigureAwait(false);
        }
    }

    // An answer of the service's own, not a connection that broke.
    private static bool IsSame(CmekServiceException one, CmekServiceException other) =>
        other.StatusCode >= 500 && one.StatusCode == other.StatusCode && one.Code == other.Code;

    /// <summary>The failure of a change whose answer was lost and that could not be looked for.</summary>
    public static CmekException OutcomeUnknown(string what, Exception? cause) => new(
        "OutcomeUnknown",
        CmekErrorKind.ConnectionError,
        $"An answer was lost, and {what} could not be looked for{(cause is null ? "." : ": " + cause.Message)} Whether "
            + "it was made is not known.",
        "Run the same command again: it looks for it first."
            + ((cause as CmekException)?.RecommendedAction is { } remedy ? $" Before that: {remedy}" : string.Empty),
        what,
        cause);

    /// <summary>Looks for what an earlier request may have made, for as long as it may stay out of sight.</summary>
    public static async Task<T?> LookAsync<T>(
        Operation op, string what, Func<CancellationToken, Task<T?>> look, TimeSpan visible, CancellationToken cancellation)
        where T : class
    {
        long start = op.Session.Time.GetTimestamp();
        string activity = $"Looking for {what}";
        bool shown = false;
        while (true)
        {
            bool seen = false;
            try
            {
                if (await look(cancellation).ConfigureAwait(false) is { } found)
                {
                    return found;
                }

                seen = true;
            }
            catch (CmekException e) when (e.Kind is CmekErrorKind.PermissionDenied or CmekErrorKind.AuthenticationError)
            {
                throw OutcomeUnknown(what, e);
            }
            catch (CmekServiceException e)
            {
                await op.Host.VerboseAsync($"{what} could not be looked for: {e.Message}").ConfigureAwait(false);
            }

            TimeSpan waited = op.Session.Time.GetElapsedTime(start);
            if (waited >= visible && (seen || waited >= op.Timings.CallLimit / BlindPart))
            {
                if (shown)
                {
                    await op.Host.ProgressAsync(new OperationProgress(activity, "not there", 100, Completed: true)).ConfigureAwait(false);
                }

                // What could not be looked for may be there: it must not be sent again.
                return seen ? null : throw OutcomeUnknown(what, null);
            }

            shown = true;
            await op.Host.ProgressAsync(new OperationProgress(
                activity,
                $"an answer was lost ({waited.TotalSeconds:0} s)",
                (int)Math.Min(99, 100 * waited / (visible + (op.Timings.CallLimit / BlindPart))))).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }
}
