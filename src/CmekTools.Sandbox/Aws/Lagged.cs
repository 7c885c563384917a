namespace CmekTools.Sandbox.Aws;

/// <summary>A value whose change is seen at once by reads, and by authorization only when it has spread.</summary>
internal sealed class Lagged<T>(T first)
{
    private readonly List<(T Value, DateTimeOffset Since)> _versions = [(first, DateTimeOffset.MinValue)];

    /// <summary>What reads show.</summary>
    public T Current => _versions[^1].Value;

    /// <summary>Puts a new value in place.</summary>
    public void Set(T value, DateTimeOffset now) => _versions.Add((value, now));

    /// <summary>What authorization goes by. The first value never has to spread: what it belongs to is as new as itself.</summary>
    public T Effective(DateTimeOffset now, TimeSpan lag)
    {
        int index = _versions.Count - 1;
        while (index > 0 && now - _versions[index].Since < lag)
        {
            index--;
        }

        return _versions[index].Value;
    }
}
