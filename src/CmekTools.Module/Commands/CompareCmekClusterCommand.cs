using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.Checks;

namespace CmekTools.Module.Commands;

/// <summary>Holds what was declared (a manifest, or accesses) against what is. Nothing comes out where all is as declared.</summary>
[Cmdlet(VerbsData.Compare, "CmekCluster", DefaultParameterSetName = NameSet)]
[OutputType(typeof(CmekDifference))]
public sealed class CompareCmekClusterCommand : FleetCommand
{
    private const string NameSet = "Name";
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private readonly List<CmekAccess> _accesses = [];

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The declaration; where it is not given only the providers' policies are looked at.</summary>
    [Parameter(ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    public string? ManifestPath { get; set; }

    /// <summary>The cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>The declared accesses.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    [Alias("Access")]
    public CmekAccess[] InputObject { get; set; } = [];

    internal override async Task ProcessAsync()
    {
        _accesses.AddRange(InputObject);
        if (Cluster is not null)
        {
            string id = Cluster.Id;
            await BesideAsync(Cluster.Name, async op =>
                await RunAsync(await op.RecentClusterAsync(id, RecentClusters.Momentary).ConfigureAwait(false), null, op).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        if (ClusterName.Length > 0)
        {
            CmekCluster cluster = await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false);
            string? path = ManifestPath;
            if (path is not null)
            {
                await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path)).ConfigureAwait(false);
            }

            IReadOnlyList<CmekAccess>? declared = path is null ? null : Manifests.Read(path, cluster);
            await BesideAsync(cluster.Name, op => RunAsync(cluster, declared, op)).ConfigureAwait(false);
        }

        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await BesideAsync(group.First().ClusterName ?? group.Key, async op =>
                await RunAsync(await op.GetClusterAsync(group.Key).ConfigureAwait(false), [.. group], op).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    private static async Task RunAsync(CmekCluster cluster, IReadOnlyList<CmekAccess>? declared, Operation op)
    {
        await foreach (CmekDifference difference in Comparing.RunAsync(cluster, declared, op).ConfigureAwait(false))
        {
            await op.Host.OutputAsync(difference).ConfigureAwait(false);
        }
    }
}
