namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// Simulated time: it stands still while anything is being worked on, and jumps to the next timer when nothing is. Hours of waiting
/// take milliseconds. One at a time in a process: whether anything is being worked on is asked of the thread pool.
/// </summary>
internal sealed class JumpingClock : TimeProvider, IDisposable
{
    // So many looks, a millisecond apart, must show nothing going on. Where the threads can be looked at one is enough, and not where a
    // limit of a request may be next: what lies between two sockets is nobody's work.
    private const int QuietLooksBeforeFar = 40;
    private readonly int _quietLooks = ThreadStates.CanBeRead ? 1 : 3;
    private readonly ThreadStates _threads = new();

    private readonly object _lock = new();
    private readonly PriorityQueue<Timer, (long Due, long Order)> _timers = new();
    private readonly Thread _thread;
    private readonly DateTimeOffset _start;
    private volatile bool _stopped;
    private long _now;
    private long _order;
    private long _changes;

    public JumpingClock(DateTimeOffset start)
    {
        _start = start;
        _thread = new Thread(Run) { IsBackground = true, Name = "simulated clock" };
        _thread.Start();
    }

    /// <summary>Is anything being worked on that the thread pool does not show?</summary>
    public Func<bool> Busy { get; set; } = () => false;

    /// <summary>How far it has come.</summary>
    public TimeSpan Elapsed => TimeSpan.FromTicks(Interlocked.Read(ref _now));

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override long GetTimestamp() => Interlocked.Read(ref _now);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _start + Elapsed;

    /// <summary>Lets time pass with nobody waiting for it.</summary>
    public void Pass(TimeSpan time) => Interlocked.Add(ref _now, time.Ticks);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Timer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stopped = true;
        _thread.Join();
        _threads.Dispose();
    }

    private void Run()
    {
        long seen = -1;
        int quiet = 0;
        while (!_stopped)
        {
            Thread.Sleep(1);
            long done = ThreadPool.CompletedWorkItemCount + Interlocked.Read(ref _changes);
            if (done != seen || ThreadPool.PendingWorkItemCount > 0 || Busy())
            {
                seen = done;
                quiet = 0;
                continue;
            }

            quiet++;
            if (quiet >= LooksBeforeNext() && _threads.AllWait())
            {
                Jump(seen);
            }
        }
    }

    // How many looks the next timer wants; no number is enough where there is none.
    private int LooksBeforeNext()
    {
        lock (_lock)
        {
            while (_timers.TryPeek(out Timer? stale, out (long Due, long Order) at) && (stale.Order != at.Order || stale.Due < 0))
            {
                _timers.Dequeue();
            }

            return !_timers.TryPeek(out _, out (long Due, long Order) next) ? int.MaxValue
                : next.Due - _now > 30 * TimeSpan.TicksPerSecond ? QuietLooksBeforeFar
                : _quietLooks;
        }
    }

    private void Jump(long seen)
    {
        Timer next;
        lock (_lock)
        {
            // What came between the look at the threads and this is work.
            if (ThreadPool.CompletedWorkItemCount + _changes != seen
                || !_timers.TryDequeue(out Timer? first, out (long Due, long Order) due))
            {
                return;
            }

            next = first;
            Interlocked.Exchange(ref _now, Math.Max(_now, due.Due));
            _changes++;
            next.Fired();
        }

        ThreadPool.UnsafeQueueUserWorkItem(_ => next.Callback(next.State), null);
    }

    private void Set(Timer timer)
    {
        lock (_lock)
        {
            _changes++;
            timer.Order = ++_order;
            if (timer.Due >= 0)
            {
                _timers.Enqueue(timer, (timer.Due, timer.Order));
            }
        }
    }

    private sealed class Timer(JumpingClock clock, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        public TimerCallback Callback { get; } = callback;

        public object? State { get; } = state;

        public long Due { get; private set; } = -1;

        public long Order { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _period = period;
            Due = dueTime < TimeSpan.Zero ? -1 : clock.GetTimestamp() + dueTime.Ticks;
            clock.Set(this);
            return true;
        }

        // Under the clock's lock.
        public void Fired()
        {
            Due = _period > TimeSpan.Zero ? clock.GetTimestamp() + _period.Ticks : -1;
            if (Due >= 0)
            {
                clock.Set(this);
            }
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
