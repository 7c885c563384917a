using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Text;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.State;

/// <summary>Looks whether files and folders are the user's alone, before anything is written there.</summary>
internal static class FileOwner
{
    private const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Refuses a folder in which others could put, change or replace files.</summary>
    /// <exception cref="UnsafeFileException">It is one.</exception>
    public static void RequireFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        UnixFileMode mode = File.GetUnixFileMode(folder);
        if ((mode & OthersWrite) != 0)
        {
            throw new UnsafeFileException(
                $"others may write in the folder {folder} (mode {Convert.ToString((int)mode & 0xFFF, 8)}).",
                $"Make it yours alone: chmod 700 {BashText.Quote(folder)}");
        }

        if (Foreign(folder) is { } owner)
        {
            throw new UnsafeFileException(
                $"the folder {folder} belongs to another user (id {owner}).",
                "Set CMEKTOOLS_STATE to a folder of your own, and connect again.");
        }
    }

    /// <summary>Refuses a file that is a link or another user's. One that is not there is fine.</summary>
    /// <exception cref="UnsafeFileException">It is one.</exception>
    public static void RequireFile(string path)
    {
        FileInfo file = new(path);
        if (file.LinkTarget is { } target)
        {
            throw new UnsafeFileException(
                $"{path} is a link to {target}, and would be written there.",
                OperatingSystem.IsWindows() ? "Remove the link." : $"Look who made the link, and remove it: rm {BashText.Quote(path)}");
        }

        if (!file.Exists || OperatingSystem.IsWindows())
        {
            return;
        }

        if ((file.UnixFileMode & OthersWrite) != 0)
        {
            throw new UnsafeFileException(
                $"others may write to {path} (mode {Convert.ToString((int)file.UnixFileMode & 0xFFF, 8)}).",
                $"Look at what it says, and make it yours alone: chmod 600 {BashText.Quote(path)}");
        }

        if (Foreign(path) is { } owner)
        {
            throw new UnsafeFileException(
                $"{path} belongs to another user (id {owner}).",
                "Set CMEKTOOLS_STATE to a folder of your own, and connect again.");
        }
    }

    /// <summary>
    /// True for a file as such: no pipe, device or socket, which might never answer. Where it cannot be told, it counts as one.
    /// </summary>
    public static bool IsPlainFile(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            return true;
        }

        try
        {
            uint[] status = new uint[64];
            const uint Kind = 0xF000;
            const uint Regular = 0x8000;
            return Native.LinkStatus([.. Encoding.UTF8.GetBytes(path), 0], status) != 0 || (status[1] & Kind) == Regular;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return true;
        }
    }

    // The id of the owner where that is neither this user nor root; null where it is, or cannot be told.
    [UnsupportedOSPlatform("windows")]
    private static uint? Foreign(string path)
    {
        try
        {
            uint me = Native.EffectiveUser();
            uint[] status = new uint[64];
            if (Native.LinkStatus([.. Encoding.UTF8.GetBytes(path), 0], status) != 0)
            {
                return null;
            }

            // Flags, mode, user, group: the mode shows whether the runtime still hands it out in this order.
            const uint Permissions = 0xFFF;
            bool known = (status[1] & Permissions) == ((uint)File.GetUnixFileMode(path) & Permissions);
            return known && status[2] != me && status[2] != 0 ? status[2] : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    private static class Native
    {
        // The runtime's own library, which knows each platform's layout of stat.
        [DllImport("libSystem.Native", EntryPoint = "SystemNative_LStat", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
        public static extern int LinkStatus(byte[] path, [Out] uint[] status);

        [DllImport("libSystem.Native", EntryPoint = "SystemNative_GetEUid")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
        public static extern uint EffectiveUser();
    }
}
