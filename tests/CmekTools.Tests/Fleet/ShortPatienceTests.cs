using CmekTools.Engine.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>How long somebody waits for a service that has no answer, where there is another way to know.</summary>
public sealed class ShortPatienceTests
{
    private static readonly Uri s_server = new("http://127.0.0.1:9/");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly TimedClock _clock = new();
    private readonly List<TaskCompletionSource<int>> _asked = [];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task AnswersThatAreLostAreNoSilence(int lost)
    {
        Task<int> waiting = AskAsync();
        for (int i = 1; i <= lost; i++)
        {
            _clock.Advance(s_patience / 3);
            await AskedAsync(i + 1);
        }

        _asked[lost].SetResult(2);
        Assert.Equal(2, await waiting);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task WhatFailsFirstLeavesTheOtherItsTime(int failing)
    {
        Task<int> waiting = AskAsync();
        _clock.Advance(s_patience / 3);
        await AskedAsync(2);
        _asked[failing].SetException(new CmekException("CloudApiUnreachable", CmekErrorKind.ConnectionError, "no", "none", null));
        Assert.False(waiting.IsCompleted);
        _asked[1 - failing].SetResult(7);
        Assert.Equal(7, await waiting);
    }

    [Fact]
    public async Task WhatAnswersInTimeIsAskedOnceAndWhatNeverDoesIsGivenUp()
    {
        Task<int> waiting = AskAsync();
        _asked[0].SetResult(1);
        Assert.Equal(1, await waiting);
        Assert.Single(_asked);
        waiting = AskAsync();
        _clock.Advance(s_patience);
        Assert.Equal("CloudApiTimedOut", (await Assert.ThrowsAnyAsync<CmekException>(() => waiting)).ErrorId);
    }

    [Fact]
    public async Task AChangeIsSentOnce()
    {
        Task<int> waiting = ShortPatience.TellAsync(
            s_server, "Revoking", s_patience, _clock, Ask, TestContext.Current.CancellationToken);
        _clock.Advance(s_patience / 2);
        Assert.False(waiting.IsCompleted);
        _clock.Advance(s_patience / 2);
        Assert.Equal("CloudApiTimedOut", (await Assert.ThrowsAnyAsync<CmekException>(() => waiting)).ErrorId);
        Assert.Single(_asked);
    }

    private Task<int> AskAsync() =>
        ShortPatience.AskAsync(s_server, "Reading", s_patience, _clock, Ask, TestContext.Current.CancellationToken);

    private Task<int> Ask(CancellationToken cancellation)
    {
        TaskCompletionSource<int> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        cancellation.Register(() => answer.TrySetCanceled(cancellation));
        lock (_asked)
        {
            _asked.Add(answer);
        }

        return answer.Task;
    }

    // The next question goes out on a thread of its own.
    private async Task AskedAsync(int times)
    {
        while (true)
        {
            lock (_asked)
            {
                if (_asked.Count == times)
                {
                    return;
                }
            }

            await Task.Yield();
        }
    }
}
