namespace CmekTools.Engine;

/// <summary>
/// Reads a thing once, however many ask for it side by side. A read that failed or was cancelled is made again by the next who asks.
/// </summary>
internal sealed class ReadOnce<T>
{
    private readonly Dictionary<string, Task<T>> _reads = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The thing of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="read">Reads it.</param>
    /// <param name="cancellation">Ends the asker's wait.</param>
    public async Task<T> GetAsync(string name, Func<Task<T>> read, CancellationToken cancellation)
    {
        while (true)
        {
            Task<T>? found;
            bool own = false;
            lock (_reads)
            {
                if (!_reads.TryGetValue(name, out found) || found.IsFaulted || found.IsCanceled)
                {
                    found = read();
                    _reads[name] = found;
                    own = true;
                }
            }

            try
            {
                return await found.WaitAsync(cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!own && !cancellation.IsCancellationRequested)
            {
                // It was another record's read, and that record was stopped: this one reads for itself.
            }
        }
    }
}
