using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.State;

namespace CmekTools.Module;

/// <summary>The base of the cmdlets that read files of the state folder: they need no connection.</summary>
public abstract class StateCommand : PipelineCommand
{
    /// <summary>The connection whose files are read.</summary>
    [Parameter]
    [ValidateNotNull]
    public CmekSession? Session { get; set; }

    /// <summary>The state folder; the connection's, or the platform's where there is none.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? StateFolder { get; set; }

    /// <summary>The folder that is to be read.</summary>
    internal async Task<string> FolderAsync()
    {
        string folder = ((Session ?? RunspaceSession)?.Context as SessionContext)?.Journal.Folder ?? JournalWriter.DefaultFolder();
        if (StateFolder is not null)
        {
            await Pipeline.OnPipelineAsync(() => folder = SessionState.Path.GetUnresolvedProviderPathFromPSPath(StateFolder)).ConfigureAwait(false);
        }

        return folder;
    }
}
