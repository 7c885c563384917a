using System.Text.Json;

namespace CmekTools.Engine.State.Shared;

/// <summary>How a look at the shared place ended.</summary>
/// <param name="Why">Why not all of it is here, or not all of this machine's is there; null where it is.</param>
internal sealed record SharedOutcome(string? Why)
{
    /// <summary>Everything is in both places.</summary>
    public static SharedOutcome Whole { get; } = new((string?)null);
}

/// <summary>
/// A state that several people and machines share. The local state folder comes first: everything is written there, and every command
/// works with what is there. A look (<see cref="SyncAsync"/>) takes in what others gave and gives what is new here; where the place
/// does not answer, that is a warning and nothing more.
/// </summary>
internal sealed class SharedState : IDisposable
{
    private const int AtOnce = 8;
    private const int Tries = 4;

    // A place that has just failed is not asked again by each of a hundred clusters.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(30);

    private readonly ISharedPlace _place;
    private readonly TimeProvider _time;
    private readonly TimeSpan _limit;
    private readonly SharedShelf[] _shelves;
    private readonly object _lock = new();
    private Task<SharedOutcome>? _running;
    private Task<SharedOutcome>? _next;
    private SharedOutcome? _failed;
    private long _failedAt;
    private long _offered;
    private long _given;

    /// <summary>Makes it; nothing is asked of the place.</summary>
    /// <param name="place">The place.</param>
    /// <param name="stateFolder">The local state folder.</param>
    /// <param name="limit">The longest that a look, and each access, may take.</param>
    /// <param name="leaseTime">How long a lease holds after it was renewed last.</param>
    /// <param name="time">The clock.</param>
    /// <param name="more">Further shelves, by the place's local folder.</param>
    public SharedState(
        ISharedPlace place,
        string stateFolder,
        TimeSpan limit,
        TimeSpan leaseTime,
        TimeProvider time,
        Func<string, IEnumerable<SharedShelf>>? more = null)
    {
        _place = place;
        _time = time;
        _limit = limit;
        MirrorFolder = SharedMirror.FolderOf(stateFolder, place.Address);
        _shelves = [new ReceiptShelf(stateFolder, MirrorFolder), new ClosingShelf(stateFolder), .. more?.Invoke(MirrorFolder) ?? []];
        Leases = new SharedLeases(place, limit, leaseTime, time);
    }

    /// <summary>The place.</summary>
    public string Address => _place.Address;

    /// <summary>Where what was taken in lies.</summary>
    public string MirrorFolder { get; }

    /// <summary>Who works on which cluster.</summary>
    public SharedLeases Leases { get; }

    /// <summary>True where something was offered that no look has given since.</summary>
    public bool HasPending => Interlocked.Read(ref _given) < Interlocked.Read(ref _offered);

    /// <summary>Something new is in the local state folder: it is given as soon as may be, and nobody waits.</summary>
    public void Offer()
    {
        Interlocked.Increment(ref _offered);
        _ = SyncAsync();
    }

    /// <summary>Waits until what was offered is given, or cannot be.</summary>
    /// <param name="insist">Ask although the place failed a moment ago.</param>
    public async Task<SharedOutcome> FlushAsync(bool insist)
    {
        Task<SharedOutcome>? running;
        lock (_lock)
        {
            running = _next ?? _running;
        }

        // The look that runs may have begun late enough; where it fails, another one at once would too.
        if (running is { IsCompleted: false } && await running.ConfigureAwait(false) is { Why: not null } failed)
        {
            return failed;
        }

        return HasPending ? await SyncAsync(insist).ConfigureAwait(false) : SharedOutcome.Whole;
    }

