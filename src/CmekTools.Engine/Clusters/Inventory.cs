using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// What was last seen of each cluster, a file each in the state folder, kept by every command that reads a status: the party that is to be cut off must not
/// decide what is known of its keys. A key stays in it when the service stops listing it.
/// </summary>
internal sealed class Inventory(string stateFolder, TimeProvider time)
{
    private const string Format = "cmektools/inventory";
    private const int SizeLimit = 4 * 1024 * 1024;

    /// <summary>An unchanged cluster is written down again after this time, so that its age is right to that.</summary>
    private static readonly TimeSpan s_fresh = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<string, InventoryEntry> _kept = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The folder.</summary>
    public string Folder { get; } = Path.Combine(stateFolder, "inventory");

    /// <summary>Takes in what the service has just said. It never fails: a disk that is full is no reason not to show a status.</summary>
    public void Keep(CmekOrganization organization, Uri server, CmekCluster cluster, CmekStatus status)
    {
        try
        {
            DateTimeOffset now = time.GetUtcNow();
            InventoryEntry? had = _kept.GetValueOrDefault(cluster.Id) ?? Find(cluster.Id);
            InventoryKey[] listed =
            [
                .. from region in status.Regions
                   from key in region.Keys
                   where key.KeyUri is not null
                   select new InventoryKey(region.Region, key.KeyUri!, key.AuthPrincipal, key.Place, now),
            ];
            if (listed.Length == 0 && had is null)
            {
                return;
            }

            IEnumerable<InventoryKey> gone = (had?.Keys ?? []).Where(k => !listed.Any(l => Same(l, k))).Select(k => k with { Place = CmekKeyPlace.Past });
            InventoryEntry entry = new()
            {
                Server = server.GetLeftPart(UriPartial.Authority),
                Organization = organization,
                Cluster = cluster,
                SeenAt = now,
                Keys = [.. listed, .. gone],
            };
            if (had is not null && now - had.SeenAt < s_fresh && Unchanged(had, entry))
            {
                return;
            }

            StateFiles.WriteWhole(PathOf(cluster.Id), ToText(entry));
            _kept[cluster.Id] = entry;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException or CmekException)
        {
            // What was seen is kept where it can be; a command that only reads does not fail for it.
        }
    }

    /// <summary>One cluster, or null.</summary>
    public InventoryEntry? Find(string clusterId) => Guid.TryParse(clusterId, out _) ? Read(PathOf(clusterId)) : null;

    /// <summary>Every cluster that was seen, the last seen first. A file that cannot be read is passed over.</summary>
    public IReadOnlyList<InventoryEntry> List()
    {
        try
        {
            return Directory.Exists(Folder)
                ? [.. Directory.GetFiles(Folder, "*.json").Select(Read).OfType<InventoryEntry>().OrderByDescending(e => e.SeenAt)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>How old a sighting is, in words.</summary>
    public string Age(DateTimeOffset seen)
    {
        TimeSpan age = time.GetUtcNow() - seen;
        string ago = age.TotalDays >= 2 ? $"{age.TotalDays:0} days" : age.TotalHours >= 2 ? $"{age.TotalHours:0} hours" : $"{Math.Max(0, age.TotalMinutes):0} minutes";
        return $"{ago} ago ({seen.UtcDateTime:yyyy-MM-dd HH:mm}Z)";
    }

    /// <summary>The keys for <see cref="ClusterKeys"/>.</summary>
    public static IEnumerable<KeyEntry> Entries(InventoryEntry? entry) =>
        (entry?.Keys ?? []).Select(k => new KeyEntry(k.Region, k.KeyUri, k.Principal, k.Place, KeySources.Inventory));

    private static bool Same(InventoryKey one, InventoryKey other) => one.Region == other.Region && one.KeyUri == other.KeyUri && one.Principal == other.Principal;

    private static bool Unchanged(InventoryEntry one, InventoryEntry other) =>
        one.Cluster.Name == other.Cluster.Name && one.Keys.Count == other.Keys.Count
        && one.Keys.All(k => other.Keys.Any(o => Same(k, o) && k.Place == o.Place));

    private string PathOf(string clusterId) => Path.Combine(Folder, clusterId.ToLowerInvariant() + ".json");

    private static InventoryEntry? Read(string path)
    {
        try
        {
            return File.Exists(path) ? Parse(SafeJson.ParseObject(StateFiles.ReadText(path, SizeLimit), SizeLimit)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or FormatException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    private static string ToText(InventoryEntry entry) => new JsonObject
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
            }),
        ]),
    }.ToJsonString() + "\n";

    private static InventoryEntry? Parse(JsonObject json)
    {
        if ((string?)json["format"] != Format || (int?)json["version"] != 1 || json["cluster"] is not JsonObject cluster || json["organization"] is not JsonObject organization)
        {
            return null;
        }

        string id = (string?)cluster["id"] ?? throw new FormatException("a cluster without an id");
        string organizationId = (string?)organization["id"] ?? throw new FormatException("an organization without an id");
        return new InventoryEntry
        {
            Server = (string?)json["server"] ?? string.Empty,
            SeenAt = Time(json["seen_at"]),
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
                    Time(k["seen_at"]))),
            ],
        };
    }

    private static string Text(DateTimeOffset at) => at.ToString("O", CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(JsonNode? node) => DateTimeOffset.Parse((string?)node ?? throw new FormatException("no time"), CultureInfo.InvariantCulture);
}
