using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Engine.State;

/// <summary>
/// The hash of the line that this user wrote last into a journal, kept beside the seal's secret: a chain alone does not show that its
/// end was cut off, or that the whole file was written anew.
/// </summary>
internal static class JournalHead
{
    /// <summary>The hash, or null where none is known.</summary>
    public static string? Read(string journal)
    {
        try
        {
            return PathOf(journal) is { } path && File.Exists(path) && StateFiles.ReadText(path, 4096).Trim() is { Length: 64 } hash
                ? hash
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes the hash down; while the journal's lock is held. That it works is not needed for anything that is changed.</summary>
    public static void Note(string journal, string hash)
    {
        try
        {
            if (PathOf(journal) is not { } path)
            {
                return;
            }

            StateFiles.EnsureFolder(Path.GetDirectoryName(path)!);
            FileOwner.RequireFile(path);
            StateFiles.Overwrite(path, hash + "\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Less is seen of a cut-off end; nothing else depends on it.
        }
    }

    private static string? PathOf(string journal) => SealSecret.Own.FilePath is { } seal
        ? seal + ".journal-"
            + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(journal))))[..16].ToLowerInvariant()
        : null;
}
