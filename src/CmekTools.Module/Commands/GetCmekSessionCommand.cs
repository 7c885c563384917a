using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Shows this runspace's connection.</summary>
[Cmdlet(VerbsCommon.Get, "CmekSession")]
[OutputType(typeof(CmekSession))]
public sealed class GetCmekSessionCommand : PipelineCommand
{
    internal override Task EndAsync() => RunspaceSession is null ? Task.CompletedTask : Pipeline.OutputAsync(RunspaceSession);
}
