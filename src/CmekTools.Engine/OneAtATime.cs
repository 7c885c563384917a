namespace CmekTools.Engine;

/// <summary>
/// Lets one at a time at each thing of a name; who comes later waits. Nothing is kept of a name that nobody holds or waits for.
/// </summary>
internal sealed class OneAtATime
{
    private readonly Dictionary<string, Gate> _gates = new(StringComparer.Ordinal);

    /// <summary>Waits until the thing is free, and holds it until the answer is disposed of.</summary>
    public async Task<IDisposable> HoldAsync(string name, CancellationToken cancellation)
    {
        Gate gate;
        lock (_gates)
        {
            if (!_gates.TryGetValue(name, out gate!))
            {
                _gates[name] = gate = new Gate();
            }

            gate.Users++;
        }

        try
        {
            await gate.Semaphore.WaitAsync(cancellation).ConfigureAwait(false);
        }
        catch
        {
            Leave(name, gate);
            throw;
        }

        return new Hold(() =>
        {
            gate.Semaphore.Release();
            Leave(name, gate);
        });
    }

    private void Leave(string name, Gate gate)
    {
        lock (_gates)
        {
            if (--gate.Users == 0)
            {
                _gates.Remove(name);
                gate.Semaphore.Dispose();
            }
        }
    }

    private sealed class Gate
    {
        public SemaphoreSlim Semaphore { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Hold(Action release) : IDisposable
    {
        private Action? _release = release;

        public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
    }
}
