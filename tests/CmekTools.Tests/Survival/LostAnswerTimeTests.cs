using CmekTools.Engine;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>How often a request whose answers are lost is sent, and how long what it may have made is looked for.</summary>
public sealed class LostAnswerTimeTests
{
    private static readonly TimeSpan s_visible = TimeSpan.FromMinutes(10);

    // What the tries end with (a status, 0 for a broken connection), how many are sent, and how many times the visibility it may take.
    public static TheoryData<string, int[], int, double> Losses => new()
    {
        { "a service that is broken", [500, 500, 500, 500], 2, 1.1 },
        { "a gateway that is broken", [502, 502, 502, 502], 2, 1.1 },
        { "other errors each time", [500, 502, 503, 504], 3, 3.1 },
        { "a connection that breaks each time", [0, 0, 0, 0], 3, 3.1 },
        { "one that broke and then the service's error", [0, 503, 503, 503], 3, 2.1 },
    };

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task AServiceThatAnswersTheSameErrorTwiceIsNotWaitedForAgain(string what, int[] answers, int sends, double times)
    {
        LeapingClock clock = new();
        using EngineKit kit = EngineKit.Create(timings: new Timings(), time: clock);
        int sent = 0;
        CmekServiceException error = await Assert.ThrowsAsync<CmekServiceException>(() => LostAnswerRetry.SendAsync<string>(
            kit.Run(new TestOperationHost()),
            what,
            _ => throw Failure(answers[sent++]),
            _ => Task.FromResult<string?>(null),
            s_visible,
            TestContext.Current.CancellationToken));
        Assert.Equal(answers[sends - 1], error.StatusCode);
        Assert.Equal(sends, sent);

        // Before each further one the one before it was looked for until it would be visible.
        Assert.InRange(clock.Elapsed, s_visible, s_visible * times);
    }

    [Fact]
    public async Task WhatComesToSightLateIsNotMadeASecondTime()
    {
        LeapingClock clock = new();
        using EngineKit kit = EngineKit.Create(timings: new Timings(), time: clock);
        int sent = 0;
        string made = await LostAnswerRetry.SendAsync(
            kit.Run(new TestOperationHost()),
            "the key",
            _ => ++sent > 0 ? throw Failure(500) : Task.FromResult("never"),
            _ => Task.FromResult(clock.Elapsed > TimeSpan.FromMinutes(9) ? "the first" : null),
            s_visible,
            TestContext.Current.CancellationToken);
        Assert.Equal("the first", made);
        Assert.Equal(1, sent);
    }

    [Fact]
    public async Task WhatIsSeenAtOnceIsSentAFifthTime()
    {
        // A tenth of all answers lost: of a thousand lives, one had three lost one after the other, in both runs of a command.
        using EngineKit kit = EngineKit.Create(timings: new Timings(), time: new LeapingClock());
        int[] answers = [0, 500, 0, 502, 0];
        int sent = 0;
        await Assert.ThrowsAsync<CmekServiceException>(() => LostAnswerRetry.SendAsync<string>(
            kit.Run(new TestOperationHost()),
            "the new region",
            _ => throw Failure(answers[sent++]),
            _ => Task.FromResult<string?>(null),
            TimeSpan.Zero,
            TestContext.Current.CancellationToken));
        Assert.Equal(5, sent);
        sent = 0;
        Assert.Equal("made", await LostAnswerRetry.SendAsync(
            kit.Run(new TestOperationHost()),
            "the new region",
            _ => ++sent < 5 ? throw Failure(answers[sent]) : Task.FromResult("made"),
            _ => Task.FromResult<string?>(null),
            TimeSpan.Zero,
            TestContext.Current.CancellationToken));
    }

    private static CmekServiceException Failure(int status) => new(
        "AWS KMS",
        status == 0 ? "Unreachable" : "AwsError",
        CmekErrorKind.ConnectionError,
        $"AWS KMS answered {status}.",
        status,
        status == 0 ? null : "InternalFailure",
        null,
        null,
        null);
}
