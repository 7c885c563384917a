using System.Text.Json.Nodes;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>Settles, by what the service says now, the changes of a cluster's CMEK whose answer was lost.</summary>
internal static class StatusSettling
{
    /// <summary>Looks at a status that was just read. Where it does not tell, the change stays unsettled.</summary>
    public static async Task ByStatusAsync(CmekCluster cluster, CmekStatus status, Operation op)
    {
        foreach (CmekJournalEntry entry in op.Unsettled().Where(e => e.Target == cluster.ToString() && e.Kind is not null))
        {
            Fate fate = entry.Kind switch
            {
                "cmek:Revoke" => Walked(status, CmekState.ENABLED, CmekState.REVOKING, CmekState.REVOKED),
                "cmek:Enable" => Walked(status, CmekState.DISABLED, CmekState.ENABLING, CmekState.ENABLED),
                "cmek:Disable" => Walked(status, CmekState.ENABLED, CmekState.DISABLING, CmekState.DISABLED),
                "cmek:Update" => Moved(entry, status),
                _ => Fate.Untold,
            };
            if (fate == Fate.Made)
            {
                await op.SettleAsync(entry, "done", $"was made after all: the service says {status}").ConfigureAwait(false);
            }
            else if (fate == Fate.NotMade && op.IsOld(entry))
            {
                // One that was sent just now may still be on its way.
                await op.SettleAsync(entry, "not made", $"was not made: the service says {status}").ConfigureAwait(false);
            }
        }
    }

    private static Fate Walked(CmekStatus status, CmekState start, CmekState way, CmekState end) => status.Regions switch
    {
        { Count: 0 } => Fate.Untold,
        var regions when regions.All(r => r.State == end || r.State == way) => Fate.Made,
        var regions when regions.All(r => r.State == start) => Fate.NotMade,
        _ => Fate.Untold,
    };

    // Made where each region has the key that was sent; a wrap of the same key anew leaves nothing to be seen.
    private static Fate Moved(CmekJournalEntry entry, CmekStatus status)
    {
        Dictionary<string, string> wanted = Keys(entry.After);
        Dictionary<string, string> before = Keys(entry.Before);
        if (wanted.Count == 0 || wanted.Any(w => before.GetValueOrDefault(w.Key) == w.Value))
        {
            return Fate.Untold;
        }

        if (wanted.All(w => status.Regions.Any(r => r.Region == w.Key && r.Keys.Any(k => k.KeyUri == w.Value))))
        {
            return Fate.Made;
        }

        return wanted.All(
            w => status.Regions.Any(r => r.Region == w.Key && r.State == CmekState.ENABLED && r.Keys.All(k => k.KeyUri != w.Value)))
                ? Fate.NotMade
                : Fate.Untold;
    }

    // By region, the keys in a request's body.
    private static Dictionary<string, string> Keys(string? body)
    {
        Dictionary<string, string> keys = new(StringComparer.Ordinal);
        foreach (JsonObject spec in JournalledKeys.Regions(body))
        {
            if (JournalReader.Text(spec, "region") is { } region
                && JournalReader.Text(spec["key_spec"] as JsonObject ?? [], "uri") is { } uri)
            {
                keys[region] = uri;
            }
        }

        return keys;
    }
}
