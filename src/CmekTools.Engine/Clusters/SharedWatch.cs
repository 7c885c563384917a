using System.Runtime.CompilerServices;

namespace CmekTools.Engine.Clusters;

/// <summary>What one look at a watched cluster showed.</summary>
/// <param name="Status">Its status; null where the list said that its operation is still running, so that nobody asked for it.</param>
internal sealed record WatchLook(CmekStatus? Status);

/// <summary>
/// The one watch over all clusters that a session waits for. Where many are waited for, one request for the list of clusters tells
/// whose operation is still running: those are asked for their status now and then, the others at each look. A long wait is looked at
/// less often.
/// </summary>
internal sealed class SharedWatch(SessionContext session)
{
    private static readonly ConditionalWeakTable<SessionContext, SharedWatch> s_watches = [];

    // The list is worth its requests from here on.
    private const int Many = 4;

    // The list's word may be late; after so many looks by list a cluster is asked itself.
    private const int LooksByList = 5;

    private readonly object _lock = new();
    private int _watched;
    private int _pages = 1;
    private Listing? _listing;

    /// <summary>The watch of a session.</summary>
    public static SharedWatch Of(SessionContext session) => s_watches.GetValue(session, s => new SharedWatch(s));

    /// <summary>Begins to watch a cluster.</summary>
    public Watched Begin()
    {
        Interlocked.Increment(ref _watched);
        return new Watched(this, session.Time.GetTimestamp());
    }

    /// <summary>
    /// The pause before the next look at a wait of an age: a tenth of it, at least the shortest pause and at most six of them.
    /// </summary>
    public static TimeSpan Pause(TimeSpan age, TimeSpan shortest)
    {
        TimeSpan pause = age / 10;
        return pause < shortest ? shortest : pause > shortest * 6 ? shortest * 6 : pause;
    }

    private async Task<WatchLook> LookAsync(CmekCluster cluster, Watched watched, Operation op)
    {
        bool byList = Volatile.Read(ref _watched) >= Math.Max(Many, 2 * Volatile.Read(ref _pages)) && watched.ByList < LooksByList;
        if (byList && await ListedAsync(op).ConfigureAwait(false) is { } listed
            && listed.TryGetValue(cluster.Id, out string? operation)
            && operation?.EndsWith("_RUNNING", StringComparison.Ordinal) == true)
        {
            watched.ByList++;
            return new WatchLook(null);
        }

        watched.ByList = 0;
        return new WatchLook(await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false));
    }

    // One list serves all who look within half a pause. It belongs to nobody: one who stops does not stop it for the others.
    private async Task<IReadOnlyDictionary<string, string?>?> ListedAsync(Operation op)
    {
        Task<IReadOnlyDictionary<string, string?>> reading;
        lock (_lock)
        {
            if (_listing is null || session.Time.GetElapsedTime(_listing.At) > session.Timings.StatusPoll / 2)
            {
                _listing = new Listing(session.Time.GetTimestamp(), ListAsync());
            }

            reading = _listing.Reading;
        }

        try
        {
            return await reading.WaitAsync(op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException)
        {
            // The cluster itself is asked, and tells what is wrong.
            return null;
        }
    }

    private async Task<IReadOnlyDictionary<string, string?>> ListAsync()
    {
        Dictionary<string, string?> operations = new(StringComparer.OrdinalIgnoreCase);
        await foreach (CmekCluster cluster in session.Cloud.ListClustersAsync(CancellationToken.None).ConfigureAwait(false))
        {
            operations[cluster.Id] = cluster.OperationStatus;
        }

        Volatile.Write(ref _pages, 1 + (operations.Count / 100));
        return operations;
    }

    private sealed record Listing(long At, Task<IReadOnlyDictionary<string, string?>> Reading);

    /// <summary>One cluster's place in the watch.</summary>
    internal sealed class Watched(SharedWatch watch, long since) : IDisposable
    {
        private bool _ended;

        /// <summary>How often in a row the list alone was looked at.</summary>
        public int ByList { get; set; }

        /// <summary>Looks once.</summary>
        public Task<WatchLook> LookAsync(CmekCluster cluster, Operation op) => watch.LookAsync(cluster, this, op);

        /// <summary>Waits until the next look is due.</summary>
        public Task PauseAsync(Operation op) => op.DelayAsync(Pause(op.Session.Time.GetElapsedTime(since), op.Timings.StatusPoll));

        /// <inheritdoc/>
        public void Dispose()
        {
            if (!_ended)
            {
                _ended = true;
                Interlocked.Decrement(ref watch._watched);
            }
        }
    }
}
