using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// The one answer to "which keys does this cluster have": put together from what the service lists, what receipts name and what our
/// tags mark. Every use case works from it, none from raw status.
/// </summary>
internal sealed class ClusterKeys
{
    private ClusterKeys(CmekCluster cluster, string organizationId, CmekStatus status, IReadOnlyList<ClusterKey> all)
    {
        Cluster = cluster;
        OrganizationId = organizationId;
        Status = status;
        All = all;
    }

    /// <summary>The cluster.</summary>
    public CmekCluster Cluster { get; }

    /// <summary>The organization's id.</summary>
    public string OrganizationId { get; }

    /// <summary>What the service said.</summary>
    public CmekStatus Status { get; }

    /// <summary>Every key: the ones in use first, then incoming, failed, past (newest first) and unused ones; regions in order.</summary>
    public IReadOnlyList<ClusterKey> All { get; }

    /// <summary>The keys that the cluster needs to run.</summary>
    public IEnumerable<ClusterKey> Needed => All.Where(k => k.Needed);

    /// <summary>The key in use in a region, or null.</summary>
    public ClusterKey? InUse(string region) => All.FirstOrDefault(k => k.Region == region && k.Place == CmekKeyPlace.InUse);

    /// <summary>
    /// The principals that the cluster acts as: those of the keys that it needs; in a region that needs none (DISABLED), the one that
    /// it acted as last. Every other principal that is known for the cluster is replaced.
    /// </summary>
    public IReadOnlyList<string> Acting =>
    [
        .. All.GroupBy(k => k.Region, StringComparer.Ordinal)
            .SelectMany(region => region.Any(k => k.Needed)
                ? region.Where(k => k.Needed)
                : region.Where(k => k.Principal is not null && k.Place != CmekKeyPlace.Unused).Take(1))
            .Select(k => k.Principal)
            .OfType<string>()
            .Distinct(StringComparer.Ordinal),
    ];

    /// <summary>
    /// True for a past key that the region has left behind: another one is in use, or was after it. Nothing goes back to it by itself,
    /// for it may have been left for a reason.
    /// </summary>
    public bool IsLeftBehind(ClusterKey key) =>
        key.Place is CmekKeyPlace.Past or CmekKeyPlace.Failed
        && All.Any(other => other.Region == key.Region && other != key
            && (
                other.Needed
                    || (
                        key.Place == CmekKeyPlace.Past && other.Place == CmekKeyPlace.Past
                            && other.RetiredAt > (key.RetiredAt ?? DateTimeOffset.MinValue))));

    /// <summary>Every principal that is known for any of its keys.</summary>
    public IReadOnlyList<string> Principals => [.. All.SelectMany(k => k.Principals).Distinct(StringComparer.Ordinal)];

    /// <summary>Every key with every principal that is known for it, those of the keys that the cluster needs first.</summary>
    public IReadOnlyList<AccessTarget> Targets(Operation op) =>
    [
        .. All.SelectMany(
            k => k.Principals.Select(
                p => new AccessTarget(Cluster, op.Session.Organization.Id, k.Region, k.KeyUri, p) { InUse = k.Needed && p == k.Principal }))
            .DistinctBy(t => (t.KeyUri, t.AuthPrincipal)),
    ];

    /// <summary>
    /// Is this one of the cluster's keys, under whatever name, and which? The strongest place where several regions have it.
    /// </summary>
    public ClusterKey? Find(KeyIdentity identity) =>
        // By its name too: where the project's number was read for the one and not for the other, only that is the same.
        All.FirstOrDefault(k => k.Identity.Material == identity.Material) ?? All.FirstOrDefault(k => k.Identity.Uri == identity.Uri);

    /// <summary>What is known without looking at the provider's keys: the service's list and the receipts.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="status">What the service says of it.</param>
    /// <param name="op">The run.</param>
    public static Task<ClusterKeys> ReadAsync(CmekCluster cluster, CmekStatus status, Operation op) => ReadAsync(cluster, status, [], op);

    /// <summary>The same, with keys from elsewhere: an inventory, or a search by tags.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="status">What the service says of it.</param>
    /// <param name="more">The others' entries.</param>
    /// <param name="op">The run.</param>
    public static Task<ClusterKeys> ReadAsync(CmekCluster cluster, CmekStatus status, IEnumerable<KeyEntry> more, Operation op) =>
        OfAsync(cluster, status, [.. Listed(status), .. Inventory.Entries(Seen(cluster, op)), .. FromReceipts(cluster, op), .. more], op);

