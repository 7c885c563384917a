using System.Collections.Concurrent;

namespace CmekTools.Module;

/// <summary>The sandboxes that this process serves, in the order in which they were started.</summary>
internal static class Sandboxes
{
    private static readonly ConcurrentDictionary<Uri, CmekSandbox> s_running = [];

    /// <summary>Those that run.</summary>
    public static IReadOnlyList<CmekSandbox> Running => [.. s_running.Values.OrderBy(s => s.StartedAt)];

    /// <summary>True where one runs here.</summary>
    public static bool InPlay => !s_running.IsEmpty;

    /// <summary>Remembers one that was started.</summary>
    public static void Add(CmekSandbox sandbox) => s_running[sandbox.BaseAddress] = sandbox;

    /// <summary>Forgets one that was stopped.</summary>
    public static void Remove(CmekSandbox sandbox) => s_running.TryRemove(sandbox.BaseAddress, out _);
}
