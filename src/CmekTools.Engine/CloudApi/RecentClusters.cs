namespace CmekTools.Engine.CloudApi;

/// <summary>
/// The clusters that a session has just read, so that what was listed a moment ago is not read again by the next command of the pipeline.
/// It keeps the last <see cref="Capacity"/> and gives none that is older than the asker allows; a change of a cluster makes it forgotten.
/// </summary>
internal sealed class RecentClusters(TimeProvider time)
{
    /// <summary>How many are kept.</summary>
    public const int Capacity = 1024;

    private readonly object _lock = new();
    private readonly Dictionary<string, Reading> _readings = new(StringComparer.OrdinalIgnoreCase);
    private readonly Queue<Reading> _order = new();

    /// <summary>How long plan, regions and account of a cluster are taken for what was read: none of them changes by itself.</summary>
    public static TimeSpan Lasting { get; } = TimeSpan.FromSeconds(60);

    /// <summary>How long its state is.</summary>
    public static TimeSpan Momentary { get; } = TimeSpan.FromSeconds(10);

    /// <summary>Takes a cluster in that was read just now.</summary>
    public void Add(CmekCluster cluster)
    {
        Reading reading = new(cluster, time.GetTimestamp());
        lock (_lock)
        {
            _readings[cluster.Id] = reading;
            _order.Enqueue(reading);
            while (_order.Count > Capacity)
            {
                Reading oldest = _order.Dequeue();
                if (_readings.TryGetValue(oldest.Cluster.Id, out Reading? known) && ReferenceEquals(known, oldest))
                {
                    _readings.Remove(oldest.Cluster.Id);
                }
            }
        }
    }

    /// <summary>A cluster that was read within a time, or null.</summary>
    public CmekCluster? Find(string id, TimeSpan within)
    {
        lock (_lock)
        {
            return _readings.TryGetValue(id, out Reading? reading) && time.GetElapsedTime(reading.At) <= within ? reading.Cluster : null;
        }
    }

    /// <summary>What was read is no longer so.</summary>
    public void Forget(string id)
    {
        lock (_lock)
        {
            _readings.Remove(id);
        }
    }

    private sealed record Reading(CmekCluster Cluster, long At);
}
