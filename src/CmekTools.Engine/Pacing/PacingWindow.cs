namespace CmekTools.Engine.Pacing;

/// <summary>
/// What a service's quota lets through at a moment: so many requests in a sliding window. Times are counted from any one moment; it has no
/// clock and no lock of its own.
/// </summary>
/// <remarks>
/// A service counts a request at some moment between its sending and its answer. An answer that took longer than the quickest ones may have
/// been counted that much later (a new connection, a busy network), so its place in the window is kept that much longer. After a refusal
/// everybody waits as long as the service says, and the quota is taken for smaller for a while: others may be using it too.
/// </remarks>
internal sealed class PacingWindow(int permits, TimeSpan window)
{
    // Clocks and timers are not exact to the millisecond.
    private static readonly TimeSpan s_margin = TimeSpan.FromMilliseconds(8);

    // The longest that a slow answer keeps its place beyond the window: most slowness is the service's work, not the way to it.
    private static readonly TimeSpan s_longestDoubt = TimeSpan.FromMilliseconds(500);

    // The longest that a service's word is obeyed without asking it again.
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(60);

    private readonly List<PacedCall> _calls = [];
    private readonly QuickestAnswer _quickest = new();
    private TimeSpan _pausedUntil = TimeSpan.MinValue;
    private TimeSpan _lastSent = TimeSpan.MinValue;
    private TimeSpan _smallerSince;
    private int _permits = permits;
    private int _allowed = permits;

    /// <summary>The quota; a new one is believed at once.</summary>
    public int Permits
    {
        get => _permits;
        set => _permits = _allowed = value;
    }

    /// <summary>How many requests the service has refused for their rate.</summary>
    public int Refusals { get; private set; }

    /// <summary>How long the next request has to wait; zero where it may go.</summary>
    public TimeSpan Wait(TimeSpan now, bool urgent)
    {
        if (now < _pausedUntil)
        {
            return _pausedUntil - now;
        }

        _calls.RemoveAll(c => Leaves(c, now) <= now);
        int allowed = Allowed(now);
        if (_calls.Count >= allowed)
        {
            TimeSpan[] leaving = [.. _calls.Select(c => Leaves(c, now)).Order()];
            return leaving[_calls.Count - allowed] - now;
        }

        // Half of a quota may go at once; the rest is spread, so that an urgent request never meets a window that was used up at one
        // stroke.
        TimeSpan next = urgent || _calls.Count < (allowed + 1) / 2 ? now : _lastSent + (window / allowed * 0.9);
        return next > now ? next - now : TimeSpan.Zero;
    }

    /// <summary>A request goes.</summary>
    public void Admit(PacedCall call)
    {
        _calls.Add(call);
        _lastSent = call.Sent;
    }

    /// <summary>A request has ended.</summary>
    public void End(PacedCall call, CallEnd end, TimeSpan? retryAfter, TimeSpan now)
    {
        call.Answered = now;
        switch (end)
        {
            case CallEnd.Served:
                _quickest.Add(now - call.Sent);
                break;
            case CallEnd.Refused:
                Refusals++;
                Slow(now, retryAfter ?? window / 2);
                break;
            default:
                break;
        }
    }

    // One overload refuses many that were on their way: it counts once.
    private void Slow(TimeSpan now, TimeSpan pause)
    {
        if (now >= _pausedUntil)
        {
            _allowed = Math.Max(1, Allowed(now) * 7 / 10);
            _smallerSince = now;
        }

        TimeSpan until = now + (pause < s_longestPause ? pause : s_longestPause);
        _pausedUntil = until > _pausedUntil ? until : _pausedUntil;
    }

    // A quota that was found smaller is tried anew bit by bit: one more every five windows.
    private int Allowed(TimeSpan now) =>
        _allowed >= _permits ? _permits : (int)Math.Min(_permits, _allowed + ((now - _smallerSince) / window / 5));

    // When a request is no longer in the service's window.
    private TimeSpan Leaves(PacedCall call, TimeSpan now)
    {
        TimeSpan taken = (call.Answered ?? now) - call.Sent;
        TimeSpan doubt = taken - (_quickest.Value ?? taken);
        doubt = doubt < TimeSpan.Zero ? TimeSpan.Zero : doubt > s_longestDoubt ? s_longestDoubt : doubt;
        return call.Sent + window + doubt + s_margin;
    }
}
