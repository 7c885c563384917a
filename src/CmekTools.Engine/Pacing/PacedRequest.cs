using System.Diagnostics;

namespace CmekTools.Engine.Pacing;

/// <summary>A refusal by which a service has answered all the same.</summary>
/// <param name="Outcome">Its code or status, for the trace.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="OverRate">True where it is for the rate of the requests.</param>
internal sealed record RefusedRequest(string Outcome, int Status, bool OverRate);

/// <summary>One try of a request in its turn.</summary>
internal static class PacedRequest
{
    /// <summary>Sends it, tells the pacer how it ended, and tells of it, also where no answer came.</summary>
    /// <param name="what">The service and call, for the trace.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="address">Where it goes, asked once it was sent.</param>
    /// <param name="turn">Its turn; null where the service has no quota.</param>
    /// <param name="send">Sends it.</param>
    /// <param name="refusal">What a failure says of an answer; null where there was none.</param>
    public static async Task<T> SendAsync<T>(
        string what,
        string method,
        Func<Uri?> address,
        PacedCall? turn,
        Func<Task<T>> send,
        Func<Exception, RefusedRequest?> refusal)
    {
        long start = Stopwatch.GetTimestamp();
        string outcome = "no answer";
        int status = 0;
        try
        {
            T answer = await send().ConfigureAwait(false);
            outcome = "200";
            status = 200;
            turn?.Served();
            return answer;
        }
        catch (Exception e) when (refusal(e) is { } refused)
        {
            outcome = refused.Outcome;
            status = refused.Status;
            if (refused.OverRate)
            {
                turn?.Refused(null);
            }
            else
            {
                turn?.Served();
            }

            throw;
        }
        finally
        {
            await RequestTrace.TellAsync(
                what,
                method,
                address(),
                outcome,
                status,
                Stopwatch.GetElapsedTime(start),
                turn?.Waited ?? TimeSpan.Zero).ConfigureAwait(false);
        }
    }
}
