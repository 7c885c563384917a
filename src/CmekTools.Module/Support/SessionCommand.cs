using System.Collections.Concurrent;
using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;

namespace CmekTools.Module;

/// <summary>A cmdlet that needs a connection.</summary>
public abstract class SessionCommand : PipelineCommand
{
    private readonly SemaphoreSlim _listing = new(1, 1);
    private readonly HashSet<string> _given = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _order = [];
    private readonly Dictionary<string, Part> _parts = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, bool> _worked = new(StringComparer.OrdinalIgnoreCase);
    private IReadOnlyList<CmekCluster>? _listed;
    private SessionContext? _context;

    /// <summary>The connection to use in place of the runspace's own.</summary>
    [Parameter]
    [ValidateNotNull]
    [SessionTransformation]
    public CmekSession? Session { get; set; }

    /// <summary>The engine's side of the connection.</summary>
    internal SessionContext Context => _context ??= Sessions.Require(Session ?? RunspaceSession);

    /// <summary>This cmdlet's run.</summary>
    internal Operation Op => OperationOn(Context);

    /// <summary>True where a name may have wildcards: nothing is changed.</summary>
    internal virtual bool TakesWildcards => false;

    /// <summary>True where a name with wildcards that no cluster has is an error.</summary>
    internal virtual bool NeedsMatch => TakesWildcards;

    /// <summary>True where the command cannot begin without a connection.</summary>
    internal virtual bool NeedsSession => true;

    internal override async Task PrepareAsync()
    {
        if (NeedsSession && Session is null && RunspaceSession is null && await Sessions.MayConnectAsync(this).ConfigureAwait(false))
        {
            RunspaceSession = await Connections.OpenAsync(this, Connections.OfEnvironment(), sandbox: false).ConfigureAwait(false);
            await Pipeline.TellAsync(
                $"Connected to {RunspaceSession.Server} as {RunspaceSession.Organization}, with COCKROACH_API_KEY. Connect-CmekCloud "
                    + "connects otherwise, Disconnect-CmekCloud ends it.").ConfigureAwait(false);
        }
    }

    /// <summary>Works on one record beside the others.</summary>
    /// <param name="name">What it is about, for people.</param>
    /// <param name="work">The work, with everything that belongs to the record taken out of the parameters before.</param>
    internal Task BesideAsync(string name, Func<Operation, Task> work) => BesideAsync(name, Context, work);

    /// <summary>Works on each of the clusters that were given, beside the others, and on each once.</summary>
    /// <param name="clusters">Names, ids, objects.</param>
    /// <param name="within">How old what was read of a cluster may be.</param>
    /// <param name="work">The work.</param>
    /// <param name="with">What else came with the record: the same cluster with something else is other work.</param>
    internal Task BesideAsync(
        IEnumerable<ClusterArgument> clusters,
        TimeSpan within,
        Func<CmekCluster, Operation, Task> work,
        string? with = null) => RegionsBesideAsync(clusters, within, (cluster, _, op) => work(cluster, op), with);

    /// <summary>The same for work that may be about some regions of a cluster: those that its records name.</summary>
    /// <param name="clusters">Names, ids, objects.</param>
    /// <param name="within">How old what was read of a cluster may be.</param>
    /// <param name="work">The work; it is given no region where it is about all.</param>
    /// <param name="with">What else came with the record: the same cluster with something else is other work.</param>
    internal Task RegionsBesideAsync(
        IEnumerable<ClusterArgument> clusters,
        TimeSpan within,
        Func<CmekCluster, IReadOnlyList<string>, Operation, Task> work,
        string? with = null)
    {
        return EachOnceAsync(
            clusters,
            given => given.IsPattern
                ? EachMatchAsync(given, cluster => OnceAsync(given, cluster.Name, op => op.RecentClusterAsync(cluster.Id, within)))
                : OnceAsync(given, given.ToString(), op => ResolveAsync(given, within, op)),
            with);

        // Also where one was given by its name and by its id.
        Task OnceAsync(ClusterArgument given, string name, Func<Operation, Task<CmekCluster>> read) => BesideAsync(name, async op =>
        {
            CmekCluster cluster = await read(op).ConfigureAwait(false);
            // One that comes by its id and by its name with other regions is other work.
            string whole = $"{cluster.Id}\n{with}";
            if (given.Regions.Count == 0
                ? _worked.TryAdd(whole, true)
                : !_worked.ContainsKey(whole) && _worked.TryAdd($"{whole}\n{string.Join(',', given.Regions)}", true))
            {
                await work(cluster, given.Regions, op).ConfigureAwait(false);
            }
        });
    }

    /// <summary>
    /// Begins with each of the clusters that were given, however often each was: with one that comes in parts (its keys, its steps) when
    /// no further part can follow.
    /// </summary>
    /// <param name="clusters">Names, ids, objects.</param>
    /// <param name="begin">Begins with one.</param>
    /// <param name="with">What else came with the record: the same cluster with something else is other work.</param>
    internal async Task EachOnceAsync(IEnumerable<ClusterArgument> clusters, Func<ClusterArgument, Task> begin, string? with = null)
    {
        foreach (ClusterArgument given in clusters.ToArray())
        {
            string key = $"{given.Id}\n{given.Name}\n{with}";
            if (given.IsPart)
            {
                if (_parts.TryGetValue(key, out Part? part))
                {
                    _parts[key] = part with { Given = part.Given.With(given) };
                }
                else
                {
                    _order.Add(key);
                    _parts[key] = new Part(given, begin);
                }
            }
            else if (_given.Add(key))
            {
                await begin(given).ConfigureAwait(false);
            }
        }
    }

