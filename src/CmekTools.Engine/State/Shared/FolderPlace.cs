using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.State.Shared;

/// <summary>
/// A folder that several users may write in. No file is ever written in place: each version is a file of its own (<c>NAME.v7.json</c>),
/// whole before it has its name, and of two that write over the same version only one gets the name of the next. A plain
/// <c>NAME.json</c>, put there by hand, is version 0.
/// </summary>
internal sealed partial class FolderPlace(string folder) : ISharedPlace
{
    // Longer numbers would overflow before anybody could have written so often.
    private const long LastVersion = 999_999_999_999;

    // So long a version's name stays taken after others wrote over it: whoever looked before them and writes after them is refused it.
    private static readonly TimeSpan s_kept = TimeSpan.FromMinutes(1);

    // Who took longer from the look to the name (a machine that slept) may have been given a name that had been cleared away.
    private static readonly TimeSpan s_away = s_kept / 2;

    /// <inheritdoc/>
    public string Address { get; } = Path.GetFullPath(folder);

    /// <inheritdoc/>
    public string RemovalOf(string name)
    {
        string every = Path.Combine(Address, name[..^".json".Length] + ".*json");
        return OperatingSystem.IsWindows()
            ? $"Remove-Item {PowerShellText.Quote(every)}"
            : $"rm {BashText.Quote(every[..^".*json".Length])}.*json";
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<SharedEntry>> ListAsync(string shelf, CancellationToken cancellation) => Run<IReadOnlyList<SharedEntry>>(
        () =>
        {
            Dictionary<string, (long Version, FileInfo File)> newest = new(StringComparer.Ordinal);
            foreach (FileInfo file in Files(shelf, "*"))
            {
                cancellation.ThrowIfCancellationRequested();
                (string name, long version) = Split(file.Name);
                if (SharedNames.IsPlain(name) && (!newest.TryGetValue(name, out var had) || had.Version < version))
                {
                    newest[name] = (version, file);
                }
            }

            return [.. newest.Select(n => new SharedEntry(
                SharedNames.Of(shelf, n.Key),
                Text(n.Value.Version),
                n.Value.File.Length,
                new DateTimeOffset(n.Value.File.LastWriteTimeUtc, TimeSpan.Zero)))];
        },
        cancellation);

    /// <inheritdoc/>
    public Task<SharedText?> ReadAsync(string name, int limit, CancellationToken cancellation) => Run(
        () =>
        {
            // The newest may be replaced and cleared away between the look and the opening.
            for (int attempt = 0; ; attempt++)
            {
                if (Newest(name) is not { } newest)
                {
                    return null;
                }

                try
                {
                    return new SharedText(StateFiles.ReadText(newest.Path, limit), Text(newest.Version));
                }
                catch (FileNotFoundException) when (attempt < 20)
                {
                    cancellation.ThrowIfCancellationRequested();
                }
            }
        },
        cancellation);

    /// <inheritdoc/>
    public Task<string?> WriteAsync(string name, string text, string? over, CancellationToken cancellation) => Run<string?>(
        () =>
        {
            DateTimeOffset looked = DateTimeOffset.UtcNow;
            long? there = Newest(name)?.Version;
            if ((there is { } version ? Text(version) : null) != over)
            {
                return null;
            }

            long next = (there ?? 0) + 1;
            if (next > LastVersion)
            {
                throw new IOException($"{name} has a version that nobody can have written. Look who did, and remove it: {RemovalOf(name)}");
            }

            string shelf = EnsureShelf(name);
            string path = PathOf(shelf, SharedNames.FileOf(name), next);
            string temporary = Path.Combine(shelf, $".tmp-{Guid.NewGuid():N}");
            try
            {
                WriteNew(temporary, text);
                if (!TryGiveName(temporary, path))
                {
                    return null;
                }
            }
            finally
            {
                File.Delete(temporary);
            }

            // A later one is there because somebody read this one and went on from it, or because this one came too late.
            if ((DateTimeOffset.UtcNow - looked).Duration() > s_away && Newest(name) is { } after && after.Version > next)
            {
                File.Delete(path);
                return null;
            }

            ClearBefore(name, next - 1, File.GetLastWriteTimeUtc(path) - s_kept);
            return Text(next);
        },
        cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static string Text(long version) => version.ToString(CultureInfo.InvariantCulture);

    private static string PathOf(string shelf, string file, long version) =>
        Path.Combine(shelf, $"{file[..^".json".Length]}.v{Text(version)}.json");

    private static (string Name, long Version) Split(string file) =>
        Numbered().Match(file) is { Success: true } match
            ? (match.Groups["name"].Value + ".json", long.Parse(match.Groups["version"].Value, CultureInfo.InvariantCulture))
            : (file, 0);

    private (string Path, long Version)? Newest(string name)
    {
        string file = SharedNames.FileOf(name);
        (string Path, long Version)? newest = null;
        foreach (FileInfo found in Files(name[..name.IndexOf('/', StringComparison.Ordinal)], file[..^".json".Length] + ".*"))
        {
            (string own, long version) = Split(found.Name);
            if (own == file && (newest is null || newest.Value.Version < version))
            {
                newest = (found.FullName, version);
            }
        }

        return newest;
    }

    // What is no plain file (a link to elsewhere, a pipe that would never answer) is not there.
    private IEnumerable<FileInfo> Files(string shelf, string pattern)
    {
        RequireRoot();
        DirectoryInfo directory = new(Path.Combine(Address, shelf));
        RequireNoLink(directory);
        return directory.Exists
            ? directory.EnumerateFiles(pattern).Where(
                f => f.Extension == ".json" && f.LinkTarget is null && FileOwner.IsPlainFile(f.FullName))
            : [];
    }

    private string EnsureShelf(string name)
    {
        RequireRoot();
        DirectoryInfo shelf = new(Path.Combine(Address, name[..name.IndexOf('/', StringComparison.Ordinal)]));
        RequireNoLink(shelf);
        if (!shelf.Exists)
        {
            shelf.Create();
            if (!OperatingSystem.IsWindows())
            {
                // Whoever may write in the folder may write on its shelves, whatever the maker's mask is.
                File.SetUnixFileMode(shelf.FullName, File.GetUnixFileMode(Address));
            }
        }

        return shelf.FullName;
    }

    // One that is made here where a drive is not mounted would be shared with nobody.
    private void RequireRoot()
    {
        if (!Directory.Exists(Address))
        {
            throw new IOException($"the folder {Address} is not there.");
        }
    }

    private static void RequireNoLink(DirectoryInfo shelf)
    {
        if (shelf.LinkTarget is { } target)
        {
            throw new IOException($"{shelf.FullName} is a link to {target}.");
        }
    }

    private void WriteNew(string path, string text)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        using (FileStream file = new(path, options))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        if (!OperatingSystem.IsWindows())
        {
            const UnixFileMode Most = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;
            File.SetUnixFileMode(path, File.GetUnixFileMode(Address) & Most);
        }
    }

    // A rename would go over a file that somebody else has just made; a second name for the same file does not.
    private static bool TryGiveName(string temporary, string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                File.Move(temporary, path, overwrite: false);
                return true;
            }
            catch (IOException) when (File.Exists(path))
            {
                return false;
            }
        }

