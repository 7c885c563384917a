using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>Another cluster that uses a key or a principal of the plan, and may lose its keys too.</summary>
/// <param name="Cluster">Its name.</param>
/// <param name="Why">What it shares, and what a cut does to it by that.</param>
/// <param name="Stops">True where it is cut off too; else it goes on unless what is said comes to pass.</param>
internal sealed record OtherHit(string Cluster, string Why, bool Stops)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Cluster} ({Why})";
}

/// <summary>Who else is hit by a cut: clusters that are not in the plan and use the same key or the same principal.</summary>
internal static class OthersHit
{
    /// <summary>By what was last seen of each cluster; where there is time to ask, by what the service says now.</summary>
    /// <param name="subjects">The plan's clusters.</param>
    /// <param name="look">True to ask the service, for as long as its patience lasts.</param>
    /// <param name="op">The run.</param>
    public static async Task<IReadOnlyList<OtherHit>> FindAsync(IReadOnlyList<RevocationSubject> subjects, bool look, Operation op)
    {
        HashSet<string> mine = [.. subjects.Select(s => s.Cluster.Id)];
        Dictionary<string, OtherHit> hits = [];
        foreach (InventoryEntry entry in op.Session.Inventory.List().Where(e => !mine.Contains(e.Cluster.Id)))
        {
            Add(
                entry.Cluster,
                entry.Keys.Where(k => k.Place is CmekKeyPlace.InUse or CmekKeyPlace.Incoming).Select(k => (k.KeyUri, k.Principal)));
        }

        if (look && op.Session.Offline is null)
        {
            await AskAsync().ConfigureAwait(false);
        }

        return [.. hits.Values.OrderBy(h => h.Cluster, StringComparer.Ordinal)];

        async Task AskAsync()
        {
            using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
            using ITimer limit = soon.CancelAfter(op.Timings.OthersPatience, op.Session.Time);
            try
            {
                List<Task> reads = [];
                await foreach (CmekCluster cluster in ClusterListing.ListAsync(op.Session, soon.Token).ConfigureAwait(false))
                {
                    if (cluster.SupportsCmek && !mine.Contains(cluster.Id) && subjects.Any(s => s.Cluster.Provider == cluster.Provider))
                    {
                        reads.Add(ReadAsync(cluster, soon.Token));
                    }
                }

                await Task.WhenAll(reads).ConfigureAwait(false);
            }
            catch (Exception e) when (e is CmekException || !op.Cancellation.IsCancellationRequested)
            {
                // A question that waits for the vendor is no use; what was seen before has been counted.
            }
        }

        async Task ReadAsync(CmekCluster cluster, CancellationToken cancellation)
        {
            CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, cancellation).ConfigureAwait(false);
            lock (hits)
            {
                Add(cluster, status.Regions.Where(r => r.KeyUri is not null).Select(r => (r.KeyUri!, r.AuthPrincipal)));
            }
        }

        void Add(CmekCluster cluster, IEnumerable<(string KeyUri, string? Principal)> uses)
        {
            foreach ((string uri, string? principal) in uses)
            {
                string[] cut = [.. subjects.SelectMany(s => s.Targets).Where(t => t.KeyUri == uri).Select(t => t.AuthPrincipal)];
                if (cut.Length > 0 && (principal is null || cut.Contains(principal)))
                {
                    string who = principal is null ? string.Empty : $" as the same principal {principal}";
                    hits[cluster.Id] = new OtherHit(cluster.Name, $"the same key {uri}{who}", Stops: true);
                    return;
                }

                if (cut.Length > 0)
                {
                    // A cut is a principal's: another one stays let in to the key, unless the key itself has to be switched off.
                    hits[cluster.Id] = new OtherHit(
                        cluster.Name,
                        $"the same key {uri} as another principal, {principal}; it goes on, unless the key cannot be cut otherwise than by "
                            + "disabling it",
                        Stops: false);
                }
                else if (principal is not null
                    && !hits.ContainsKey(cluster.Id)
                    && subjects.Any(s => s.Targets.Any(t => t.AuthPrincipal == principal)))
                {
                    string how = cluster.Provider == CmekProvider.GCP
                        ? "it stops with -DisablePrincipal, and where the caller may write a deny policy on the project of the keys"
                        : "they are not touched";
                    hits[cluster.Id] = new OtherHit(
                        cluster.Name,
                        $"the same principal {principal}, on keys of its own; {how}",
                        Stops: false);
                }
            }
        }
    }
}
