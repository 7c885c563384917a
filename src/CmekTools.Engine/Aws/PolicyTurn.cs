using CmekTools.Engine.Pacing;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Aws;

/// <summary>
/// Whose turn it is to read and write a key's policy: KMS takes a whole policy whatever it was made from, so that of two who write at
/// once one is lost. Processes with the same state folder take turns by a file in it. A break-glass takes none, for a disk may be what
/// does not answer. Where the file cannot be had the write goes on without.
/// </summary>
internal static class PolicyTurn
{
    /// <summary>The folder of the files, in the state folder.</summary>
    public const string FolderName = "turns";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Waits for the turn and holds it until the answer is disposed of.</summary>
    /// <param name="stateFolder">The state folder.</param>
    /// <param name="key">The key.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public static async Task<IDisposable> TakeAsync(string stateFolder, KeyArn key, CancellationToken cancellation)
    {
        if (Urgency.Current)
        {
            return new NoTurn();
        }

        string path = Path.Combine(stateFolder, FolderName, JournalWriter.HashOf(key.Text)[..16] + ".lock");
        try
        {
            StateFiles.EnsureFolder(Path.GetDirectoryName(path)!);

            // A lock waits with its thread, which others want.
            return await Task.Factory.StartNew(
                () => FileLock.Hold(path, s_patience),
                cancellation,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            return new NoTurn();
        }
    }

    private sealed class NoTurn : IDisposable
    {
        public void Dispose()
        {
        }
    }
}
