using System.Collections.Concurrent;
using System.Text.Json;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// What was last seen of each cluster, a file each in the state folder, kept by every command that reads a status: the party that is to
/// be cut off must not decide what is known of its keys. A key stays in it when the service stops listing it. What others gave to a
/// shared place is read along with it.
/// </summary>
/// <param name="stateFolder">The state folder.</param>
/// <param name="time">What time it is.</param>
/// <param name="patience">How long it waits for another process that writes the same cluster down; null: a quarter of a second.</param>
internal sealed class Inventory(string stateFolder, TimeProvider time, TimeSpan? patience = null)
{
    /// <summary>The folder in a state folder, and in what was taken in of a shared place.</summary>
    public const string FolderName = "inventory";

    /// <summary>The folder of what was taken in of a shared place and this user did not seal.</summary>
    public const string UnprovenFolderName = "inventory-unproven";

    /// <summary>An unchanged cluster is written down again after this time, so that its age is right to that.</summary>
    private static readonly TimeSpan s_fresh = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<string, InventoryEntry> _kept = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The folder.</summary>
    public string Folder { get; } = Path.Combine(stateFolder, FolderName);

    /// <summary>Is told when something new was written down.</summary>
    public Action? Kept { get; set; }

    /// <summary>Takes in what the service has just said. It never fails: a disk that is full is no reason not to show a status.</summary>
    public void Keep(CmekOrganization organization, Uri server, CmekCluster cluster, CmekStatus status)
    {
        try
        {
            DateTimeOffset now = time.GetUtcNow();
            InventoryKey[] listed =
            [
                .. from region in status.Regions
                   from key in region.Keys
                   where key.KeyUri is not null
                   select new InventoryKey(region.Region, key.KeyUri!, key.AuthPrincipal, key.Place, now),
            ];
            InventoryEntry? kept = _kept.GetValueOrDefault(cluster.Id);
            if (IsKept(kept, Entry(kept)) || !Guid.TryParse(cluster.Id, out _))
            {
                return;
            }

            using FileStream? alone = Alone(cluster.Id);

            // Another process may have seen more than this one: what it wrote is looked at each time something is to be written.
            InventoryEntry? had = InventoryFile.Merge([Read(PathOf(cluster.Id)), kept]);
            InventoryEntry entry = Entry(had);
            if (entry.Keys.Count == 0 || IsKept(had, entry))
            {
                return;
            }

            StateFiles.WriteWhole(PathOf(cluster.Id), InventoryFile.ToText(entry));
            _kept[cluster.Id] = entry;
            Kept?.Invoke();

            InventoryEntry Entry(InventoryEntry? before) => new()
            {
                Server = server.GetLeftPart(UriPartial.Authority),
                Organization = organization,
                Cluster = cluster,
                SeenAt = now,
                Keys =
                [
                    .. listed,
                    .. (before?.Keys ?? []).Where(k => !listed.Any(l => l.IsSame(k))).Select(k => k with { Place = CmekKeyPlace.Past }),
                ],
                Proven = true,
            };

            bool IsKept(InventoryEntry? before, InventoryEntry entry) =>
                before is { Proven: true } && now - before.SeenAt < s_fresh && Unchanged(before, entry);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException or CmekException)
        {
            // What was seen is kept where it can be; a command that only reads does not fail for it.
        }
    }

    /// <summary>One cluster, or null.</summary>
    public InventoryEntry? Find(string clusterId) =>
        Guid.TryParse(clusterId, out _) ? InventoryFile.Merge(Folders().Select(f => Read(Path.Combine(f, FileOf(clusterId))))) : null;

    /// <summary>
    /// Every cluster that was seen, what this user sealed before what anybody may have written, the last seen first. A file that
    /// cannot be read is passed over.
    /// </summary>
    public IReadOnlyList<InventoryEntry> List()
    {
        try
        {
            return
            [
                .. Folders().Where(Directory.Exists)
                    .SelectMany(f => Directory.GetFiles(f, "*.json"))
                    .Select(Read)
                    .OfType<InventoryEntry>()
                    .GroupBy(e => e.Cluster.Id, StringComparer.OrdinalIgnoreCase)
                    .Select(g => InventoryFile.Merge(g)!)
                    .OrderByDescending(e => e.Proven)
                    .ThenByDescending(e => e.SeenAt),
            ];
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
        string ago = age.TotalDays >= 2
            ? $"{age.TotalDays:0} days"
            : age.TotalHours >= 2
            ? $"{age.TotalHours:0} hours"
            : $"{Math.Max(0, age.TotalMinutes):0} minutes";
        return $"{ago} ago ({seen.UtcDateTime:yyyy-MM-dd HH:mm}Z)";
    }

    /// <summary>The keys for <see cref="ClusterKeys"/> that this user's CmekTools has seen.</summary>
    public static IEnumerable<KeyEntry> Entries(InventoryEntry? entry) => Entries(entry, proven: true);

    /// <summary>
    /// The keys that anybody may have written: good for cutting access off, which a restore undoes; for nothing that gives any, and for
    /// nothing that cannot be undone.
    /// </summary>
    public static IEnumerable<KeyEntry> Unproven(InventoryEntry? entry) => Entries(entry, proven: false);

    private static IEnumerable<KeyEntry> Entries(InventoryEntry? entry, bool proven) =>
        (entry?.Keys ?? []).Where(k => k.Proven == proven).Select(
            k => new KeyEntry(k.Region, k.KeyUri, k.Principal, k.Place, proven ? KeySources.Inventory : KeySources.None));

    // Two that write one cluster down at once would each leave out what the other has just seen. Whoever waits for that is a command
    // that has something else to do: where the lock is not to be had it writes all the same.
    private FileStream? Alone(string clusterId)
    {
        try
        {
            StateFiles.EnsureFolder(Folder);
            return FileLock.Hold(Path.Combine(Folder, clusterId.ToLowerInvariant() + ".lock"), patience ?? s_patience);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Unchanged(InventoryEntry one, InventoryEntry other) =>
        one.Cluster.Name == other.Cluster.Name && one.Keys.Count == other.Keys.Count
        && one.Keys.All(k => other.Keys.Any(o => k.IsSame(o) && k.Place == o.Place));

    private static string FileOf(string clusterId) => clusterId.ToLowerInvariant() + ".json";

    private string PathOf(string clusterId) => Path.Combine(Folder, FileOf(clusterId));

    private IEnumerable<string> Folders() =>
        [Folder, .. SharedMirror.FoldersOf(stateFolder, FolderName), .. SharedMirror.FoldersOf(stateFolder, UnprovenFolderName)];

    private static InventoryEntry? Read(string path)
    {
        try
        {
            return File.Exists(path)
                ? InventoryFile.Read(Path.GetFileName(path), StateFiles.ReadText(path, InventoryFile.SizeLimit))
                : null;
        }
        catch (Exception e) when (
            e is IOException or UnauthorizedAccessException or JsonException or FormatException or InvalidOperationException
                or ArgumentException)
        {
            return null;
        }
    }
}
