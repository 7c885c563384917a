using CmekTools.Engine.CloudApi;
using CmekTools.Engine;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module;

/// <summary>A cmdlet that collects accesses by cluster and acts on each cluster once, after the last record.</summary>
public abstract class AccessCommand : FleetCommand
{
    /// <summary>The parameter set for piped accesses.</summary>
    protected const string AccessSet = "Access";

    /// <summary>The parameter set for a cluster and nothing to give it: it ends with what is missing.</summary>
    protected const string ClusterSet = "Cluster";

    /// <summary>The parameter set for a manifest.</summary>
    protected const string ManifestSet = "Manifest";

    /// <summary>The parameter set for one region's key given by hand.</summary>
    protected const string KeySet = "Key";

    private readonly Dictionary<string, Collected> _collected = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The accesses, from Grant-CmekAccess or Import-CmekManifest.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Access")]
    [AccessTransformation]
    public virtual CmekAccess[] InputObject { get; set; } = [];

    /// <summary>The cluster: its name, its id, or an object that says one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ManifestSet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = KeySet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public virtual object[] ClusterName { get; set; } = [];

    /// <summary>The vendor's <c>cmek_config.json</c>.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ManifestSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>The regions, in the order of the keys.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public virtual string[] Region { get; set; } = [];

    /// <summary>The keys, one a region.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    /// <summary>The principals, one a region, or one for all.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(PrincipalCompleter))]
    public string[] AuthPrincipal { get; set; } = [];

    /// <summary>Wait until the service says that it is done.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Do not wait: the default, said aloud.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    /// <summary>The longest wait, in seconds; two hours where not given, as the vendor's own provider allows.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <summary>Do not look for reasons to fail first.</summary>
    [Parameter]
    public SwitchParameter SkipPreflight { get; set; }

    /// <summary>How to go about it.</summary>
    internal SwitchOptions Options => new(Waiting.Decide(Wait, NoWait, false), TimeSpan.FromSeconds(TimeoutSeconds), SkipPreflight);

    /// <summary>
    /// True where a cluster can be acted on as soon as there is an access for each of its regions: nothing that follows could belong
    /// to it.
    /// </summary>
    internal virtual bool ActsWhenComplete => false;

    /// <summary>What a cluster may be told to do without a key being given, for the error that says what is missing.</summary>
    internal virtual string Otherwise => string.Empty;

    internal override Task BeginAsync()
    {
        // Before the first request, and not with the first record.
        _ = Options;
        return Task.CompletedTask;
    }

    internal override async Task ProcessAsync()
    {
        await GivenClusterAsync().ConfigureAwait(false);
        foreach (CmekAccess given in InputObject)
        {
            CmekAccess access;
            try
            {
                access = await BoundAsync(given, Op).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await Pipeline.ErrorAsync(e).ConfigureAwait(false);
                continue;
            }

            if (!_collected.TryGetValue(access.ClusterId, out Collected? known))
            {
                _collected[access.ClusterId] = known = new Collected(access.ClusterName ?? access.ClusterId);
            }

            if (
                known.Accesses.Exists(
                    a => a.Region == access.Region && a.KeyUri == access.KeyUri && a.AuthPrincipal == access.AuthPrincipal))
            {
                continue;
            }

            if (known.Begun)
            {
                await Pipeline.ErrorAsync(new CmekException(
                    "RegionDuplicate",
                    CmekErrorKind.InvalidArgument,
                    $"{access.ClusterName ?? access.ClusterId} was begun with an access for each of its regions; another one for "
                        + $"{access.Region} came later and was left.",
                    "Give each region one access.",
                    access)).ConfigureAwait(false);
                continue;
            }

            known.Accesses.Add(access);

            // Which regions there are is only known without a request where the cluster was read a moment ago; else it is acted on at
            // the end.
            if (ActsWhenComplete
                && Context.Cloud.Recent.Find(access.ClusterId, RecentClusters.Lasting) is { } cluster
                && cluster.Regions.Count == known.Accesses.Count
                && cluster.Regions.All(
                    r => known.Accesses.Exists(a => string.Equals(a.Region, r.Name, StringComparison.OrdinalIgnoreCase))))
            {
                await BeginAsync(access.ClusterId, known).ConfigureAwait(false);
            }
        }
    }

