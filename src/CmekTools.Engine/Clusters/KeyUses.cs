using CmekTools.Engine.Access;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// The blast radius of keys: everybody who is hit when one is cut off or deleted, as far as can be seen, and what could not be seen.
/// </summary>
internal static class KeyUses
{
    /// <summary>
    /// How long who uses a key is taken for what was seen: what is asked of a person in between may be answered much later.
    /// </summary>
    public static TimeSpan Lasting { get; } = TimeSpan.FromSeconds(60);

    /// <summary>Reads who uses keys. Each cluster is read once for all of them, and for the other records of the run.</summary>
    /// <param name="keyUris">The keys.</param>
    /// <param name="except">The id of a cluster that does not count, or null.</param>
    /// <param name="gone">Ids of clusters that the caller vouches are gone: their marks keep nothing.</param>
    /// <param name="op">The run.</param>
    /// <returns>Rows by key, in the given spelling.</returns>
    public static async Task<ILookup<string, CmekKeyUse>> ReadAsync(
        IReadOnlyCollection<string> keyUris,
        string? except,
        IReadOnlyCollection<string> gone,
        Operation op)
    {
        IReadOnlyList<SeenCluster> fleet = await FleetAsync(op).ConfigureAwait(false);
        CmekKeyUse[][] rows = await Task.WhenAll(
            keyUris.Distinct(StringComparer.Ordinal).Select(k => OfKeyAsync(k, fleet, except, gone, op))).ConfigureAwait(false);
        return rows.SelectMany(r => r).ToLookup(r => r.KeyUri, StringComparer.Ordinal);
    }

    /// <summary>Every cluster that this API key sees, with its status; read once for a run.</summary>
    /// <exception cref="CmekException">The clusters could not be listed.</exception>
    public static Task<IReadOnlyList<SeenCluster>> FleetAsync(Operation op) => op.FleetAsync(() => ReadFleetAsync(op));

    /// <summary>The error for a key that somebody uses, or may use.</summary>
    public static CmekException InUse(string keyUri, IEnumerable<CmekKeyUse> uses)
    {
        CmekKeyUse[] keeping = [.. uses.Where(u => u.KeepsKey)];
        bool unread = keeping.All(u => u.Kind is CmekKeyUseKind.Unread or CmekKeyUseKind.Mark);
        return new CmekException(
            "KeyInUse",
            CmekErrorKind.InvalidOperation,
            $"{keyUri} {(unread ? "may be in use" : "is in use")} by {string.Join("; ", keeping.Select(u => u.ToString()))}: without it "
                + "their data or backups cannot be read. It was not touched.",
            unread
                ? "Run this with an API key and credentials that may read all of it. For a cluster that is gone for good, name its id "
                    + "with -GoneClusterId. Get-CmekKeyUse shows every use."
                : "Move the clusters to other keys and keep this one for as long as they list it. To make data unreadable on purpose: "
                    + "Revoke-CmekAccess -Permanent. Get-CmekKeyUse shows every use.",
            keyUri);
    }

