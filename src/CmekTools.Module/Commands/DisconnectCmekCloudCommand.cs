using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Ends this runspace's connection. Nothing at the service changes.</summary>
[Cmdlet(VerbsCommunications.Disconnect, "CmekCloud")]
[OutputType(typeof(void))]
public sealed class DisconnectCmekCloudCommand : PipelineCommand
{
    /// <summary>The connection to end; the runspace's own where not given.</summary>
    [Parameter(ValueFromPipeline = true)]
    [ValidateNotNull]
    [SessionTransformation]
    public CmekSession? Session { get; set; }

    internal override async Task ProcessAsync()
    {
        CmekSession? session = Session ?? RunspaceSession;
        (session?.Context as IDisposable)?.Dispose();
        await Pipeline.OnPipelineAsync(() =>
        {
            if (ReferenceEquals(Sessions.Current, session))
            {
                Sessions.End();
            }
        }).ConfigureAwait(false);
    }
}
