using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>Which clusters a break-glass may have to cut, where none is named in full.</summary>
/// <param name="Clusters">Every cluster with keys: by the service, and every one that was seen here before.</param>
/// <param name="Unread">Why the service's list could not be read, so that there may be more; null where it was.</param>
internal sealed record BreakGlassScope(IReadOnlyList<ClusterRef> Clusters, string? Unread)
{
    /// <summary>Reads it. What cannot be read is told, and not thrown.</summary>
    /// <param name="silent">Why the service does not answer; null where it did a moment ago.</param>
    /// <param name="op">The run.</param>
    public static async Task<BreakGlassScope> ReadAsync(CmekException? silent, Operation op)
    {
        Dictionary<string, CmekCluster> found = new(StringComparer.OrdinalIgnoreCase);
        foreach (InventoryEntry entry in op.Session.Inventory.List().Where(e => e.Keys.Count > 0 && IsOf(e, op)))
        {
            found[entry.Cluster.Id] = entry.Cluster;
        }

        string? unread = silent?.Message;
        if (unread is null)
        {
            using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
            using ITimer limit = soon.CancelAfter(op.Timings.CallLimit, op.Session.Time);
            try
            {
                List<CmekCluster> listed = [];
                await foreach (CmekCluster cluster in ClusterListing.ListAsync(op.Session, soon.Token).ConfigureAwait(false))
                {
                    listed.Add(cluster);
                }

                CmekCluster?[] more = await Task.WhenAll(
                    listed.Where(
                        c => c.SupportsCmek
                            && !found.ContainsKey(c.Id)).Select(c => WithKeysAsync(c, op, soon.Token))).ConfigureAwait(false);
                foreach (CmekCluster cluster in more.OfType<CmekCluster>())
                {
                    found[cluster.Id] = cluster;
                }
            }
            catch (Exception e) when (!op.Cancellation.IsCancellationRequested)
            {
                unread = e.Message;
            }
        }

        return new BreakGlassScope(
            [.. found.Values.OrderBy(c => c.Name, StringComparer.Ordinal).Select(c => new ClusterRef(c.Name, c.Id, c))],
            unread);
    }

    /// <summary>The error for a name with wildcards that none of them has.</summary>
    public static CmekException NoMatch(string pattern) => new(
        "ClusterNotFound",
        CmekErrorKind.ObjectNotFound,
        $"No cluster with customer-managed keys that is known has a name like '{pattern}'.",
        "Get-CmekStatus lists the clusters with their keys.",
        pattern);

    // One whose status cannot be read may have keys: it is looked at, and its rows tell.
    private static async Task<CmekCluster?> WithKeysAsync(CmekCluster cluster, Operation op, CancellationToken cancellation)
    {
        try
        {
            CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, cancellation).ConfigureAwait(false);
            return status.Regions.Any(r => r.KeyUri is not null) ? cluster : null;
        }
        catch (CmekException)
        {
            return cluster;
        }
    }

    // The state folder may hold what another organization's sessions saw.
    private static bool IsOf(InventoryEntry entry, Operation op) =>
        op.Session.Organization.Id.Length == 0 || entry.Organization.Id == op.Session.Organization.Id;
}
