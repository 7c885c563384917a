namespace CmekTools.Engine.Pacing;

/// <summary>Marks what goes before everything else: the requests of a break-glass. It flows with the work, through every await.</summary>
internal static class Urgency
{
    private static readonly AsyncLocal<bool> s_current = new();

    /// <summary>True where the present work is urgent.</summary>
    public static bool Current => s_current.Value;

    /// <summary>Everything that is started from here until the end of the block is urgent.</summary>
    public static IDisposable Begin()
    {
        bool before = s_current.Value;
        s_current.Value = true;
        return new Block(before);
    }

    private sealed class Block(bool before) : IDisposable
    {
        public void Dispose() => s_current.Value = before;
    }
}
