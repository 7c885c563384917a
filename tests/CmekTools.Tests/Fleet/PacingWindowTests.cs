using CmekTools.Engine.Pacing;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>
/// The quota against a service that counts in a sliding window, whatever the way to it does. No clock: the times are made up here.
/// </summary>
public sealed class PacingWindowTests
{
    private static readonly TimeSpan s_second = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(0, 0, 1.03)]
    [InlineData(250, 0, 1.03)]
    [InlineData(250, 40, 1.06)]
    public void FillsTheRateAndIsNotRefused(int way, int jitter, double reach)
    {
        Run run = Play(500, 10, way, jitter, coldConnections: true);
        Assert.Equal(0, run.Refusals);
        Assert.True(run.Ended <= reach * 50, $"500 requests at 10 a second took {run.Ended:0.00} s");
    }

    [Fact]
    public void ASmallerQuotaThanExpectedIsFoundOut()
    {
        Run run = Play(200, 5, 100, 0, coldConnections: false);
        Assert.InRange(run.Refusals, 1, 20);
        Assert.True(run.Ended < 1.6 * 40, $"200 requests at 5 a second took {run.Ended:0.00} s");
    }

    [Fact]
    public void AnUrgentRequestWaitsForOnePlaceOnly()
    {
        PacingWindow window = new(10, s_second);
        TimeSpan now = TimeSpan.Zero;
        for (int i = 0; i < 95; i++)
        {
            now += window.Wait(now, urgent: false);
            PacedCall call = new(null, now, TimeSpan.Zero);
            window.Admit(call);
            window.End(call, CallEnd.Served, null, now);
        }

        Assert.InRange(window.Wait(now, urgent: true).TotalMilliseconds, 0, 130);
    }

    [Fact]
    public void TheServicesPauseIsKeptAndALongOneIsCut()
    {
        PacingWindow window = new(10, s_second);
        PacedCall call = new(null, TimeSpan.Zero, TimeSpan.Zero);
        window.Admit(call);
        window.End(call, CallEnd.Refused, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(0.1));
        Assert.Equal(3, window.Wait(TimeSpan.FromSeconds(0.1), urgent: true).TotalSeconds, 3);
        window.End(call, CallEnd.Refused, TimeSpan.FromHours(3), TimeSpan.FromSeconds(0.2));
        Assert.Equal(60, window.Wait(TimeSpan.FromSeconds(0.2), urgent: true).TotalSeconds, 3);
        Assert.Equal(TimeSpan.Zero, window.Wait(TimeSpan.FromSeconds(61), urgent: false));
    }

    private sealed record Run(int Refusals, double Ended);

    // Sends one after the other as soon as it may; the service counts each on its arrival and answers at once, and the answer takes the
    // way back.
    private static Run Play(int requests, int serviceLimit, double way, int jitter, bool coldConnections)
    {
        PacingWindow window = new(10, s_second);
        Random chance = new(7);
        PriorityQueue<(PacedCall Call, CallEnd End), TimeSpan> answers = new();
        List<TimeSpan> counted = [];
        TimeSpan now = TimeSpan.Zero;
        int refusals = 0;
        int left = requests;
        int sent = 0;
        while (left > 0 || answers.Count > 0)
        {
            TimeSpan wait = left > 0 ? window.Wait(now, urgent: false) : TimeSpan.MaxValue;
            if (answers.TryPeek(out (PacedCall Call, CallEnd End) next, out TimeSpan at) && (wait == TimeSpan.MaxValue || at <= now + wait))
            {
                answers.Dequeue();
                now = at > now ? at : now;
                window.End(next.Call, next.End, next.End == CallEnd.Refused ? s_second : null, now);
                left += next.End == CallEnd.Refused ? 1 : 0;
                continue;
            }

            if (wait > TimeSpan.Zero)
            {
                now += wait;
                continue;
            }

            PacedCall call = new(null, now, TimeSpan.Zero);
            window.Admit(call);
            left--;

            // The second to the tenth find no connection and make one.
            double cold = coldConnections && sent is > 0 and < 10 ? 80 : 0;
            sent++;
            TimeSpan arrives = now + TimeSpan.FromMilliseconds((way / 2) + cold + (jitter * chance.NextDouble()));
            counted.RemoveAll(c => arrives - c >= s_second);
            bool refused = counted.Count(c => c <= arrives) >= serviceLimit;
            if (refused)
            {
                refusals++;
            }
            else
            {
                counted.Add(arrives);
            }

            answers.Enqueue((call, refused ? CallEnd.Refused : CallEnd.Served), arrives + TimeSpan.FromMilliseconds(way / 2));
        }

        return new Run(refusals, now.TotalSeconds);
    }
}
