using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.Checks;

namespace CmekTools.Module.Commands;

/// <summary>Holds what was declared (a manifest, or accesses) against what is. Nothing comes out where all is as declared.</summary>
[Cmdlet(VerbsData.Compare, "CmekCluster", DefaultParameterSetName = ClusterSet)]
[OutputType(typeof(CmekDifference))]
public sealed class CompareCmekClusterCommand : FleetCommand
{
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private readonly List<CmekAccess> _accesses = [];

    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>The declaration; where it is not given only the providers' policies are looked at.</summary>
    [Parameter(ParameterSetName = ClusterSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>The declared accesses.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Access")]
    [AccessTransformation]
    public CmekAccess[] InputObject { get; set; } = [];

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    internal override async Task ProcessAsync()
    {
        foreach (CmekAccess access in InputObject)
        {
            await EachAsync(async () => _accesses.Add(await BoundAsync(access, Op).ConfigureAwait(false))).ConfigureAwait(false);
        }

        string? path = ManifestPath;
        if (path is not null)
        {
            await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path)).ConfigureAwait(false);
        }

        await BesideAsync(
            ClusterArgument.All(ClusterName),
            RecentClusters.Momentary,
            (cluster, op) => path is null
                ? RunAsync(cluster, null, [], op)
                : RunAsync(cluster, Manifests.Read(path, cluster), Manifests.ReadAccepted(path), op),
            path)
            .ConfigureAwait(false);
    }

    internal override async Task EndAsync()
    {
        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await BesideAsync(group.First().ClusterName ?? group.Key, async op =>
                await RunAsync(
                    await op.GetClusterAsync(group.Key).ConfigureAwait(false),
                    [.. group],
                    [],
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    private static async Task RunAsync(
        CmekCluster cluster,
        IReadOnlyList<CmekAccess>? declared,
        IReadOnlyList<AcceptedDifference> accepted,
        Operation op)
    {
        await foreach (CmekDifference difference in Comparing.RunAsync(cluster, declared, accepted, op).ConfigureAwait(false))
        {
            await op.Host.OutputAsync(difference).ConfigureAwait(false);
        }
    }
}
