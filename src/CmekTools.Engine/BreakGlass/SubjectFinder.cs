using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// Finds the clusters of a break-glass and their keys: by the service where it answers within its patience, and else by what was seen
/// before. The service, which may be the one that is to be cut off, does not decide what is cut.
/// </summary>
internal sealed class SubjectFinder(Operation op, int count)
{
    private static readonly TimeSpan s_turn = TimeSpan.FromMilliseconds(150);

    // Each request waits for its turn behind the others.
    private TimeSpan Patience => op.Timings.ServicePatience + (count * s_turn);

    /// <summary>Finds each; one that cannot be found is told, and the others go on.</summary>
    public static async Task<IReadOnlyList<RevocationSubject>> FindAsync(IReadOnlyList<ClusterRef> named, Operation op)
    {
        SubjectFinder finder = new(op, named.Count);
        RevocationSubject?[] found = await Task.WhenAll(named.Select(finder.TryAsync)).ConfigureAwait(false);
        return [.. found.OfType<RevocationSubject>()];
    }

    /// <summary>Finds one.</summary>
    /// <exception cref="CmekException">It cannot be found.</exception>
    public static Task<RevocationSubject> FindOneAsync(ClusterRef named, Operation op) => new SubjectFinder(op, 1).FindAsync(named);

    /// <summary>The cluster: what the service says of it, or in an offline session what was seen of it here before.</summary>
    /// <exception cref="CmekException">It is not known, or the service's failure.</exception>
    public static async Task<CmekCluster> ClusterAsync(ClusterRef named, Operation op) => op.Session.Offline is { } offline
        ? new SubjectFinder(op, 1).Remembered(named) ?? throw offline
        : await AskingAsync(
            op,
            $"Looking for {named}",
            _ => named.Id is { } id ? op.GetClusterAsync(id) : ClusterListing.ByNameAsync(named.Name!, op)).ConfigureAwait(false);

    /// <summary>
    /// Asks the service something for a restore. One that is gone is given up within seconds: access can be given back without it, which
    /// the failure says.
    /// </summary>
    /// <param name="op">The run.</param>
    /// <param name="what">What is asked.</param>
    /// <param name="ask">The question.</param>
    public static async Task<T> AskingAsync<T>(Operation op, string what, Func<CancellationToken, Task<T>> ask)
    {
        try
        {
            return await ShortPatience.AskAsync(
                op.Session.Cloud.Server, what, op.Timings.CallLimit, op.Session.Time, ask, op.Cancellation)
                .ConfigureAwait(false);
        }
        catch (CmekException e) when (e.IsSilence())
        {
            throw new CmekException(
                e.ErrorId,
                e.Kind,
                e.Message,
                $"{e.RecommendedAction} Where the service stays away: Connect-CmekCloud again gives an offline session, and in that one "
                    + "this command gives access back by the receipts alone.",
                e.Target,
                e);
        }
    }

    /// <summary>What the service says of a cluster's keys, or in an offline session that it says nothing.</summary>
    public static Task<CmekStatus> StatusAsync(CmekCluster cluster, Operation op) =>
        op.Session.Offline is null
            ? AskingAsync(
                op,
                $"Reading the CMEK status of {cluster.Name}",
                cancellation => op.Session.Cloud.GetCmekAsync(cluster, cancellation))
            : Task.FromResult(Unseen(cluster));

    /// <summary>Keys that were given by hand: of the cluster that was seen to list them, else of one that nobody knows.</summary>
    /// <param name="accesses">The keys with their principals.</param>
    /// <param name="uncut">Keys that were found, and of which nobody knows who is to be cut off.</param>
    /// <param name="op">The run.</param>
    public static async Task<IReadOnlyList<RevocationSubject>> OfKeysAsync(
        IReadOnlyList<CmekAccess> accesses,
        IReadOnlyList<CmekKey> uncut,
        Operation op)
    {
        List<RevocationSubject> subjects = [];
        (CmekAccess Access, CmekCluster Cluster)[] owned = await Task.WhenAll(
            accesses.Select(async a => (a, await OwnerAsync(a, op).ConfigureAwait(false)))).ConfigureAwait(false);
        foreach (IGrouping<string, (CmekAccess Access, CmekCluster Cluster)> group in owned.GroupBy(o => o.Cluster.Id))
        {
            CmekCluster cluster = group.First().Cluster;
            CmekStatus status = Unseen(cluster);
            KeyEntry[] given =
            [
                .. group.Select(
                    o => new KeyEntry(o.Access.Region, o.Access.KeyUri!, o.Access.AuthPrincipal, CmekKeyPlace.InUse, KeySources.None)),
            ];
            ClusterKeys keys = await ClusterKeys.OfAsync(cluster, status, given, op).ConfigureAwait(false);
            subjects.Add(new RevocationSubject
            {
                Cluster = cluster,
                Keys = keys,
                Targets = RevocationSubject.AllPairs(cluster, keys, op),
                Unknown = true,
                Uncut = [.. uncut.Where(k => string.Equals(k.ClusterId, cluster.Id, StringComparison.OrdinalIgnoreCase))],
            });
        }

        return subjects;
    }

