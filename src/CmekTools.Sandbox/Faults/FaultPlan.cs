using System.Collections.Concurrent;
using System.Text;

namespace CmekTools.Sandbox.Faults;

/// <summary>
/// Decides by rules and a seed which requests go wrong. The n-th request of one operation has the same fate in each run with the same
/// seed, whatever else is asked beside it.
/// </summary>
internal sealed class FaultPlan(int seed, IReadOnlyList<FaultRule> rules, TimeProvider clock)
{
    private readonly object _lock = new();
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);
    private readonly int[] _matches = new int[rules.Count];
    private readonly int[] _hits = new int[rules.Count];
    private readonly DateTimeOffset?[] _until = new DateTimeOffset?[rules.Count];
    private readonly ConcurrentDictionary<FaultKind, int> _counts = new();

    /// <summary>How often each kind has happened.</summary>
    public IReadOnlyDictionary<FaultKind, int> Counts => _counts;

    /// <summary>What happens to a request; null where nothing does.</summary>
    public Fault? Decide(SandboxRequest request)
    {
        lock (_lock)
        {
            string call = request.Service + ":" + request.Operation;
            int number = _calls[call] = _calls.GetValueOrDefault(call) + 1;
            Fault? chosen = null;
            for (int i = 0; i < rules.Count; i++)
            {
                // Each rule counts what it is about, also what an earlier rule has hit; the first that hits decides.
                if (rules[i].IsAbout(request) && Hits(i, call, number, chosen is null))
                {
                    FaultKind kind = rules[i].Kinds[(int)(Chance(i, call, number, "kind") % (uint)rules[i].Kinds.Count)];
                    chosen = kind == FaultKind.Locked && request.Service != "cloud"
                        ? null
                        : new Fault(kind, Chance(i, call, number, "form"));
                }
            }

            if (chosen is not null)
            {
                _counts.AddOrUpdate(chosen.Kind, 1, (_, n) => n + 1);
            }

            return chosen;
        }
    }

    private bool Hits(int rule, string call, int number, bool free)
    {
        FaultRule one = rules[rule];
        int match = ++_matches[rule];
        if (_until[rule] is { } until)
        {
            return free && clock.GetUtcNow() < until;
        }

        bool chosen = one.Nth > 0 ? match == one.Nth : Chance(rule, call, number, "hit") < one.Probability * (1L << 32);
        if (!free || !chosen || (one.Times > 0 && _hits[rule] >= one.Times))
        {
            return false;
        }

        _hits[rule]++;
        if (one.For > TimeSpan.Zero)
        {
            _until[rule] = clock.GetUtcNow() + one.For;
        }

        return true;
    }

    // FNV-1a with a mix at the end: the same on every machine, unlike string.GetHashCode.
    private uint Chance(int rule, string call, int number, string what)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in Encoding.UTF8.GetBytes($"{seed}/{rule}/{call}/{number}/{what}"))
        {
            hash = (hash ^ b) * 1099511628211;
        }

        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccd;
        hash ^= hash >> 33;
        return (uint)(hash >> 32);
    }
}

/// <summary>What happens to one request.</summary>
/// <param name="Kind">What.</param>
/// <param name="Form">Chooses among the forms that the kind has.</param>
internal sealed record Fault(FaultKind Kind, uint Form)
{
    /// <summary>True where the request takes effect all the same.</summary>
    public bool TakesEffect => Kind is FaultKind.ResetAfter or FaultKind.TimeoutAfter or FaultKind.ServerErrorAfter or FaultKind.CutShort
        or FaultKind.Empty or FaultKind.Twice or FaultKind.Slow;
}
