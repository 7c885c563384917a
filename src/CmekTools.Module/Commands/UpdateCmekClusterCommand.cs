using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Moves regions to other keys, or with -Rewrap wraps the store key anew under the newest version of the same keys.</summary>
[Cmdlet(VerbsData.Update, "CmekCluster", DefaultParameterSetName = AccessSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class UpdateCmekClusterCommand : AccessCommand
{
    private const string RewrapNameSet = "RewrapName";
    private const string RewrapClusterSet = "RewrapCluster";

    /// <summary>Send the same keys again, so that their newest version is used.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RewrapNameSet)]
    [Parameter(Mandatory = true, ParameterSetName = RewrapClusterSet)]
    public SwitchParameter Rewrap { get; set; }

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ManifestSet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = KeySet)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = RewrapNameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster to wrap anew.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RewrapClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>The regions, in the order of the keys; with -Rewrap only these, or all where not given.</summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [Parameter(ParameterSetName = RewrapNameSet)]
    [Parameter(ParameterSetName = RewrapClusterSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public override string[] Region { get; set; } = [];

    /// <summary>Make a new key version at the provider first.</summary>
    [Parameter]
    public SwitchParameter RotateKey { get; set; }

    /// <summary>Keys that a region has moved away from are meant: without it nothing goes back to a past key.</summary>
    [Parameter(ParameterSetName = AccessSet)]
    [Parameter(ParameterSetName = ManifestSet)]
    [Parameter(ParameterSetName = KeySet)]
    public SwitchParameter AllowPastKey { get; set; }

    internal override async Task ProcessAsync()
    {
        await base.ProcessAsync().ConfigureAwait(false);
        if (Cluster is not null)
        {
            string id = Cluster.Id;
            await BesideAsync(Cluster.Name, async op =>
                await RewrapAsync(await op.RecentClusterAsync(id, RecentClusters.Lasting).ConfigureAwait(false), op).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        if (Rewrap && ClusterName.Length > 0)
        {
            await BesideAsync(ClusterName, async op =>
                await RewrapAsync(await ClusterLookup.ByNameAsync(ClusterName, op).ConfigureAwait(false), op).ConfigureAwait(false)).ConfigureAwait(false);
            return;
        }

        await base.EndAsync().ConfigureAwait(false);
    }

    internal override async Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, Operation op) =>
        await op.Host.OutputAsync(await Updating.MoveAsync(cluster, accesses, RotateKey, AllowPastKey, Options, op).ConfigureAwait(false)).ConfigureAwait(false);

    private async Task RewrapAsync(CmekCluster cluster, Operation op) =>
        await op.Host.OutputAsync(await Updating.RewrapAsync(cluster, Region, RotateKey, Options, op).ConfigureAwait(false)).ConfigureAwait(false);
}
