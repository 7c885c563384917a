namespace CmekTools.Engine.State;

/// <summary>
/// A lock between processes: a file that one of them has open for itself. It goes with its holder, however that one ends.
/// </summary>
internal static class FileLock
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>Waits for the lock and holds it until the stream is closed.</summary>
    /// <param name="path">The lock's file.</param>
    /// <param name="patience">The longest wait; null: 30 seconds.</param>
    /// <exception cref="IOException">Others held it all the time, or the file cannot be made.</exception>
    public static FileStream Hold(string path, TimeSpan? patience = null)
    {
        FileStreamOptions options = new()
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        FileOwner.RequireFile(path);
        long start = Environment.TickCount64;
        while (true)
        {
            try
            {
                return new FileStream(path, options);
            }
            catch (IOException e) when (e is not (DirectoryNotFoundException or FileNotFoundException or PathTooLongException)
                && File.Exists(path) && Environment.TickCount64 - start < (patience ?? s_patience).TotalMilliseconds)
            {
                // Somebody else writes a line just now. The pause is uneven so that many do not wait in step.
                Thread.Sleep(Random.Shared.Next(1, 6));
            }
        }
    }
}
