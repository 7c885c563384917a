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
        Pacer pacer = new(1, TimeSpan.FromMilliseconds(60));
        using PacedCall first = await pacer.EnterAsync(Cancellation);
        List<string> order = [];
        Task normal = NoteAsync(pacer, "normal", order);
        Task urgent;
        using (Urgency.Begin())
        {
            urgent = NoteAsync(pacer, "urgent", order);
        }

        Assert.False(Urgency.Current);
        await Task.WhenAll(normal, urgent);
        Assert.Equal(["urgent", "normal"], order);
    }

    [Fact]
    public async Task WhoLeavesTheQueueTakesNobodysPlace()
    {
        Pacer pacer = new(1, TimeSpan.FromMilliseconds(60));
        using PacedCall first = await pacer.EnterAsync(Cancellation);
        using CancellationTokenSource leaves = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        Task<PacedCall> gone = pacer.EnterAsync(leaves.Token).AsTask();
        Task<PacedCall> stays = pacer.EnterAsync(Cancellation).AsTask();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        using PacedCall turn = await stays;
        Assert.InRange(turn.Sent - first.Sent, TimeSpan.FromMilliseconds(60), TimeSpan.FromSeconds(5));
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

    private static async Task NoteAsync(Pacer pacer, string name, List<string> order)
    {
        using PacedCall call = await pacer.EnterAsync(Cancellation);
        lock (order)
        {
            order.Add(name);
        }

        call.Served();
    }
}