    private async Task<RevocationSubject?> TryAsync(ClusterRef named)
    {
        try
        {
            return await FindAsync(named).ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
            return null;
        }
    }

    private async Task<RevocationSubject> FindAsync(ClusterRef named)
    {
        CmekException? silent = null;
        JournalledCluster? journalled = null;
        CmekCluster cluster;
        try
        {
            cluster = named.Cluster ?? await AskAsync($"Looking for {named}", ct => LookAsync(named, ct)).ConfigureAwait(false);
        }
        catch (CmekException e) when (e.ErrorId is not ("ClusterNameAmbiguous" or "ClusterContradicts"))
        {
            CmekCluster? remembered = Remembered(named);
            journalled = remembered is null ? Journalled(named) : null;
            if ((remembered ?? journalled?.Cluster) is not { } known)
            {
                if (op.Session.Offline is not null && e.ErrorId == "NotConnected")
                {
                    throw new CmekException(
                        e.ErrorId,
                        e.Kind,
                        $"{Sentence(e.Message)} Inventory, receipts and journal here know nothing of '{named}'. Nothing was cut for it.",
                        e.RecommendedAction,
                        named.Name,
                        e);
                }

                throw;
            }

            silent = e;
            cluster = known;
        }

        ClusterListing.RequireName(cluster, named.Name);
        CmekStatus status = Unseen(cluster);
        if (silent is null)
        {
            try
            {
                status = await AskAsync(
                    $"Reading the CMEK status of {cluster.Name}",
                    ct => op.Session.Cloud.GetCmekAsync(cluster, ct)).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                silent = e;
            }
        }

        // What anybody may have written about the cluster's keys is good enough to cut them.
        IEnumerable<KeyEntry> unproven = Inventory.Unproven(op.Session.Inventory.Find(cluster.Id)).Concat(journalled?.Keys ?? []);
        ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, unproven, op).ConfigureAwait(false);
        RevocationSubject subject = new()
        {
            Cluster = cluster,
            Keys = keys,
            Targets = RevocationSubject.AllPairs(cluster, keys, op),
            Silent = silent,
        };
        if (subject.Targets.Count > 0 && (silent is not null || status.State == CmekState.UNKNOWN))
        {
            await op.Host.WarningAsync(
                $"{(silent is null ? $"The service lists no keys of {cluster.Name} any more." : Sentence(silent.Message))} The keys of "
                    + $"{cluster.Name} are those that are known here, by {(journalled is null ? Sources(cluster) : "the journal")}.")
                        .ConfigureAwait(false);
        }

