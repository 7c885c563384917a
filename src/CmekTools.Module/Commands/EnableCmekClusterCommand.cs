using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Switches clusters to the customer's keys.</summary>
[Cmdlet(VerbsLifecycle.Enable, "CmekCluster", DefaultParameterSetName = AccessSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class EnableCmekClusterCommand : AccessCommand
{
    internal override async Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses) =>
        await Pipeline.OutputAsync(await Enabling.EnableAsync(cluster, accesses, Options, Op).ConfigureAwait(false)).ConfigureAwait(false);
}
