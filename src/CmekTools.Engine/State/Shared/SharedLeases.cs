using System.Collections.Concurrent;

namespace CmekTools.Engine.State.Shared;

/// <summary>How the asking for a lease ended.</summary>
internal enum LeaseAnswer
{
    /// <summary>It is held.</summary>
    Held,

    /// <summary>Another one holds it.</summary>
    Taken,

    /// <summary>It was held, and is not any more.</summary>
    Lost,

    /// <summary>The place does not answer: nobody can tell.</summary>
    Unknown,
}

/// <summary>What came of it.</summary>
/// <param name="Answer">How it ended.</param>
/// <param name="Other">Who holds it (Taken), held it before (Held) or has it now (Lost); null where that is nobody or not known.</param>
/// <param name="Why">Why nobody can tell (Unknown).</param>
internal sealed record LeaseResult(LeaseAnswer Answer, Lease? Other = null, string? Why = null);

/// <summary>
/// The leases of one session: each is renewed while a run holds it, and asked about before each change. The runs of a session (the
/// commands of one pipeline) hold a cluster together.
/// </summary>
internal sealed class SharedLeases(ISharedPlace place, TimeSpan limit, TimeSpan holds, TimeProvider time) : IDisposable
{
    private const int SizeLimit = 64 * 1024;
    private const int Tries = 5;
    private readonly ConcurrentDictionary<string, Holding> _held = new(StringComparer.Ordinal);

    /// <summary>How long a lease holds after it was renewed last.</summary>
    public TimeSpan Holds => holds;

    /// <summary>How somebody takes a lease away by hand.</summary>
    public string RemovalOf(string clusterId) => place.RemovalOf(Lease.NameOf(clusterId));