    internal override async Task EndAsync()
    {
        // A pipeline that gave nothing (each record failed before) has been told so already.
        foreach ((string id, Collected collected) in _collected)
        {
            if (!collected.Begun)
            {
                await BeginAsync(id, collected).ConfigureAwait(false);
            }
        }
    }

    private async Task GivenClusterAsync()
    {
        if (ParameterSetName == ClusterSet)
        {
            string name = ClusterArgument.All(ClusterName)[0].ToString();
            throw new CmekException(
                "KeysMissing",
                CmekErrorKind.InvalidArgument,
                $"{CommandName} was given {name} and no key for it.",
                $"Pipe accesses: New-CmekKey {PowerShellText.Quote(name)} | Grant-CmekAccess | {CommandName}. Or give -ManifestPath "
                    + "with the vendor's cmek_config.json, or "
                + $"-Region, -KeyUri and -AuthPrincipal.{Otherwise}",
                name);
        }

        if (ParameterSetName is not (ManifestSet or KeySet))
        {
            return;
        }

        if (ClusterName.Length != 1)
        {
            throw new CmekException(
                "ClusterSeveral",
                CmekErrorKind.InvalidArgument,
                $"Keys were given for {ClusterName.Length} clusters at once: {string.Join(", ", ClusterName.Select(c => c.ToString()))}.",
                "Give one cluster at a time with its own keys.",
                ClusterName);
        }

        CmekCluster cluster = await ResolveAsync(ClusterArgument.All(ClusterName)[0], TimeSpan.Zero, Op).ConfigureAwait(false);
        IReadOnlyList<CmekAccess> given = await GivenAsync(cluster).ConfigureAwait(false);
        await BesideAsync(cluster.Name, op => ActAsync(cluster, given, op)).ConfigureAwait(false);
    }

    private Task BeginAsync(string id, Collected collected)
    {
        collected.Begun = true;
        return BesideAsync(collected.Name, async op =>
            await ActAsync(
                await op.RecentClusterAsync(id, RecentClusters.Lasting).ConfigureAwait(false),
                collected.Accesses,
                op).ConfigureAwait(false));
    }

    /// <summary>Acts on one cluster.</summary>
    internal abstract Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, Operation op);

    private async Task<IReadOnlyList<CmekAccess>> GivenAsync(CmekCluster cluster)
    {
        if (ManifestPath is not null)
        {
            string path = string.Empty;
            await Pipeline.OnPipelineAsync(
                () => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(ManifestPath)).ConfigureAwait(false);
            return Manifests.Read(path, cluster);
        }

        if (KeyUri.Length != Region.Length || (AuthPrincipal.Length != 1 && AuthPrincipal.Length != Region.Length))
        {
            throw new CmekException(
                "RegionKeyCountMismatch",
                CmekErrorKind.InvalidArgument,
                $"{Region.Length} regions, {KeyUri.Length} keys and {AuthPrincipal.Length} principals do not go together.",
                "Give as many -KeyUri as -Region, in the same order, and one -AuthPrincipal for all or one for each.");
        }

        return
        [
            .. Region.Select((region, i) => new CmekAccess
            {
                ClusterId = cluster.Id,
                ClusterName = cluster.Name,
                Provider = cluster.Provider,
                Region = region,
                KeyUri = KeyUri[i],
                AuthPrincipal = AuthPrincipal[AuthPrincipal.Length == 1 ? 0 : i],
            }),
        ];
    }

    private sealed class Collected(string name)
    {
        public string Name { get; } = name;

        public List<CmekAccess> Accesses { get; } = [];

        public bool Begun { get; set; }
    }
}
