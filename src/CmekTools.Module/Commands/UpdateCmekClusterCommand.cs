using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Moves regions to other keys, or with -Rewrap wraps the store key anew under the newest version of the same keys.</summary>
[Cmdlet(VerbsData.Update, "CmekCluster", DefaultParameterSetName = AccessSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class UpdateCmekClusterCommand : AccessCommand
{
    private const string RewrapSet = "Rewrap";
    private const string RewrapAccessSet = "RewrapAccess";

    /// <summary>Send the same keys again, so that their newest version is used.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RewrapSet)]
    [Parameter(Mandatory = true, ParameterSetName = RewrapAccessSet)]
    public SwitchParameter Rewrap { get; set; }

    /// <summary>The accesses; with -Rewrap the clusters and regions that they say.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, ParameterSetName = RewrapAccessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Access")]
    [AccessTransformation]
    public override CmekAccess[] InputObject { get; set; } = [];

    /// <summary>The cluster, with -Rewrap one or several: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ManifestSet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = KeySet, ValueFromPipeline = true)]
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = RewrapSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override object[] ClusterName { get; set; } = [];

    /// <summary>
    /// The regions, in the order of the keys; with -Rewrap only these; where not given, those that the records name, or all.
    /// </summary>
    [Parameter(Mandatory = true, ParameterSetName = KeySet)]
    [Parameter(ParameterSetName = RewrapSet)]
    [Parameter(ParameterSetName = RewrapAccessSet)]
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
        if (!Rewrap)
        {
            await base.ProcessAsync().ConfigureAwait(false);
            return;
        }

        await RegionsBesideAsync(
            ClusterArgument.All([.. ClusterName, .. InputObject]),
            RecentClusters.Lasting,
            RewrapAsync).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    internal override string Otherwise => " Or -Rewrap, to have the same keys' newest version used.";

    internal override async Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, Operation op) =>
        await op.Host.OutputAsync(
            await Updating.MoveAsync(cluster, accesses, RotateKey, AllowPastKey, Options, op).ConfigureAwait(false)).ConfigureAwait(false);

    private async Task RewrapAsync(CmekCluster cluster, IReadOnlyList<string> named, Operation op) =>
        await op.Host.OutputAsync(
            await Updating.RewrapAsync(cluster, Region.Length > 0 ? Region : named, RotateKey, Options, op)
                .ConfigureAwait(false)).ConfigureAwait(false);
}