    /// <summary>What tells this session's leases from others'.</summary>
    public string Token { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Takes a lease for a run, or looks whether the run has it still.</summary>
    /// <param name="lease">Who asks.</param>
    /// <param name="joins">The run asks for the first time; <see cref="ReleaseAsync"/> is its last.</param>
    /// <param name="over">Take it whoever holds it.</param>
    /// <param name="cancellation">Ends it.</param>
    public async Task<LeaseResult> HoldAsync(Lease lease, bool joins, bool over, CancellationToken cancellation)
    {
        string key = KeyOf(lease.ClusterId, lease.Token);
        try
        {
            using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            using CancellationTokenSource late = new(limit, time);
            await using CancellationTokenRegistration passed = late.Token.Register(soon.Cancel);
            return await AskAsync(lease, key, joins, over, soon.Token).WaitAsync(limit * 1.2, time, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (
            e is SharedPlaceException or TimeoutException || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            string why = e is SharedPlaceException ? e.Message : $"{place.Address} has not answered within {limit.TotalSeconds:0.#} s.";

            // Who could not say for so long that he is there may have been taken for gone.
            return _held.TryGetValue(key, out Holding? mine) && !mine.Lease.Stands(time.GetUtcNow(), holds)
                ? new LeaseResult(LeaseAnswer.Lost, null, why)
                : new LeaseResult(LeaseAnswer.Unknown, null, why);
        }
    }

    /// <summary>A run has ended: what no other run of the session holds is given back; where that fails it lapses.</summary>
    /// <param name="clusterId">The cluster.</param>
    /// <param name="token">The token of the run's lease.</param>
    public async Task ReleaseAsync(string clusterId, string token)
    {
        string key = KeyOf(clusterId, token);
        if (!_held.TryGetValue(key, out Holding? holding) || holding.Leave() > 0 || !_held.TryRemove(key, out _))
        {
            return;
        }

        await holding.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            holding.Timer?.Dispose();
            using CancellationTokenSource soon = new(limit, time);
            await place.WriteAsync(Lease.NameOf(clusterId), (holding.Lease with { Released = true }).ToText(), holding.Version, soon.Token)
                .WaitAsync(limit, time, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SharedPlaceException or OperationCanceledException or TimeoutException)
        {
            // It lapses.
        }
        finally
        {
            holding.Gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Holding holding in _held.Values)
        {
            holding.Timer?.Dispose();
        }

        _held.Clear();
    }

    private static string KeyOf(string clusterId, string token) => clusterId + "\n" + token;

    private async Task<LeaseResult> AskAsync(Lease lease, string key, bool joins, bool over, CancellationToken cancellation)
    {
        if (_held.TryGetValue(key, out Holding? holding))
        {
            LeaseResult result = await LookAsync(holding, cancellation).ConfigureAwait(false);
            if (result.Answer == LeaseAnswer.Held && joins)
            {
                holding.Join();
            }

            if (result.Answer != LeaseAnswer.Lost)
            {
                return result;
            }

            // Who had it has lost it; a run that comes new may ask for it anew.
            holding.Timer?.Dispose();
            _held.TryRemove(new KeyValuePair<string, Holding>(key, holding));
            if (!joins)
            {
                return result;
            }
        }

        return joins ? await TakeAsync(lease, key, over, cancellation).ConfigureAwait(false) : new LeaseResult(LeaseAnswer.Lost);
    }

    private async Task<LeaseResult> TakeAsync(Lease lease, string key, bool over, CancellationToken cancellation)
    {
        string name = Lease.NameOf(lease.ClusterId);
        Lease? other = null;
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            SharedText? there = await ReadAsync(name, cancellation).ConfigureAwait(false);
            Lease? held = there is null ? null : Lease.Read(there.Text);
            if (held is not null && held.Token != lease.Token && held.Stands(time.GetUtcNow(), holds))
            {
                if (!over)
                {
                    return new LeaseResult(LeaseAnswer.Taken, held);
                }

                other = held;
            }

            Lease mine = lease with { RenewedAt = time.GetUtcNow() };
            if (await place.WriteAsync(name, mine.ToText(), there?.Version, cancellation).ConfigureAwait(false) is { } version)
            {
                Holding holding = new(mine, version);
                if (_held.TryAdd(key, holding))
                {
                    holding.Timer = time.CreateTimer(_ => _ = RenewAsync(holding), null, holds / 4, holds / 4);
                }
                else if (_held.TryGetValue(key, out Holding? same))
                {
                    // Another run of the session was as quick.
                    same.Version = version;
                    same.Join();
                }

                return new LeaseResult(LeaseAnswer.Held, other);
            }
        }

        return new LeaseResult(LeaseAnswer.Unknown, null, $"{place.Address}: {name} is being written by others all the time.");
    }

    // Before a change: is it still ours? Renewed on the way where it is due.
    private async Task<LeaseResult> LookAsync(Holding holding, CancellationToken cancellation)
    {
        await holding.Gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            SharedText? there = await ReadAsync(Lease.NameOf(holding.Lease.ClusterId), cancellation).ConfigureAwait(false);
            Lease? held = there is null ? null : Lease.Read(there.Text);
            if (held is null || held.Token != holding.Lease.Token || held.Released)
            {
                holding.Lost = true;
                return new LeaseResult(LeaseAnswer.Lost, held);
            }

            holding.Version = there!.Version;
            return new LeaseResult(LeaseAnswer.Held);
        }
        finally
        {
            holding.Gate.Release();
        }
    }

    private async Task RenewAsync(Holding holding)
    {
        if (holding.Lost || !await holding.Gate.WaitAsync(0).ConfigureAwait(false))
        {
            return;
        }

        try
        {
            using CancellationTokenSource soon = new(limit, time);
            Lease mine = holding.Lease with { RenewedAt = time.GetUtcNow() };
            string name = Lease.NameOf(mine.ClusterId);
            string? version = await place.WriteAsync(
                name,
                mine.ToText(),
                holding.Version,
                soon.Token).WaitAsync(limit * 1.2, time, CancellationToken.None).ConfigureAwait(false);
            if (version is null)
            {
                // Somebody else's, or a renewal of ours whose answer was lost.
                SharedText? there = await ReadAsync(name, soon.Token).ConfigureAwait(false);
                holding.Lost = there is null || Lease.Read(there.Text)?.Token != mine.Token;
                holding.Version = there?.Version ?? holding.Version;
                return;
            }

            holding.Version = version;
            holding.Lease = mine;
        }
        catch (Exception e) when (e is SharedPlaceException or OperationCanceledException or TimeoutException)
        {
            // The next one tries again; in the end it lapses, which the next change sees.
        }
        finally
        {
            holding.Gate.Release();
        }
    }

    // What is too long to be a lease is none.
    private async Task<SharedText?> ReadAsync(string name, CancellationToken cancellation)
    {
        try
        {
            return await place.ReadAsync(name, SizeLimit, cancellation).ConfigureAwait(false);
        }
        catch (SharedPlaceException)
        {
            SharedEntry? entry = (
                await place.ListAsync(SharedNames.Leases, cancellation).ConfigureAwait(false)).FirstOrDefault(e => e.Name == name);
            if (entry is null || entry.Size <= SizeLimit)
            {
                throw;
            }

            return new SharedText(string.Empty, entry.Version);
        }
    }

    private sealed class Holding(Lease lease, string version)
    {
        private int _runs = 1;

        public SemaphoreSlim Gate { get; } = new(1, 1);

        public Lease Lease { get; set; } = lease;

        public string Version { get; set; } = version;

        public bool Lost { get; set; }

        public ITimer? Timer { get; set; }

        public void Join() => Interlocked.Increment(ref _runs);

        public int Leave() => Interlocked.Decrement(ref _runs);
    }
}
