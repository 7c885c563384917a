using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>
/// Reads keys: any by its URI, all of a cluster, the ones in use first and past ones marked, or all that are marked as a cluster's.
/// </summary>
[Cmdlet(VerbsCommon.Get, "CmekKey", DefaultParameterSetName = "Cluster")]
[OutputType(typeof(CmekKey))]
public sealed class GetCmekKeyCommand : FleetCommand
{
    private const string DiscoverSet = "Discover";
    private SessionContext? _unconnected;

    /// <summary>The key's ARN, or its resource name without a version. What is neither is taken as a cluster: all of its keys.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = "Uri", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("KeyId", "Arn")]
    [KeyUriTransformation]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    /// <summary>The clusters whose keys are read: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, ParameterSetName = "Cluster", ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveKeys = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>Look for every key that is marked as a cluster's, at the providers alone; no connection is needed.</summary>
    [Parameter(Mandatory = true, ParameterSetName = DiscoverSet)]
    public SwitchParameter Discover { get; set; }

    /// <summary>AWS: the regions that -Discover looks in; all where neither -Region nor -Project is given.</summary>
    [Parameter(ParameterSetName = DiscoverSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string[] Region { get; set; } = [];

    /// <summary>Google Cloud: the project that holds the keys; for -Discover the projects to look in.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] Project { get; set; } = [];

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    /// <inheritdoc/>
    internal override bool NeedsMatch => false;

    /// <inheritdoc/>
    internal override bool NeedsSession => !Discover;

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unconnected?.Dispose();
        }

        base.Dispose(disposing);
    }

    internal override Task BeginAsync() => !Discover && Project.Length > 1
        ? throw new CmekException(
            "ProjectInvalid",
            CmekErrorKind.InvalidArgument,
            "Several projects are for -Discover; a cluster's keys are looked for in one.",
            "Give one -Project, or -Discover without a cluster.",
            Project)
        : Task.CompletedTask;

    internal override async Task ProcessAsync()
    {
        if (Discover)
        {
            SessionContext context = (Session ?? RunspaceSession)?.Context as SessionContext
                ?? (_unconnected ??= Connecting.Unconnected());
            await Discovering.DiscoverAsync(new DiscoveryPlaces(Region, Project), OperationOn(context)).ConfigureAwait(false);
            return;
        }

        KeyOptions options = new() { Project = Project.FirstOrDefault() };
        await OfClustersAsync(ClusterArgument.All(ClusterName), options).ConfigureAwait(false);
        foreach (string given in KeyUri.ToArray())
        {
            // An ARN has colons and a resource name slashes; the name or id of a cluster has neither.
            ClusterArgument? cluster = given.Contains(':', StringComparison.Ordinal) || given.Contains('/', StringComparison.Ordinal)
                ? null
                : ClusterArgument.From(given);
            await (cluster?.IsPattern == true
                ? OfClustersAsync([cluster], options)
                : BesideAsync(given, op => OfGivenAsync(given, cluster, options, op))).ConfigureAwait(false);
        }
    }

    private async Task OfGivenAsync(string given, ClusterArgument? named, KeyOptions options, Operation op)
    {
        CmekCluster? cluster = null;
        if (named is not null)
        {
            try
            {
                cluster = await ResolveAsync(named, RecentClusters.Momentary, op).ConfigureAwait(false);
            }
            catch (CmekException e) when (e.ErrorId == "CloudApiNotFound")
            {
                // No cluster's id: it may have been meant as a bare key id, which is told below.
            }
        }

        if (cluster is null)
        {
            await op.Host.OutputAsync(await Keys.GetAsync(given, op).ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }

        await Keys.ListAsync(cluster, options, op).ConfigureAwait(false);
    }

    private Task OfClustersAsync(IEnumerable<ClusterArgument> clusters, KeyOptions options) =>
        BesideAsync(clusters, TimeSpan.Zero, (cluster, op) => Keys.ListAsync(cluster, options, op));
}
