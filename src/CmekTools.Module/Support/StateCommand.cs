using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Module;

/// <summary>The base of the cmdlets that read files of the state folder: they need no connection.</summary>
public abstract class StateCommand : PipelineCommand
{
    /// <summary>The connection whose files are read.</summary>
    [Parameter]
    [ValidateNotNull]
    [SessionTransformation]
    public CmekSession? Session { get; set; }

    /// <summary>
    /// The state folder, or a shared state's s3:// or gs:// address; the connection's, or the platform's where there is none.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? StateFolder { get; set; }

    /// <summary>The folder that is to be read.</summary>
    internal async Task<string> FolderAsync()
    {
        SessionContext? context = (Session ?? RunspaceSession)?.Context as SessionContext;
        string folder = context?.Journal.Folder ?? JournalWriter.DefaultFolder();
        string? given = StateFolder is not null && SharedAddress.IsUri(StateFolder) ? StateFolder : null;
        if (ReadsShared)
        {
            await ReadSharedAsync(context, folder, given).ConfigureAwait(false);
        }

        if (StateFolder is not null && given is null)
        {
            await Pipeline.OnPipelineAsync(
                () => folder = SessionState.Path.GetUnresolvedProviderPathFromPSPath(StateFolder)).ConfigureAwait(false);
        }

        return folder;
    }

    /// <summary>True where what others gave to the shared state is to be read too.</summary>
    internal virtual bool ReadsShared => false;

    private async Task ReadSharedAsync(SessionContext? context, string folder, string? given)
    {
        SharedState? own = null;
        SharedState? shared = given is null ? context?.Shared : null;
        if (shared is null && (given ?? (context is null && StateFolder is null ? SharedAddress.OfEnvironment() : null)) is { } address)
        {
            ConnectOptions options = new() { ApiKey = string.Empty, Providers = context?.ProviderOptions ?? new ProviderOptions() };
            shared = own = Connecting.Share(SharedAddress.Parse(address), folder, options);
        }

        if (shared is null)
        {
            return;
        }

        try
        {
            if ((await shared.SyncAsync(insist: true).ConfigureAwait(false)).Why is { } why)
            {
                await Pipeline.WarningAsync(
                    $"The shared state was not read whole: {why} What was read of it before is shown.").ConfigureAwait(false);
            }
        }
        finally
        {
            own?.Dispose();
        }
    }
}
