using System.Collections.Concurrent;

namespace CmekTools.Engine.State;

/// <summary>What this run, or an earlier revocation from this machine, has switched off: it was on before the revocation.</summary>
internal sealed class OwnSwitchOffs
{
    // By key or version, the run's id.
    private readonly ConcurrentDictionary<string, string> _runs = new(StringComparer.Ordinal);

    /// <summary>A run has switched a key or a version off.</summary>
    public void Note(string target, Operation op) => _runs[target] = op.RunId;

    /// <summary>The keys and versions that it has, or that the last word of this machine's journal is about.</summary>
    public IReadOnlySet<string> Read(Operation op) =>
        SwitchOffs.ByRevocation(op)
            .Concat(_runs.Where(r => r.Value == op.RunId).Select(r => r.Key))
            .ToHashSet(StringComparer.Ordinal);
}