    /// <summary>What is given, and nothing else.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="status">What the service says of it.</param>
    /// <param name="entries">Every entry.</param>
    /// <param name="op">The run.</param>
    public static async Task<ClusterKeys> OfAsync(CmekCluster cluster, CmekStatus status, IReadOnlyList<KeyEntry> entries, Operation op)
    {
        Dictionary<string, Task<KeyIdentity>> identities = [];
        foreach (string uri in entries.Select(e => e.KeyUri))
        {
            if (!identities.ContainsKey(uri))
            {
                identities[uri] = IdentifyAsync(cluster, uri, op);
            }
        }

        await Task.WhenAll(identities.Values).ConfigureAwait(false);
        List<ClusterKey> keys = [];
        foreach (
            IGrouping<(string Region, string Uri), KeyEntry> group in entries.GroupBy(e => (e.Region, identities[e.KeyUri].Result.Uri)))
        {
            keys.Add(Merge(identities[group.First().KeyUri].Result, [.. group]));
        }

        return new ClusterKeys(
            cluster,
            op.Session.Organization.Id,
            status,
            [
                .. keys.OrderByDescending(k => k.Place).ThenBy(k => k.Region, StringComparer.Ordinal).ThenByDescending(
                    k => k.RetiredAt ?? DateTimeOffset.MinValue),
            ]);
    }

    /// <summary>What the service lists.</summary>
    public static IEnumerable<KeyEntry> Listed(CmekStatus status) =>
        from region in status.Regions
        from key in region.Keys
        where key.KeyUri is not null
        select new KeyEntry(region.Region, key.KeyUri!, key.AuthPrincipal, key.Place, KeySources.Service)
        {
            State = key.State,
            RetiredAt = key.Place == CmekKeyPlace.Past ? key.UpdatedAt : null,
        };

    /// <summary>The cluster's receipts that are this user's own, newest first: what anybody may have written says nothing.</summary>
    public static IReadOnlyList<StoredReceipt> Receipts(CmekCluster cluster, Operation op) =>
    [
        .. op.Receipts()
            .Where(r => ReceiptTrust.Judge(r, cluster.Id, op.Session.Organization.Id).Standing == ReceiptStanding.Verified),
    ];

    private static IEnumerable<KeyEntry> FromReceipts(CmekCluster cluster, Operation op) => Receipts(cluster, op)
        .SelectMany(r => r.Document.Accesses)
        .Select(a => new KeyEntry(a.Region, a.KeyUri, a.AuthPrincipal, CmekKeyPlace.Past, KeySources.Receipt));

    // What another organization's session saw is none of this one's.
    private static InventoryEntry? Seen(CmekCluster cluster, Operation op) =>
        op.Session.Inventory.Find(cluster.Id) is { } entry && ReceiptTrust.MayBeOf(entry.Organization.Id, op.Session.Organization.Id)
            ? entry
            : null;

    private static ClusterKey Merge(KeyIdentity identity, IReadOnlyList<KeyEntry> entries)
    {
        // What the service says goes before what was known earlier; among its own entries the strongest place counts.
        KeyEntry best = entries.OrderByDescending(e => e.Source == KeySources.Service)
            .ThenByDescending(e => e.Place)
            .ThenByDescending(e => e.RetiredAt ?? DateTimeOffset.MinValue)
            .First();
        // A key that is given another principal is listed twice for a while: the one that comes is the one that counts.
        string? coming = best.Place == CmekKeyPlace.InUse
            ? entries.FirstOrDefault(e => e is { Source: KeySources.Service, Place: CmekKeyPlace.Incoming })?.Principal
            : null;
        string? principal = coming ?? best.Principal ?? entries.Select(e => e.Principal).FirstOrDefault(p => p is not null);
        return new ClusterKey
        {
            Region = best.Region,
            KeyUri = best.KeyUri,
            Identity = identity,
            Place = best.Place,
            Sources = entries.Aggregate(KeySources.None, (all, e) => all | e.Source),
            RetiredAt = best.Place == CmekKeyPlace.Past ? entries.Max(e => e.RetiredAt) : null,
            State = best.State,
            Principal = principal,
            Principals =
            [
                .. entries.Select(e => e.Principal).Prepend(best.Principal).Prepend(principal).OfType<string>()
                    .Distinct(StringComparer.Ordinal),
            ],
        };
    }

    // A name that cannot be looked up now stays what it is: nothing may keep a break-glass from the key that it names.
    private static async Task<KeyIdentity> IdentifyAsync(CmekCluster cluster, string uri, Operation op)
    {
        if (cluster.Provider is not (CmekProvider.AWS or CmekProvider.GCP))
        {
            return new KeyIdentity(uri, uri);
        }

        try
        {
            return await op.Session.GetProvider(cluster.Provider).IdentifyAsync(uri, op).ConfigureAwait(false);
        }
        catch (CmekException)
        {
            return new KeyIdentity(uri, uri);
        }
    }
}
