using System.Text;

namespace CmekTools.Engine.State;

/// <summary>Files that only their owner may read, and that lose nothing when the machine stops in the middle.</summary>
internal static class StateFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a folder that only its owner may enter.</summary>
    public static void EnsureFolder(string folder)
    {
        if (Directory.Exists(folder))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            // The user's local application data is the user's own there.
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, OwnerOnly | UnixFileMode.UserExecute);
        }
    }

    /// <summary>Appends one line and flushes it to disk. A line that an earlier stop cut short is closed first, so that it cannot swallow this one.</summary>
    public static void AppendLine(string path, string line)
    {
        EnsureFolder(Path.GetDirectoryName(path)!);
        FileStreamOptions options = new() { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.Read };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        using FileStream file = OpenPatiently(path, options);
        long end = file.Length;
        byte[] bytes = Encoding.UTF8.GetBytes(line);
        if (end > 0)
        {
            file.Position = end - 1;
            if (file.ReadByte() != '\n')
            {
                bytes = [(byte)'\n', .. bytes];
            }
        }

        file.Position = end;
        try
        {
            file.Write(bytes);
            file.Flush(flushToDisk: true);
        }
        catch (IOException)
        {
            // A half-written line (full disk) is taken back; earlier lines are never touched.
            file.SetLength(end);
            throw;
        }
    }

    /// <summary>Writes a whole file under another name, flushes it and moves it into place: a reader sees the old one or the new one.</summary>
    public static void WriteWhole(string path, string text)
    {
        EnsureFolder(Path.GetDirectoryName(path)!);
        string temporary = path + "." + Guid.NewGuid().ToString("N")[..8] + ".tmp";
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        try
        {
            using (FileStream file = new(temporary, options))
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

    // Two processes may journal at the same moment; each holds the file for one line.
    private static FileStream OpenPatiently(string path, FileStreamOptions options)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                return new FileStream(path, options);
            }
            catch (IOException) when (attempt < 200 && File.Exists(path))
            {
                Thread.Sleep(10);
            }
        }
    }
}
