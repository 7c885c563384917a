using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Reads what the Cloud API says about a cluster's CMEK.</summary>
[Cmdlet(VerbsCommon.Get, "CmekStatus", DefaultParameterSetName = NameSet)]
[OutputType(typeof(CmekStatus))]
public sealed class GetCmekStatusCommand : ClusterCommand
{
    internal override async Task ProcessAsync()
    {
        CmekCluster cluster = await ResolveClusterAsync().ConfigureAwait(false);
        CmekStatus status = await Context.Cloud.GetCmekAsync(cluster, Cancellation).ConfigureAwait(false);
        await Settling.ByStatusAsync(cluster, status, Op).ConfigureAwait(false);
        await Pipeline.OutputAsync(status).ConfigureAwait(false);
    }
}