        return subject;
    }

    private static string Sentence(string message) => message.EndsWith('.') ? message : message + ".";

    private async Task<CmekCluster> LookAsync(ClusterRef named, CancellationToken cancellation)
    {
        Operation part = op.ForRecord(op.Host, cancellation, cancellation);
        return named.Id is { } id
            ? await part.Session.Cloud.GetClusterAsync(id, cancellation).ConfigureAwait(false)
            : await ClusterListing.ByNameAsync(named.Name!, part).ConfigureAwait(false);
    }

    private Task<T> AskAsync<T>(string what, Func<CancellationToken, Task<T>> ask) =>
        ShortPatience.AskAsync(op.Session.Cloud.Server, what, Patience, op.Session.Time, ask, op.Cancellation);

    private string Sources(CmekCluster cluster) => op.Session.Inventory.Find(cluster.Id) is { } entry
        ? $"the inventory, last seen {op.Session.Inventory.Age(entry.SeenAt)}, and receipts"
        : "receipts";

    private CmekCluster? Remembered(ClusterRef named)
    {
        // A name that somebody has given to another cluster, where anybody may write, does not make the one that was seen from here
        // ambiguous.
        InventoryEntry[] seen = [.. op.Session.Inventory.List()];
        IReadOnlyList<StoredReceipt> receipts = op.Receipts();
        CmekCluster[] known = Called(named, seen.Where(e => e.Proven), receipts.Where(r => r.Seal == CmekSealState.Verified));
        known = known.Length > 0 ? known : Called(named, seen, receipts);
        return known.Length > 1 ? throw Ambiguous(named, known) : known.FirstOrDefault();
    }

    private JournalledCluster? Journalled(ClusterRef named)
    {
        IReadOnlyList<JournalledCluster> all = JournalledKeys.Read(op);
        CmekCluster[] known = Called(named, all.Select(j => j.Cluster));
        return known.Length > 1 ? throw Ambiguous(named, known) : all.FirstOrDefault(j => known.Contains(j.Cluster));
    }

    private static CmekException Ambiguous(ClusterRef named, CmekCluster[] known) => new(
        "ClusterNameAmbiguous",
        CmekErrorKind.InvalidArgument,
        $"{known.Length} clusters that were called '{named}' are known here.",
        "Give -ClusterId: " + string.Join(", ", known.Select(c => c.Id)),
        named.Name);

    private static CmekCluster[] Called(ClusterRef named, IEnumerable<InventoryEntry> seen, IEnumerable<StoredReceipt> receipts) =>
        Called(named, seen.Select(e => e.Cluster).Concat(receipts.Select(r => Of(r.Document))));

    private static CmekCluster[] Called(ClusterRef named, IEnumerable<CmekCluster> clusters) =>
    [
        .. clusters
            .Where(
                c => named.Id is { } id
                    ? string.Equals(c.Id, id, StringComparison.OrdinalIgnoreCase)
                    : string.Equals(c.Name, named.Name, StringComparison.OrdinalIgnoreCase))
            .DistinctBy(c => c.Id, StringComparer.OrdinalIgnoreCase),
    ];

    private static CmekCluster Of(ReceiptDocument receipt) => new()
    {
        Id = receipt.ClusterId,
        Name = receipt.ClusterName,
        Provider = receipt.Provider,
        Plan = "UNKNOWN",
        State = "UNKNOWN",
        AccountId = receipt.AccountId,
        Regions = [.. receipt.Accesses.Select(a => a.Region).Distinct().Select(r => new CmekRegion { Name = r })],
    };

    /// <summary>The status of a cluster that nobody was asked about.</summary>
    internal static CmekStatus Unseen(CmekCluster cluster) =>
        new() { ClusterId = cluster.Id, ClusterName = cluster.Name, Provider = cluster.Provider, State = CmekState.UNKNOWN };

    private static async Task<CmekCluster> OwnerAsync(CmekAccess access, Operation op)
    {
        CmekProvider provider = KeyProviders.FromKeyUri(access.KeyUri!);
        IKeyProvider keys = op.Session.GetProvider(provider);
        keys.ValidateKeyUri(access.KeyUri!);
        keys.ValidatePrincipal(access.AuthPrincipal!);
        if (op.Session.Inventory.List().FirstOrDefault(e => e.Keys.Any(k => k.Proven && k.KeyUri == access.KeyUri)) is { } seen)
        {
            return seen.Cluster;
        }

        // The tag's id makes the statement one that the cluster's own restore knows again; it is not needed for the cut.
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(op.Cancellation);
        using ITimer limit = soon.CancelAfter(op.Timings.OthersPatience, op.Session.Time);
        try
        {
            CmekKey key = await keys.GetKeyAsync(access.KeyUri!, op.ForRecord(op.Host, soon.Token, soon.Token)).ConfigureAwait(false);
            if (Guid.TryParse(key.ClusterId, out Guid id))
            {
                return Nobody(provider) with { Id = id.ToString(), Name = key.ClusterName ?? id.ToString() };
            }
        }
        catch (Exception e) when (e is CmekException || !op.Cancellation.IsCancellationRequested)
        {
            // Whose it is matters less than that it is cut.
        }

        return Nobody(provider);
    }

    private static CmekCluster Nobody(CmekProvider provider) => new()
    {
        Id = Guid.Empty.ToString(),
        Name = "keys-given-by-hand",
        Provider = provider,
        Plan = "UNKNOWN",
        State = "UNKNOWN",
        AccountId = AccessTarget.UnknownAccount,
    };
}
