using CmekTools.Engine.State.Shared;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>A lease on a cluster: who has it, when it lapses, and what is none.</summary>
public sealed class SharedLeaseTests : IDisposable
{
    private const string Cluster = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";
    private static readonly TimeSpan s_holds = TimeSpan.FromMinutes(2);
    private readonly TempFolder _folder = new();
    private readonly FolderPlace _place;

    public SharedLeaseTests() => _place = new FolderPlace(_folder.Path);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task OneHoldsItUntilHeEndsAndTheRunsOfASessionHoldItTogether()
    {
        using SharedLeases alice = Session();
        using SharedLeases bob = Session();
        Assert.Equal(LeaseAnswer.Held, (await AskAsync(alice, "alice", joins: true)).Answer);
        Assert.Equal(LeaseAnswer.Held, (await AskAsync(alice, "alice", joins: true)).Answer);
        LeaseResult refused = await AskAsync(bob, "bob", joins: true);
        Assert.Equal((LeaseAnswer.Taken, "alice"), (refused.Answer, refused.Other?.Holder));
        await alice.ReleaseAsync(Cluster, alice.Token);
        Assert.Equal(LeaseAnswer.Taken, (await AskAsync(bob, "bob", joins: true)).Answer);
        await alice.ReleaseAsync(Cluster, alice.Token);
        Assert.Equal(LeaseAnswer.Held, (await AskAsync(bob, "bob", joins: true)).Answer);
    }

    [Fact]
    public async Task WhoLostItHearsOfItBeforeHisNextChangeAndMayAskAnewLater()
    {
        using SharedLeases alice = Session();
        using SharedLeases bob = Session();
        await AskAsync(alice, "alice", joins: true);
        LeaseResult taken = await AskAsync(bob, "bob", joins: true, over: true);
        Assert.Equal((LeaseAnswer.Held, "alice"), (taken.Answer, taken.Other?.Holder));
        LeaseResult lost = await AskAsync(alice, "alice", joins: false);
        Assert.Equal((LeaseAnswer.Lost, "bob"), (lost.Answer, lost.Other?.Holder));
        Assert.Equal(LeaseAnswer.Lost, (await AskAsync(alice, "alice", joins: false)).Answer);
        await bob.ReleaseAsync(Cluster, bob.Token);
        Assert.Equal(LeaseAnswer.Held, (await AskAsync(alice, "alice", joins: true)).Answer);
    }

    [Theory]
    [InlineData(-60, true)]
    [InlineData(-180, false)]
    [InlineData(60, true)]
    [InlineData(180, false)]
    public async Task ItLapsesWhereItWasNotRenewedAndOneFromTheFutureIsNone(int seconds, bool stands)
    {
        Lease other = LeaseOf("mallory", "x") with { RenewedAt = DateTimeOffset.UtcNow.AddSeconds(seconds) };
        await _place.WriteAsync(Lease.NameOf(Cluster), other.ToText(), null, Cancellation);
        using SharedLeases alice = Session();
        Assert.Equal(stands ? LeaseAnswer.Taken : LeaseAnswer.Held, (await AskAsync(alice, "alice", joins: true)).Answer);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"format":"cmektools/lease","version":1,"cluster":7}""")]
    [InlineData("""{"format":"cmektools/lease","version":2}""")]
    public async Task WhatIsNoLeaseIsInNobodysWay(string text)
    {
        await _place.WriteAsync(Lease.NameOf(Cluster), text.Length == 0 ? new string('x', 100_000) : text, null, Cancellation);
        using SharedLeases alice = Session();
        Assert.Equal(LeaseAnswer.Held, (await AskAsync(alice, "alice", joins: true)).Answer);
    }

    [Fact]
    public async Task WhereThePlaceIsGoneNobodyCanTell()
    {
        using SharedLeases alice = Session();
        Directory.Delete(_folder.Path, recursive: true);
        LeaseResult unknown = await AskAsync(alice, "alice", joins: true);
        Directory.CreateDirectory(_folder.Path);
        Assert.Equal(LeaseAnswer.Unknown, unknown.Answer);
        Assert.Contains("not there", unknown.Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OfManyThatAskAtOnceOneGetsIt()
    {
        SharedLeases[] sessions = [.. Enumerable.Range(0, 8).Select(_ => Session())];
        LeaseResult[] results = await Task.WhenAll(sessions.Select((s, i) => Task.Run(() => AskAsync(s, $"s{i}", joins: true))));
        Assert.Single(results, r => r.Answer == LeaseAnswer.Held);
        Array.ForEach(sessions, s => s.Dispose());
    }

    public void Dispose() => _folder.Dispose();

    private static Task<LeaseResult> AskAsync(SharedLeases session, string holder, bool joins, bool over = false) =>
        session.HoldAsync(LeaseOf(holder, session.Token), joins, over, Cancellation);

    private static Lease LeaseOf(string holder, string token) => new()
    {
        ClusterId = Cluster,
        ClusterName = "shop",
        Token = token,
        Holder = holder,
        Machine = "m",
        Command = "Test",
        Since = DateTimeOffset.UtcNow,
        RenewedAt = DateTimeOffset.UtcNow,
    };

    private SharedLeases Session() => new(_place, TimeSpan.FromSeconds(30), s_holds, TimeProvider.System);
}
