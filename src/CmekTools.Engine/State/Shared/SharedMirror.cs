using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Engine.State.Shared;

/// <summary>
/// What this machine has taken in of shared places, in the local state folder, a folder each place: every command works with it, so
/// that none depends on the place's answering. What was taken in once is not taken away because the place does not have it any more.
/// </summary>
internal static class SharedMirror
{
    /// <summary>
    /// The most bytes of documents without a seal of this user: whoever floods the place must not slow this machine down.
    /// </summary>
    public const long UnprovenLimit = 8L * 1024 * 1024;

    private const string Outer = "shared";

    /// <summary>The folder of one place.</summary>
    public static string FolderOf(string stateFolder, string address) => Path.Combine(
        stateFolder, Outer, Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(address)))[..16].ToLowerInvariant());

    /// <summary>A folder of this name in each place's.</summary>
    public static IReadOnlyList<string> FoldersOf(string stateFolder, string name)
    {
        string outer = Path.Combine(stateFolder, Outer);
        return Directory.Exists(outer)
            ? [.. Directory.GetDirectories(outer).Select(f => Path.Combine(f, name)).Where(Directory.Exists)]
            : [];
    }

    /// <summary>The bytes of the files in a folder.</summary>
    public static long SizeOf(string folder) =>
        Directory.Exists(folder) ? new DirectoryInfo(folder).EnumerateFiles().Sum(f => f.Length) : 0;
}
