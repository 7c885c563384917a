namespace CmekTools.Engine.Pacing;

/// <summary>
/// The queue in front of a service: lets as many through as its quota takes, urgent ones first, the others in the order in which they
/// came.
/// </summary>
internal sealed class Pacer
{
    private readonly object _lock = new();
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly ITimer _timer;
    private readonly PacingWindow _window;
    private readonly LinkedList<Waiter> _urgent = new();
    private readonly LinkedList<Waiter> _normal = new();

    /// <summary>Makes a pacer.</summary>
    /// <param name="permits">Requests in a window, at least 1.</param>
    /// <param name="window">The window.</param>
    /// <param name="time">The clock.</param>
    public Pacer(int permits, TimeSpan window, TimeProvider? time = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(permits, 1);
        _window = new PacingWindow(permits, window);
        _time = time ?? TimeProvider.System;
        _start = _time.GetTimestamp();
        _timer = _time.CreateTimer(_ => Pump(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>The quota; may change while it is used.</summary>
    public int Permits
    {
        get
        {
            lock (_lock)
            {
                return _window.Permits;
            }
        }

        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            lock (_lock)
            {
                _window.Permits = value;
            }

            Pump();
        }
    }

    /// <summary>How many requests the service has refused for their rate.</summary>
    public int Refusals
    {
        get
        {
            lock (_lock)
            {
                return _window.Refusals;
            }
        }
    }

    private TimeSpan Now => _time.GetElapsedTime(_start);

    /// <summary>Waits for its turn.</summary>
    public async ValueTask<PacedCall> EnterAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        bool urgent = Urgency.Current;
        LinkedListNode<Waiter> node;
        lock (_lock)
        {
            bool first = _urgent.Count == 0 && (urgent || _normal.Count == 0);
            TimeSpan now = Now;
            if (first && _window.Wait(now, urgent) <= TimeSpan.Zero)
            {
                PacedCall call = new(this, now, TimeSpan.Zero);
                _window.Admit(call);
                return call;
            }

            node = (urgent ? _urgent : _normal).AddLast(new Waiter(now));
        }

        Pump();
        await using (cancellation.UnsafeRegister(_ => Leave(node, cancellation), null).ConfigureAwait(false))
        {
            return await node.Value.Turn.Task.ConfigureAwait(false);
        }
    }

    /// <summary>A request has ended.</summary>
    internal void End(PacedCall call, CallEnd end, TimeSpan? retryAfter)
    {
        lock (_lock)
        {
            _window.End(call, end, retryAfter, Now);
        }

        Pump();
    }

    private void Pump()
    {
        lock (_lock)
        {
            while (true)
            {
                bool urgent = _urgent.Count > 0;
                LinkedList<Waiter> queue = urgent ? _urgent : _normal;
                if (queue.First is not { } first)
                {
                    return;
                }

                TimeSpan now = Now;
                TimeSpan wait = _window.Wait(now, urgent);
                if (wait > TimeSpan.Zero)
                {
                    // A timer of less than a millisecond would not wait at all.
                    _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
                    return;
                }

                queue.RemoveFirst();
                PacedCall call = new(this, now, now - first.Value.Since);
                if (first.Value.Turn.TrySetResult(call))
                {
                    _window.Admit(call);
                }
            }
        }
    }

    private void Leave(LinkedListNode<Waiter> node, CancellationToken cancellation)
    {
        if (node.Value.Turn.TrySetCanceled(cancellation))
        {
            lock (_lock)
            {
                node.List?.Remove(node);
            }

            Pump();
        }
    }

    private sealed record Waiter(TimeSpan Since)
    {
        public TaskCompletionSource<PacedCall> Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