    private static async Task<IReadOnlyList<SeenCluster>> ReadFleetAsync(Operation op)
    {
        List<Task<SeenCluster>> reads = [];
        using SemaphoreSlim gate = new(8);
        await foreach (CmekCluster cluster in op.Session.Cloud.ListClustersAsync(op.Cancellation).ConfigureAwait(false))
        {
            if (cluster.State == "DELETED")
            {
                continue;
            }

            reads.Add(
                cluster.SupportsCmek
                    ? ReadAsync(cluster)
                    : Task.FromResult(
                        new SeenCluster(cluster, new CmekStatus { ClusterId = cluster.Id, ClusterName = cluster.Name }, null)));
        }

        return [.. await Task.WhenAll(reads).ConfigureAwait(false)];

        async Task<SeenCluster> ReadAsync(CmekCluster cluster)
        {
            await gate.WaitAsync(op.Cancellation).ConfigureAwait(false);
            try
            {
                return new SeenCluster(cluster, await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false), null);
            }
            catch (CmekException e)
            {
                return new SeenCluster(cluster, null, e.Message);
            }
            finally
            {
                gate.Release();
            }
        }
    }

    private static async Task<CmekKeyUse[]> OfKeyAsync(
        string uri,
        IReadOnlyList<SeenCluster> fleet,
        string? except,
        IReadOnlyCollection<string> gone,
        Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(KeyProviders.FromKeyUri(uri));
        Task<KeyIdentity> identifying = provider.IdentifyAsync(uri, op);
        Task<KeyMarks> marking = provider.ReadMarksAsync(uri, op);
        Task<OtherAccess> reaching = provider.ReadOtherAccessAsync(uri, op);
        Task<CmekKey> reading = provider.GetKeyAsync(uri, op);
        await Task.WhenAll(identifying, marking, reaching, reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        CmekKey key = await reading.ConfigureAwait(false);
        KeyIdentity identity = await identifying.ConfigureAwait(false);
        KeyMarks marks = await marking.ConfigureAwait(false);
        OtherAccess otherAccess = await reaching.ConfigureAwait(false);
        bool primary = otherAccess.Replicas.Any(r => r.IsPrimary && r.KeyUri == identity.Uri);
        List<CmekKeyUse> uses = [];
        HashSet<string> read = [];
        foreach (SeenCluster one in fleet)
        {
            bool counts = one.Cluster.Id != except;
            if (one.Status is null)
            {
                Add(CmekKeyUseKind.Unread, one.Cluster.Name, $"the cluster could not be read: {one.Why}", counts);
                continue;
            }

            // A 404 says "never had CMEK", or hides it: it is no answer for a cluster that the key itself names.
            if (!one.Status.NotFound)
            {
                read.Add(one.Cluster.Id);
            }

            foreach (CmekRegionStatus region in one.Status.Regions)
            {
                foreach (CmekKeyStatus listed in region.Keys.Where(k => k.KeyUri is not null))
                {
                    if (TryProvider(listed.KeyUri!) != provider.Provider)
                    {
                        continue;
                    }

                    KeyIdentity other = await provider.IdentifyAsync(listed.KeyUri!, op).ConfigureAwait(false);
                    if (other.Uri == identity.Uri)
                    {
                        Add(
                            CmekKeyUseKind.Cluster,
                            $"{one.Cluster.Name}/{region.Region}",
                            $"{KeyPlaceText.Of(listed.Place)}, {listed.State}, as {listed.AuthPrincipal}",
                            counts);
                    }
                    else if (other.Material == identity.Material)
                    {
                        Add(
                            CmekKeyUseKind.Cluster,
                            $"{one.Cluster.Name}/{region.Region}",
                            $"its copy {listed.KeyUri} is {KeyPlaceText.Of(listed.Place)}",
                            counts && primary);
                    }
                }
            }
        }

        // A key that carries a label and lets nobody in was made and never given away.
        bool neverGiven = marks.Marks.All(m => m.IsLabel) && marks.Users.Count == 0 && marks.Unread.Count == 0;
        foreach (IGrouping<string, KeyMark> mark in marks.Marks.GroupBy(m => m.ClusterMark, StringComparer.OrdinalIgnoreCase))
        {
            KeyMark first = mark.First();
            SeenCluster? named = fleet.FirstOrDefault(f => first.IsOf(f.Cluster.Id));
            string where = string.Join(" and ", mark.Select(m => m.Where).Distinct());
            bool vouched = gone.Any(first.IsOf) || (except is not null && first.IsOf(except));
            if (named is null)
            {
                Add(CmekKeyUseKind.Mark, $"the cluster {mark.Key}", $"{where} names it, and this API key cannot see it", !vouched);
            }
            else if (!read.Contains(named.Cluster.Id) && named.Status is { NotFound: true } && neverGiven)
            {
                Add(
                    CmekKeyUseKind.Mark,
                    named.Cluster.Name,
                    $"{where} names it; it never had CMEK, and the key was never given to anybody",
                    false);
            }
            else if (!read.Contains(named.Cluster.Id))
            {
                string why = named.Status is null
                    ? "it could not be read"
                    : "the service says that it never had CMEK (404), which a missing role may look like too";
                Add(CmekKeyUseKind.Mark, named.Cluster.Name, $"{where} names it, and {why}", !vouched);
            }
            else
            {
                Add(CmekKeyUseKind.Mark, named.Cluster.Name, $"{where} names it", false);
            }
        }

        foreach (string user in marks.Users)
        {
            Add(CmekKeyUseKind.Principal, user, "its policy lets it use the key", false);
        }

        foreach (CutMark cut in marks.Cuts)
        {
            Add(CmekKeyUseKind.Principal, cut.Principal, $"cut off by {cut.Where}", false);
        }

        foreach (KeyGrant grant in otherAccess.Grants)
        {
            Add(CmekKeyUseKind.Grant, grant.GrantId, $"lets {grant.Grantee} {string.Join(", ", grant.Operations)}", true);
        }

        foreach (KeyReplica replica in otherAccess.Replicas.Where(r => r.KeyUri != identity.Uri))
        {
            Add(CmekKeyUseKind.Replica, replica.KeyUri, replica.IsPrimary ? "the primary" : "a copy", false);
        }

        foreach (string unread in marks.Unread.Concat(otherAccess.Unread))
        {
            Add(CmekKeyUseKind.Unread, unread, "not seen", true);
        }

        if (key.LastRotation is { } rotated)
        {
            Add(CmekKeyUseKind.Rotation, $"{rotated.UtcDateTime:u}", "new material", false);
        }

        return [.. uses];

        void Add(CmekKeyUseKind kind, string name, string detail, bool keeps) =>
            uses.Add(new CmekKeyUse { KeyUri = uri, Kind = kind, Name = name, Detail = detail, KeepsKey = keeps });
    }

    private static CmekProvider TryProvider(string uri)
    {
        try
        {
            return KeyProviders.FromKeyUri(uri);
        }
        catch (CmekException)
        {
            return CmekProvider.UNKNOWN;
        }
    }
}
