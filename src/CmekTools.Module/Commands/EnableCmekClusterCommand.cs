using CmekTools.Engine;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Switches clusters to the customer's keys.</summary>
[Cmdlet(VerbsLifecycle.Enable, "CmekCluster", DefaultParameterSetName = AccessSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class EnableCmekClusterCommand : AccessCommand
{
    /// <inheritdoc/>
    internal override bool ActsWhenComplete => true;

    internal override async Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, Operation op) =>
        await op.Host.OutputAsync(await Enabling.EnableAsync(cluster, accesses, Options, op).ConfigureAwait(false)).ConfigureAwait(false);
}
