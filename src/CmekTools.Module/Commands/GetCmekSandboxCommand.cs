using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Lists the sandboxes that run in this process.</summary>
[Cmdlet(VerbsCommon.Get, "CmekSandbox")]
[OutputType(typeof(CmekSandbox))]
public sealed class GetCmekSandboxCommand : PipelineCommand
{
    internal override async Task EndAsync()
    {
        foreach (CmekSandbox sandbox in Sandboxes.Running)
        {
            await Pipeline.OutputAsync(sandbox).ConfigureAwait(false);
        }
    }
}