    /// <summary>A look that begins now or later, and is the same for all who ask meanwhile. It never fails.</summary>
    /// <param name="insist">Ask although the place failed a moment ago.</param>
    public Task<SharedOutcome> SyncAsync(bool insist = false)
    {
        lock (_lock)
        {
            if (!insist && _failed is { } failed && _time.GetElapsedTime(_failedAt) < s_pause)
            {
                return Task.FromResult(failed);
            }

            if (_running is null or { IsCompleted: true })
            {
                return _running = Task.Run(RunAsync);
            }

            // The one that runs may have looked already.
            if (_next is null or { IsCompleted: true })
            {
                Task<SharedOutcome> before = _running;
                _next = Task.Run(async () =>
                {
                    await before.ConfigureAwait(false);
                    Task<SharedOutcome> own;
                    lock (_lock)
                    {
                        _running = own = Task.Run(RunAsync);
                        _next = null;
                    }

                    return await own.ConfigureAwait(false);
                });
            }

            return _next;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Leases.Dispose();
        _place.Dispose();
    }

    private async Task<SharedOutcome> RunAsync()
    {
        long offered = Interlocked.Read(ref _offered);
        SharedOutcome outcome = await TryAsync().ConfigureAwait(false);
        lock (_lock)
        {
            _failed = outcome.Why is null ? null : outcome;
            _failedAt = _time.GetTimestamp();
        }

        if (outcome.Why is null)
        {
            Interlocked.Exchange(ref _given, offered);
        }

        return outcome;
    }

    private async Task<SharedOutcome> TryAsync()
    {
        SharedIndex index = SharedIndex.Load(MirrorFolder);
        using CancellationTokenSource soon = new(_limit, _time);
        try
        {
            // What does not listen (a drive that hangs) is not waited for either.
            string[] left = await LookAsync(index, soon.Token).WaitAsync(_limit * 1.2, _time, CancellationToken.None).ConfigureAwait(false);
            return left.Length == 0 ? SharedOutcome.Whole : new SharedOutcome($"{Address}: {string.Join("; ", left)}.");
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            return new SharedOutcome($"{Address} has not answered within {_limit.TotalSeconds:0.#} s.");
        }
        catch (Exception e) when (e is SharedPlaceException or IOException or UnauthorizedAccessException or JsonException)
        {
            return new SharedOutcome(e.Message.StartsWith(Address, StringComparison.Ordinal) ? e.Message : $"{Address}: {e.Message}");
        }
    }

    private async Task<string[]> LookAsync(SharedIndex index, CancellationToken cancellation)
    {
        List<string> left = [];
        Task<IReadOnlyList<SharedEntry>>[] lists = [.. _shelves.Select(s => _place.ListAsync(s.Name, cancellation))];
        try
        {
            await Task.WhenAll(lists).ConfigureAwait(false);
            for (int i = 0; i < _shelves.Length; i++)
            {
                SharedShelf shelf = _shelves[i];
                shelf.Begin();
                IReadOnlyList<SharedEntry> entries = await lists[i].ConfigureAwait(false);
                IReadOnlyList<GivenDocument> given = shelf.Given();

                // First what is only here: what others gave is not lost meanwhile.
                await GiveAsync(shelf, given, entries, index, left, cancellation).ConfigureAwait(false);
                await TakeAsync(shelf, given, entries, index, left, cancellation).ConfigureAwait(false);
            }

            // What was taken in last may have closed a receipt of this machine, which is told the others.
            SharedShelf receipts = _shelves[0];
            await GiveAsync(
                receipts,
                receipts.Given(),
                await lists[0].ConfigureAwait(false),
                index,
                left,
                cancellation).ConfigureAwait(false);
        }
        finally
        {
            index.Save();
        }

        return [.. left];
    }

    private async Task TakeAsync(
        SharedShelf shelf,
        IReadOnlyList<GivenDocument> given,
        IReadOnlyList<SharedEntry> entries,
        SharedIndex index,
        List<string> left,
        CancellationToken cancellation)
    {
        HashSet<string> own = [.. given.Select(g => g.File)];
        SharedEntry[] news =
        [
            .. entries.Where(e => !index.WasTaken(e) && shelf.Takes(SharedNames.FileOf(e.Name), own.Contains(SharedNames.FileOf(e.Name))))
                .OrderByDescending(e => e.Modified)
                .Take(SharedNames.ListLimit),
        ];
        int tooLong = news.Count(e => e.Size > shelf.SizeLimit);
        if (tooLong > 0)
        {
            left.Add(
                $"{tooLong} documents in {shelf.Name} are longer than the {shelf.SizeLimit / 1024} KiB that are read, and were left alone");
        }

        foreach (SharedEntry[] some in news.Where(e => e.Size <= shelf.SizeLimit).Chunk(AtOnce))
        {
            SharedText?[] texts = await Task.WhenAll(some.Select(e => ReadAsync(shelf, e, cancellation))).ConfigureAwait(false);
            for (int i = 0; i < some.Length; i++)
            {
                if (texts[i] is not { } text)
                {
                    continue;
                }

                try
                {
                    shelf.Take(SharedNames.FileOf(some[i].Name), text.Text);
                }
                catch (CmekException)
                {
                    // No document of ours: it is not looked at again before it changes.
                }

                index.Took(some[i].Name, text.Version);
            }
        }
    }

    // One that cannot be read, or has grown too long since, is no reason to leave the others.
    private async Task<SharedText?> ReadAsync(SharedShelf shelf, SharedEntry entry, CancellationToken cancellation)
    {
        try
        {
            return await _place.ReadAsync(entry.Name, shelf.SizeLimit, cancellation).ConfigureAwait(false);
        }
        catch (SharedPlaceException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task GiveAsync(
        SharedShelf shelf,
        IReadOnlyList<GivenDocument> given,
        IReadOnlyList<SharedEntry> entries,
        SharedIndex index,
        List<string> left,
        CancellationToken cancellation)
    {
        Dictionary<string, SharedEntry> there = entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
        foreach (GivenDocument document in given)
        {
            string name = SharedNames.Of(shelf.Name, document.File);
            if (!index.WasGiven(name, document.Text, there.GetValueOrDefault(name))
                && !await GiveAsync(shelf, document, there.ContainsKey(name), index, cancellation).ConfigureAwait(false))
            {
                left.Add($"{name} is being written by others all the time");
            }
        }
    }

    private async Task<bool> GiveAsync(
        SharedShelf shelf,
        GivenDocument document,
        bool there,
        SharedIndex index,
        CancellationToken cancellation)
    {
        string name = SharedNames.Of(shelf.Name, document.File);
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            SharedText? theirs = there || attempt > 0 ? await TheirsAsync(shelf, name, cancellation).ConfigureAwait(false) : null;
            string? text = theirs is null
                ? document.Text
                : theirs.Text == document.Text
                ? null
                : shelf.Over(document.File, document.Text, theirs.Text);
            if (theirs is not null && text is null)
            {
                index.Gave(name, document.Text, theirs.Version);
                return true;
            }

            if (await _place.WriteAsync(name, text!, theirs?.Version, cancellation).ConfigureAwait(false) is { } version)
            {
                index.Gave(name, document.Text, version);
                if (text == document.Text)
                {
                    index.Took(name, version);
                }

                return true;
            }
        }

        return false;
    }

    // What is too long to be read is somebody's in our document's place: ours is written over it.
    private async Task<SharedText?> TheirsAsync(SharedShelf shelf, string name, CancellationToken cancellation)
    {
        try
        {
            return await _place.ReadAsync(name, shelf.SizeLimit, cancellation).ConfigureAwait(false);
        }
        catch (SharedPlaceException)
        {
            SharedEntry? entry = (
                await _place.ListAsync(shelf.Name, cancellation).ConfigureAwait(false)).FirstOrDefault(e => e.Name == name);
            if (entry is null || entry.Size <= shelf.SizeLimit)
            {
                throw;
            }

            return new SharedText(string.Empty, entry.Version);
        }
    }
}
