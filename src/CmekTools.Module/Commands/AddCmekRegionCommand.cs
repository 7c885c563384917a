using CmekTools.Engine;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Adds a region with its key to an encrypted cluster; the other regions stay as they are.</summary>
[Cmdlet(VerbsCommon.Add, "CmekRegion", DefaultParameterSetName = AccessSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class AddCmekRegionCommand : AccessCommand
{
    /// <summary>How many nodes each new region gets.</summary>
    [Parameter(Mandatory = true)]
    [ValidateRange(1, 999)]
    public int NodeCount { get; set; }

    internal override async Task ActAsync(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, Operation op) =>
        await op.Host.OutputAsync(
            await AddingRegion.AddAsync(cluster, accesses, NodeCount, Options, op).ConfigureAwait(false)).ConfigureAwait(false);
}
