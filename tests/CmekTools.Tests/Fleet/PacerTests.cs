using CmekTools.Engine.Pacing;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>The queue: who goes first, and what becomes of those who leave it.</summary>
public sealed class PacerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task UrgentRequestsGoBeforeThoseThatCameEarlier()
    {
        HandClock clock = new();
        Pacer pacer = new(1, TimeSpan.FromSeconds(1), clock);
        PacedCall first = await pacer.EnterAsync(Cancellation);
        Task<PacedCall> normal = pacer.EnterAsync(Cancellation).AsTask();
        Task<PacedCall> urgent;
        using (Urgency.Begin())
        {
            urgent = pacer.EnterAsync(Cancellation).AsTask();
        }

        Assert.False(Urgency.Current);
        clock.Now += TimeSpan.FromSeconds(2);
        first.Dispose();
        PacedCall second = await urgent;
        Assert.False(normal.IsCompleted);
        clock.Now += TimeSpan.FromSeconds(2);
        second.Dispose();
        Assert.Equal(TimeSpan.FromSeconds(4), (await normal).Waited);
    }

    [Fact]
    public async Task WhoLeavesTheQueueTakesNobodysPlace()
    {
        HandClock clock = new();
        Pacer pacer = new(1, TimeSpan.FromSeconds(1), clock);
        PacedCall first = await pacer.EnterAsync(Cancellation);
        using CancellationTokenSource leaves = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        Task<PacedCall> gone = pacer.EnterAsync(leaves.Token).AsTask();
        Task<PacedCall> stays = pacer.EnterAsync(Cancellation).AsTask();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.False(stays.IsCompleted);
        clock.Now += TimeSpan.FromSeconds(2);
        first.Dispose();
        Assert.Equal(TimeSpan.FromSeconds(2), (await stays).Sent);
    }

    [Fact]
    public void OneServiceAndKeyHaveOnePacerInTheProcess()
    {
        Uri server = new("https://pacers.example/");
        Pacer? one = Pacers.Cloud(server, "key-a", 10);
        Assert.NotNull(one);
        Assert.Same(one, Pacers.Cloud(new Uri("https://pacers.example"), "key-a", 10));
        Assert.NotSame(one, Pacers.Cloud(server, "key-b", 10));
        Assert.Same(one, Pacers.Cloud(server, "key-a", 4));
        Assert.Equal(4, one.Permits);
        Assert.Null(Pacers.Cloud(server, "key-a", 0));
    }
}