        try
        {
            if (Native.Link([.. Encoding.UTF8.GetBytes(temporary), 0], [.. Encoding.UTF8.GetBytes(path), 0]) == 0)
            {
                return true;
            }
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
        }

        if (File.Exists(path))
        {
            return false;
        }

        // A file system without second names: the name is taken first and filled then.
        try
        {
            using FileStream to = new(path, FileMode.CreateNew, FileAccess.Write);
            using FileStream from = new(temporary, FileMode.Open, FileAccess.Read);
            from.CopyTo(to);
            to.Flush(flushToDisk: true);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
    }

    // The one before stays for those who are about to open it, and what was written a moment ago for those who are about to write over
    // it. Times are compared among the files: the clock is the file system's.
    private void ClearBefore(string name, long version, DateTime writtenBefore)
    {
        string file = SharedNames.FileOf(name);
        foreach (FileInfo found in Files(name[..name.IndexOf('/', StringComparison.Ordinal)], file[..^".json".Length] + ".*"))
        {
            (string own, long number) = Split(found.Name);
            if (own == file && number < version && found.LastWriteTimeUtc < writtenBefore)
            {
                try
                {
                    found.Delete();
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Another user's in a folder with the sticky bit: it is old, and in nobody's way.
                }
            }
        }
    }

    private static Task<T> Run<T>(Func<T> work, CancellationToken cancellation) => Task.Run(
        () =>
        {
            try
            {
                return work();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
            {
                throw new SharedPlaceException(e.Message, e);
            }
        },
        cancellation);

    [GeneratedRegex(@"^(?<name>.+)\.v(?<version>[0-9]{1,12})\.json\z", RegexOptions.CultureInvariant)]
    private static partial Regex Numbered();

    private static class Native
    {
        [DllImport("libSystem.Native", EntryPoint = "SystemNative_Link", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
        public static extern int Link(byte[] path, byte[] name);
    }
}
