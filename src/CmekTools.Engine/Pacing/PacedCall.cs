namespace CmekTools.Engine.Pacing;

/// <summary>
/// A request that was let through. Whoever was let through says how it ended; disposing without a word means that no answer came.
/// </summary>
/// <param name="pacer">Who let it through; null for a window on its own.</param>
/// <param name="sent">When, in the pacer's time.</param>
/// <param name="waited">How long it stood in the queue.</param>
internal sealed class PacedCall(Pacer? pacer, TimeSpan sent, TimeSpan waited) : IDisposable
{
    private bool _ended;

    /// <summary>How long it stood in the queue.</summary>
    public TimeSpan Waited { get; } = waited;

    /// <summary>When it was let through.</summary>
    public TimeSpan Sent { get; } = sent;

    /// <summary>When its answer came; null while there is none.</summary>
    public TimeSpan? Answered { get; set; }

    /// <summary>The service has answered.</summary>
    public void Served() => End(CallEnd.Served, null);

    /// <summary>The service has refused it for its rate.</summary>
    /// <param name="retryAfter">How long the service wants to be left alone, or null.</param>
    public void Refused(TimeSpan? retryAfter) => End(CallEnd.Refused, retryAfter);

    /// <inheritdoc/>
    public void Dispose() => End(CallEnd.Lost, null);

    private void End(CallEnd end, TimeSpan? retryAfter)
    {
        if (!_ended)
        {
            _ended = true;
            pacer?.End(this, end, retryAfter);
        }
    }
}
