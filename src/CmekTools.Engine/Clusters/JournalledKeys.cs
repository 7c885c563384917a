using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>A cluster by what this machine's journal says that it was switched to.</summary>
/// <param name="Cluster">The cluster, as far as the journal knows it.</param>
/// <param name="Keys">Every key that it was given or had before a change.</param>
internal sealed record JournalledCluster(CmekCluster Cluster, IReadOnlyList<KeyEntry> Keys);

/// <summary>
/// The last that a break-glass goes by where neither the service nor inventory and receipts know a cluster. The journal carries no seal:
/// what it says is good for cutting access off, and gives nobody any.
/// </summary>
internal static class JournalledKeys
{
    /// <summary>The clusters of the journal with the keys of each. None where the journal cannot be read.</summary>
    public static IReadOnlyList<JournalledCluster> Read(Operation op)
    {
        try
        {
            return [.. JournalReader.Read(op.Session.Journal.FilePath)
                .Where(e => e is { ClusterId: not null, Kind: "cmek:Enable" or "cmek:Update" or "cluster:Update" })
                .GroupBy(e => e.ClusterId!, StringComparer.OrdinalIgnoreCase)
                .Select(Of)
                .OfType<JournalledCluster>()];
        }
        catch (CmekException)
        {
            return [];
        }
    }

    private static JournalledCluster? Of(IGrouping<string, CmekJournalEntry> entries)
    {
        List<KeyEntry> keys = [];
        CmekProvider? provider = null;
        foreach (JsonObject region in entries.SelectMany(e => Regions(e.Before).Concat(Regions(e.After))))
        {
            CmekProvider? cloud = JournalReader.Text(region["key_spec"] as JsonObject ?? [], "type") switch
            {
                "AWS_KMS" => CmekProvider.AWS,
                "GCP_CLOUD_KMS" => CmekProvider.GCP,
                _ => null,
            };
            if (cloud is not null
                && JournalReader.Text(region, "region") is { } name
                && JournalReader.Text((JsonObject)region["key_spec"]!, "uri") is { Length: > 0 } uri)
            {
                provider = cloud;
                string? principal = JournalReader.Text((JsonObject)region["key_spec"]!, "auth_principal");
                keys.Add(new KeyEntry(name, uri, principal, CmekKeyPlace.InUse, KeySources.None));
            }
        }

        return provider is null ? null : new JournalledCluster(
            new CmekCluster
            {
                Id = entries.Key,
                Name = entries.Last().ClusterName ?? entries.Key,
                Provider = provider.Value,
                Plan = "UNKNOWN",
                State = "UNKNOWN",
                AccountId = AccessTarget.UnknownAccount,
                Regions = [.. keys.Select(k => k.Region).Distinct().Select(r => new CmekRegion { Name = r })],
            },
            [.. keys.Distinct()]);
    }

    /// <summary>
    /// The regions in a request's body: a change of keys has them in region_specs, an added region in cmek_region_specs. None where it
    /// has not the form of one.
    /// </summary>
    public static IEnumerable<JsonObject> Regions(string? body)
    {
        try
        {
            JsonObject? json = body is null ? null : SafeJson.ParseObject(body, 4 * 1024 * 1024);
            JsonNode? specs = json?["region_specs"] ?? (json?["dedicated"] as JsonObject)?["cmek_region_specs"];
            return (specs as JsonArray ?? []).OfType<JsonObject>();
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