    internal override async Task LastRecordsAsync()
    {
        foreach (string key in _order.Where(_given.Add))
        {
            await _parts[key].Begin(_parts[key].Given).ConfigureAwait(false);
        }
    }

    /// <summary>The one cluster that was given.</summary>
    /// <param name="given">Name, id or object.</param>
    /// <param name="within">How old what was read of it may be.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException"><c>ClusterNotFound</c>, <c>ClusterNameAmbiguous</c>, <c>ClusterContradicts</c>,
    /// <c>WildcardRefused</c>.</exception>
    internal virtual async Task<CmekCluster> ResolveAsync(ClusterArgument given, TimeSpan within, Operation op)
    {
        RefuseWildcards(given);
        if (given.Id is null)
        {
            return await ByNameAsync(given.Name!, within, op).ConfigureAwait(false);
        }

        CmekCluster cluster = await op.RecentClusterAsync(given.Id, within).ConfigureAwait(false);
        ClusterListing.RequireName(cluster, given.Name);
        return cluster;
    }

    /// <summary>An access with its cluster: what came as a row says only a name, or both name and id.</summary>
    internal async Task<CmekAccess> BoundAsync(CmekAccess access, Operation op)
    {
        if (access.ClusterId.Length > 0 && access.Provider != CmekProvider.UNKNOWN)
        {
            return access;
        }

        CmekCluster cluster = await ResolveAsync(
            ClusterArgument.Of(access.ClusterId, access.ClusterName),
            RecentClusters.Lasting,
            op).ConfigureAwait(false);
        return access with { ClusterId = cluster.Id, ClusterName = cluster.Name, Provider = cluster.Provider };
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _listing.Dispose();
        }
    }

    /// <summary>Refuses a name with wildcards where something is changed.</summary>
    /// <exception cref="CmekException"><c>WildcardRefused</c>.</exception>
    internal void RefuseWildcards(ClusterArgument given)
    {
        if (given.IsPattern && !TakesWildcards)
        {
            throw WildcardRefused(given, CommandName);
        }
    }

    // A cluster that comes in parts, what they say together, and what is begun after the last of them.
    private sealed record Part(ClusterArgument Given, Func<ClusterArgument, Task> Begin);

    // Each cluster that a name with wildcards stands for. Where something is judged or waited for, none at all is no success.
    private Task EachMatchAsync(ClusterArgument given, Func<CmekCluster, Task> begin) => EachAsync(async () =>
    {
        RefuseWildcards(given);
        WildcardPattern pattern = WildcardPattern.Get(given.Name, WildcardOptions.IgnoreCase);
        bool any = false;
        foreach (
            CmekCluster cluster in (
                await ListAsync(anew: false).ConfigureAwait(false)).Where(c => c.SupportsCmek && pattern.IsMatch(c.Name)))
        {
            any = true;
            await begin(cluster).ConfigureAwait(false);
        }

        if (!any && NeedsMatch)
        {
            throw new CmekException(
                "ClusterNotFound",
                CmekErrorKind.ObjectNotFound,
                $"No cluster that this API key can see, and whose plan can have CMEK, has a name like '{given.Name}'.",
                "Get-CmekCluster lists what it can see.",
                given.Name);
        }
    });

    /// <summary>What is said where a name with wildcards is refused.</summary>
    internal static CmekException WildcardRefused(ClusterArgument given, string command) => new(
        "WildcardRefused",
        CmekErrorKind.InvalidArgument,
        $"'{given.Name}' has wildcards, and {command} takes clusters by their exact names.",
        $"See first which clusters it means: Get-CmekCluster {PowerShellText.Quote(given.Name!)}; and pipe them.",
        given.Name);

    // However many names come, the clusters are listed once, and again only for a name that was not among them.
    private async Task<CmekCluster> ByNameAsync(string name, TimeSpan within, Operation op)
    {
        bool before = _listed is not null;
        CmekCluster cluster;
        try
        {
            cluster = ClusterListing.Named(name, await ListAsync(anew: false).ConfigureAwait(false));
        }
        catch (CmekException) when (before)
        {
            return ClusterListing.Named(name, await ListAsync(anew: true).ConfigureAwait(false));
        }

        return before ? await op.RecentClusterAsync(cluster.Id, within).ConfigureAwait(false) : cluster;
    }

    private async Task<IReadOnlyList<CmekCluster>> ListAsync(bool anew)
    {
        await _listing.WaitAsync(Cancellation).ConfigureAwait(false);
        try
        {
            return _listed = (anew ? null : _listed) ?? await ClusterListing.AllAsync(Context, Cancellation).ConfigureAwait(false);
        }
        finally
        {
            _listing.Release();
        }
    }
}
