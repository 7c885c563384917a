using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Stops a sandbox; what was in it is gone.</summary>
[Cmdlet(VerbsLifecycle.Stop, "CmekSandbox")]
[OutputType(typeof(void))]
public sealed class StopCmekSandboxCommand : PipelineCommand
{
    /// <summary>The sandbox.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekSandbox? Sandbox { get; set; }

    internal override async Task ProcessAsync()
    {
        if (Sandbox?.Server is { } server)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            Sandboxes.Remove(Sandbox);
        }
    }
}
