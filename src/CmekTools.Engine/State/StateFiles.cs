using System.Text;

namespace CmekTools.Engine.State;

/// <summary>
/// Files that only their owner may read and write, that no link leads elsewhere, and that are whole or cut short when a process stops
/// in the middle. Whatever is wrong with a file or its folder is an <see cref="IOException"/> or an <see
/// cref="UnauthorizedAccessException"/>; one that the user can mend says how (<see cref="UnsafeFileException"/>).
/// </summary>
internal static class StateFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The most that is read of one file, in bytes: a hostile or runaway file must not take the session's memory.</summary>
    public const long ReadLimit = 64L * 1024 * 1024;

    /// <summary>Makes a folder that only its owner may enter, or looks whether the one that is there is such a one.</summary>
    /// <exception cref="UnsafeFileException">Others could write in it, or it belongs to somebody else.</exception>
    public static void EnsureFolder(string folder)
    {
        if (!Directory.Exists(folder))
        {
            if (OperatingSystem.IsWindows())
            {
                WindowsAccess.CreateOwnersFolder(folder);
            }
            else
            {
                Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
            }
        }

        FileOwner.RequireFolder(folder);
    }

    /// <summary>
    /// Appends what a function makes of the file's last line, as one write, flushed to disk. No two processes are in here for the same
    /// file at the same time. What an earlier stop cut short is closed first, so that it cannot swallow the new line; no earlier byte
    /// is ever changed, but for what this call itself wrote before the disk was full.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="next">Makes the line (without its end) from the last whole line, which is null in a new file.</param>
    /// <param name="written">Is told once the line is on disk, while nobody else writes.</param>
    public static void AppendLine(string path, Func<string?, string> next, Action? written = null) =>
        AppendLines(path, last => [next(last)], written);

    /// <summary>Appends several lines, as <see cref="AppendLine"/> does one: one write, and one wait for the disk.</summary>
    /// <param name="path">The file.</param>
    /// <param name="next">Makes the lines (without their ends) from the last whole line, which is null in a new file.</param>
    /// <param name="written">Is told once the lines are on disk, while nobody else writes.</param>
    public static void AppendLines(string path, Func<string?, IReadOnlyList<string>> next, Action? written = null)
    {
        EnsureFolder(Path.GetDirectoryName(path)!);
        using FileStream held = FileLock.Hold(path + ".lock");
        FileOwner.RequireFile(path);
        FileStreamOptions options = Options(FileMode.OpenOrCreate, FileAccess.ReadWrite);
        options.BufferSize = 0;
        using FileStream file = new(path, options);
        long end = file.Length;
        (string? last, bool whole) = Tail(file, end);
        byte[] bytes = Encoding.UTF8.GetBytes((whole ? string.Empty : "\n") + string.Join("\n", next(last)) + "\n");
        file.Position = end;
        try
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
            written?.Invoke();
        }
        catch (IOException)
        {
            // A half-written line (full disk) is taken back. The lock makes sure that nothing of another process stands behind it.
            file.SetLength(end);
            throw;
        }
    }

    /// <summary>
    /// Writes a whole file under another name, flushes it and moves it into place: a reader sees the old one or the new one.
    /// </summary>
    public static void WriteWhole(string path, string text)
    {
        EnsureFolder(Path.GetDirectoryName(path)!);
        FileOwner.RequireFile(path);
        string temporary = path + "." + Guid.NewGuid().ToString("N")[..8] + ".tmp";
        try
        {
            using (FileStream file = new(temporary, Options(FileMode.CreateNew, FileAccess.Write)))
            {
                file.Write(Encoding.UTF8.GetBytes(text));
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Writes a new file; one of that name is left as it is.</summary>
    /// <exception cref="IOException">There is one already.</exception>
    public static void WriteNew(string path, byte[] content)
    {
        using FileStream file = new(path, Options(FileMode.CreateNew, FileAccess.Write));
        file.Write(content);
        file.Flush(flushToDisk: true);
    }

    /// <summary>Appends a text under the file's lock, without waiting for the disk.</summary>
    public static void AppendTo(string path, string text)
    {
        using FileStream held = FileLock.Hold(path + ".lock", TimeSpan.FromSeconds(1));
        FileOwner.RequireFile(path);
        FileStreamOptions options = Options(FileMode.OpenOrCreate, FileAccess.Write);
        options.BufferSize = 0;
        using FileStream file = new(path, options);
        file.Position = file.Length;
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Writes a short file in place, without waiting for the disk: for what is only good to have.</summary>
    public static void Overwrite(string path, string text)
    {
        FileStreamOptions options = Options(FileMode.Create, FileAccess.Write);
        using FileStream file = new(path, options);
        file.Write(Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Reads a text file of a bearable size.</summary>
    /// <param name="path">The file.</param>
    /// <param name="limit">The most bytes.</param>
    public static string ReadText(string path, long limit = ReadLimit)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (file.CanSeek && file.Length > limit)
        {
            throw new IOException($"it has {file.Length / (1024 * 1024)} MiB, and {limit / (1024 * 1024)} is the most that is read.");
        }

        // A pipe or a file that grows says nothing of its length beforehand.
        using MemoryStream content = new();
        byte[] buffer = new byte[81920];
        int read;
        while ((read = file.Read(buffer)) > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > limit)
            {
                throw new IOException($"it is longer than the {limit / (1024 * 1024)} MiB that are read.");
            }
        }

        content.Position = 0;
        using StreamReader reader = new(content, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static FileStreamOptions Options(FileMode mode, FileAccess access)
    {
        FileStreamOptions options = new() { Mode = mode, Access = access, Share = FileShare.ReadWrite | FileShare.Delete };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return options;
    }

    // The last whole line, and whether the file ends with one.
    private static (string? Last, bool Whole) Tail(FileStream file, long end)
    {
        if (end == 0 || !file.CanSeek)
        {
            return (null, true);
        }

        // From the end in growing pieces: a line is short, a file may be long.
        for (int size = 8192; ; size *= 4)
        {
            int length = (int)Math.Min(size, end);
            byte[] piece = new byte[length];
            file.Position = end - length;
            file.ReadExactly(piece);
            bool whole = piece[^1] == '\n';
            int stop = Array.LastIndexOf(piece, (byte)'\n');
            int start = stop < 1 ? -1 : Array.LastIndexOf(piece, (byte)'\n', stop - 1);
            if (stop >= 0 && (start >= 0 || length == end))
            {
                return (Encoding.UTF8.GetString(piece, start + 1, stop - start - 1), whole);
            }

            if (length == end || size > ReadLimit / 4)
            {
                return (null, whole);
            }
        }
    }
}
