using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Clusters;

/// <summary>Settles, by what the service says now, the changes of a cluster's CMEK whose answer was lost.</summary>
internal static class Settling
{
    /// <summary>Looks at a status that was just read. Where it does not tell, the change stays unsettled.</summary>
    public static async Task ByStatusAsync(CmekCluster cluster, CmekStatus status, Operation op)
    {
        foreach (CmekJournalEntry entry in op.Unsettled().Where(e => e.Target == cluster.ToString() && e.Kind is not null))
        {
            bool? made = entry.Kind switch
            {
                "cmek:Revoke" => Reached(status, CmekState.REVOKED, CmekState.REVOKING) ?? NotLeft(status, CmekState.ENABLED),
                "cmek:Enable" => Reached(status, CmekState.ENABLED, CmekState.ENABLING) ?? NotLeft(status, CmekState.DISABLED),
                "cmek:Disable" => Reached(status, CmekState.DISABLED, CmekState.DISABLING) ?? NotLeft(status, CmekState.ENABLED),
                "cmek:Update" => Moved(entry, status),
                _ => null,
            };
            if (made is { } known && (known || op.IsOld(entry)))
            {
                await op.SettleAsync(
                    entry,
                    known ? "done" : "not made",
                    known
                        ? $"was made after all: the service says {status}"
                        : $"was not made: the service says {status}").ConfigureAwait(false);
            }
        }
    }

    private static bool? Reached(CmekStatus status, CmekState end, CmekState way) =>
        status.Regions.Count > 0 && status.Regions.All(r => r.State == end || r.State == way) ? true : null;

    private static bool? NotLeft(CmekStatus status, CmekState start) =>
        status.Regions.Count > 0 && status.Regions.All(r => r.State == start) ? false : null;

    // True where each region has the key that was sent; a wrap of the same key anew leaves nothing to be seen.
    private static bool? Moved(CmekJournalEntry entry, CmekStatus status)
    {
        Dictionary<string, string> wanted = Keys(entry.After);
        Dictionary<string, string> before = Keys(entry.Before);
        if (wanted.Count == 0 || wanted.Any(w => before.GetValueOrDefault(w.Key) == w.Value))
        {
            return null;
        }

        return wanted.All(w => status.Regions.Any(r => r.Region == w.Key && r.Keys.Any(k => k.KeyUri == w.Value)))
            ? true
            : wanted.All(
                w => status.Regions.Any(r => r.Region == w.Key && r.State == CmekState.ENABLED && r.Keys.All(k => k.KeyUri != w.Value)))
                    ? false
                    : null;
    }

    private static Dictionary<string, string> Keys(string? json)
    {
        Dictionary<string, string> keys = new(StringComparer.Ordinal);
        try
        {
            foreach (
                JsonObject spec in ((json is null ? null : JsonNode.Parse(json)?["region_specs"]) as JsonArray ?? []).OfType<JsonObject>())
            {
                if ((string?)spec["region"] is { } region && (string?)spec["key_spec"]?["uri"] is { } uri)
                {
                    keys[region] = uri;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            keys.Clear();
        }

        return keys;
    }
}
