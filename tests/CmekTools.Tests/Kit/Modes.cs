namespace CmekTools.Tests.Kit;

/// <summary>Modes of files, on platforms that have them.</summary>
internal static class Modes
{
    /// <summary>The owner's alone.</summary>
    public const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Sets a mode.</summary>
    public static void Set(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    /// <summary>Makes a folder that is its owner's alone.</summary>
    public static string Folder(string path)
    {
        Directory.CreateDirectory(path);
        Set(path, Own);
        return path;
    }
}
