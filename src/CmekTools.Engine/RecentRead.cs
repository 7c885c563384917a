namespace CmekTools.Engine;

/// <summary>
/// One reading for all who ask side by side and shortly after it; who asks later has it read anew. A reading that failed is nobody
/// else's.
/// </summary>
internal sealed class RecentRead<T>
{
    private readonly object _lock = new();
    private Task<T>? _read;
    private DateTimeOffset? _endedAt;

    /// <summary>The reading.</summary>
    /// <param name="lasting">How long after its end it counts.</param>
    /// <param name="time">The clock.</param>
    /// <param name="read">Reads.</param>
    /// <param name="cancellation">Ends the asker's wait.</param>
    public Task<T> GetAsync(TimeSpan lasting, TimeProvider time, Func<Task<T>> read, CancellationToken cancellation)
    {
        lock (_lock)
        {
            bool counts = _read switch
            {
                null => false,
                { IsCompleted: false } => true,
                { IsCompletedSuccessfully: true } => _endedAt is { } ended && time.GetUtcNow() - ended <= lasting,
                _ => false,
            };
            if (!counts)
            {
                _endedAt = null;
                _read = ReadAsync(time, read);
            }

            return _read!.WaitAsync(cancellation);
        }
    }

    private async Task<T> ReadAsync(TimeProvider time, Func<Task<T>> read)
    {
        await Task.Yield();
        T seen = await read().ConfigureAwait(false);
        lock (_lock)
        {
            _endedAt = time.GetUtcNow();
        }

        return seen;
    }
}
