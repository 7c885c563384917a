using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// An inventory's file: JSON, sealed by who wrote it. Version 1 had no seal in earlier versions of CmekTools, and is read as what
/// anybody may have written.
/// </summary>
internal static class InventoryFile
{
    /// <summary>The most bytes of one.</summary>
    public const int SizeLimit = 4 * 1024 * 1024;

    private const string Format = "cmektools/inventory";

    // Whoever may write into a shared place must not make the file of the others too long to be read.
    private const int UnprovenLimit = 500;
    private const int TextLimit = 1024;

    /// <summary>
    /// Puts together what several wrote of one cluster: no key is left out. The latest that this user sealed says where each key is
    /// now.
    /// </summary>
    public static InventoryEntry? Merge(IEnumerable<InventoryEntry?> entries)
    {
        InventoryEntry[] all = [.. entries.OfType<InventoryEntry>().OrderByDescending(e => e.Proven).ThenByDescending(e => e.SeenAt)];
        if (all.Length < 2)
        {
            return all.FirstOrDefault();
        }

        List<InventoryKey> keys = [.. all[0].Keys];
        foreach (InventoryKey key in all.Skip(1).SelectMany(e => e.Keys))
        {
            int at = keys.FindIndex(key.IsSame);
            if (at < 0)
            {
                keys.Add(all[0].Proven ? key with { Place = CmekKeyPlace.Past } : key);
            }
            else if (key.Proven && !keys[at].Proven)
            {
                keys[at] = keys[at] with { Proven = true, SeenAt = key.SeenAt };
            }
        }

        return all[0] with { Keys = [.. keys.Where(k => k.Proven), .. keys.Where(k => !k.Proven).Take(UnprovenLimit)] };
    }

    /// <summary>Reads one.</summary>
    /// <param name="file">The file's name, which is the cluster's id: what it says of another cluster counts for nothing.</param>
    /// <param name="text">The file.</param>
    /// <returns>Null where it is none.</returns>
    /// <exception cref="Exception">It is not JSON, or not of this form.</exception>
    public static InventoryEntry? Read(string file, string text)
    {
        JsonObject json = SafeJson.ParseObject(text, SizeLimit);
        return Parse(json, Seal.Own.Check(json, Format) == CmekSealState.Verified) is { } entry
            && string.Equals(entry.Cluster.Id + ".json", file, StringComparison.OrdinalIgnoreCase) && Guid.TryParse(entry.Cluster.Id, out _)
                ? entry
                : null;
    }

    /// <summary>The file's text, sealed where this user has a secret.</summary>
    public static string ToText(InventoryEntry entry)
    {
        JsonObject json = ToJson(entry);
        Seal.Own.TryAdd(json, Format);
        return json.ToJsonString() + "\n";
    }

    private static JsonObject ToJson(InventoryEntry entry) => new()
    {
        ["format"] = Format,
        ["version"] = 1,
        ["seen_at"] = Text(entry.SeenAt),
        ["server"] = entry.Server,
        ["organization"] = new JsonObject { ["id"] = entry.Organization.Id, ["name"] = entry.Organization.Name },
        ["cluster"] = new JsonObject
        {
            ["id"] = entry.Cluster.Id,
            ["name"] = entry.Cluster.Name,
            ["provider"] = entry.Cluster.Provider.ToString(),
            ["plan"] = entry.Cluster.Plan,
            ["state"] = entry.Cluster.State,
            ["account_id"] = entry.Cluster.AccountId,
            ["regions"] = new JsonArray([.. entry.Cluster.Regions.Select(r => (JsonNode)r.Name)]),
        },
        ["keys"] = new JsonArray(
        [
            .. entry.Keys.Select(k => (JsonNode)new JsonObject
            {
                ["region"] = k.Region,
                ["key_uri"] = k.KeyUri,
                ["auth_principal"] = k.Principal,
                ["place"] = k.Place.ToString(),
                ["seen_at"] = Text(k.SeenAt),
                ["proven"] = k.Proven,
            }),
        ]),
    };

    private static InventoryEntry? Parse(JsonObject json, bool isSealed)
    {
        if ((string?)json["format"] != Format
            || (int?)json["version"] != 1
            || json["cluster"] is not JsonObject cluster
            || json["organization"] is not JsonObject organization)
        {
            return null;
        }

        string id = (string?)cluster["id"] ?? throw new FormatException("a cluster without an id");
        string organizationId = (string?)organization["id"] ?? throw new FormatException("an organization without an id");
        return new InventoryEntry
        {
            Server = (string?)json["server"] ?? string.Empty,
            SeenAt = Time(json["seen_at"]),
            Proven = isSealed,
            Organization = new CmekOrganization { Id = organizationId, Name = (string?)organization["name"] ?? organizationId },
            Cluster = new CmekCluster
            {
                Id = id,
                Name = (string?)cluster["name"] ?? id,
                Provider = Enum.Parse<CmekProvider>((string?)cluster["provider"] ?? nameof(CmekProvider.UNKNOWN)),
                Plan = (string?)cluster["plan"] ?? "UNKNOWN",
                State = (string?)cluster["state"] ?? "UNKNOWN",
                AccountId = (string?)cluster["account_id"],
                Regions = [.. (cluster["regions"] as JsonArray ?? []).Select(r => new CmekRegion { Name = (string?)r ?? string.Empty })],
            },
            Keys =
            [
                .. (json["keys"] as JsonArray ?? []).OfType<JsonObject>().Select(k => new InventoryKey(
                    (string?)k["region"] ?? string.Empty,
                    (string?)k["key_uri"] ?? throw new FormatException("a key without a URI"),
                    (string?)k["auth_principal"],
                    Enum.Parse<CmekKeyPlace>((string?)k["place"] ?? nameof(CmekKeyPlace.Unknown)),
                    Time(k["seen_at"]))
                {
                    Proven = isSealed && ((bool?)k["proven"] ?? true),
                }).Where(k => k.Proven || (k.Region.Length + k.KeyUri.Length + (k.Principal?.Length ?? 0)) <= TextLimit),
            ],
        };
    }

    private static string Text(DateTimeOffset at) => at.ToString("O", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(JsonNode? node) =>
        DateTimeOffset.Parse((string?)node ?? throw new FormatException("no time"), CultureInfo.InvariantCulture);
}
