namespace CmekTools.Engine.Pacing;

/// <summary>The quickest of the last answers; old ones are forgotten, so that a network that has become slower is seen.</summary>
internal sealed class QuickestAnswer
{
    private const int Bucket = 64;

    private TimeSpan? _before;
    private TimeSpan? _now;
    private int _count;

    /// <summary>The quickest, or null where there was none.</summary>
    public TimeSpan? Value => _before is { } before && (_now is not { } now || before < now) ? before : _now;

    /// <summary>Takes an answer in.</summary>
    public void Add(TimeSpan taken)
    {
        if (_count == Bucket)
        {
            _before = _now;
            _now = null;
            _count = 0;
        }

        _count++;
        _now = _now is { } quickest && quickest < taken ? quickest : taken;
    }
}
