using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>
/// Writes a text where a command's <c>-Path</c> says, and overwrites nothing that says something else unless it is told to.
/// </summary>
internal static class TextExport
{
    /// <summary>Writes it; the file comes out as a file object, also where it says the same already.</summary>
    /// <param name="command">The cmdlet.</param>
    /// <param name="given">The path as it was given.</param>
    /// <param name="what">What is written, for the question.</param>
    /// <param name="text">The text.</param>
    /// <param name="force">Overwrite.</param>
    /// <exception cref="CmekException"><c>FileExists</c>, <c>FileUnwritable</c>.</exception>
    public static async Task WriteAsync(PipelineCommand command, string given, string what, string text, bool force)
    {
        string path = string.Empty;
        await command.Pipeline.OnPipelineAsync(
            () => path = command.SessionState.Path.GetUnresolvedProviderPathFromPSPath(given)).ConfigureAwait(false);
        try
        {
            if (File.Exists(path) && !force)
            {
                if (
                    !string.Equals(
                        await File.ReadAllTextAsync(path, command.Cancellation).ConfigureAwait(false),
                        text,
                        StringComparison.Ordinal))
                {
                    throw new CmekException(
                        "FileExists",
                        CmekErrorKind.ResourceExists,
                        $"{path} is there already and says something else.",
                        "Give another -Path, or -Force to overwrite it.",
                        path);
                }
            }
            else if (await command.Pipeline.ShouldProcessAsync(path, $"write {what}{Environment.NewLine}{text}").ConfigureAwait(false))
            {
                await File.WriteAllTextAsync(path, text, command.Cancellation).ConfigureAwait(false);
            }
            else
            {
                return;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException(
                "FileUnwritable",
                CmekErrorKind.WriteError,
                $"{path} cannot be written: {e.Message}",
                "Give another -Path, in a folder that is there and that you may write to.",
                path,
                e);
        }

        // As Get-Item gives it: a bare FileInfo has neither size nor mode in PowerShell's own view of files.
        IEnumerable<PSObject> files = [];
        await command.Pipeline.OnPipelineAsync(
            () => files = command.InvokeProvider.Item.Get([path], force: true, literalPath: true)).ConfigureAwait(false);
        foreach (PSObject file in files)
        {
            await command.Pipeline.OutputAsync(file).ConfigureAwait(false);
        }
    }
}
