using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Engine.State;

/// <summary>
/// The secret that receipts are sealed with: 32 random bytes in a file that is this user's alone, whichever state folder is used.
/// CMEKTOOLS_SEAL names another file, for those who carry one secret to several machines.
/// </summary>
internal sealed class SealSecret(Func<string?> path)
{
    /// <summary>The bytes of a secret.</summary>
    public const int Size = 32;

    /// <summary>This user's secret.</summary>
    public static SealSecret Own { get; } = new(DefaultPath);

    /// <summary>Its file; null where the user has no folder of his own and CMEKTOOLS_SEAL is not set.</summary>
    public string? FilePath => path();

    /// <summary>The name of a secret, which says nothing about it: the first 16 hexadecimal digits of a hash.</summary>
    public static string NameOf(byte[] secret) =>
        Convert.ToHexString(HMACSHA256.HashData(secret, "cmektools/seal-name"u8.ToArray()))[..16].ToLowerInvariant();

    /// <summary>The secret, or null where there is none, or its file is not this user's alone.</summary>
    public byte[]? Read()
    {
        try
        {
            if (FilePath is not { } file || !File.Exists(file))
            {
                return null;
            }

            // A secret that others can put in place of the own one seals nothing.
            FileOwner.RequireFile(file);
            FileOwner.RequireFolder(Path.GetDirectoryName(file)!);
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & (UnixFileMode.GroupRead | UnixFileMode.OtherRead)) != 0)
            {
                return null;
            }

            byte[] content = Convert.FromHexString(StateFiles.ReadText(file, 4096).Trim());
            return content.Length == Size ? content : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    /// <summary>
    /// The secret; made where there is none. Null where it cannot be kept, or the file that is there is no secret of this user's.
    /// </summary>
    public byte[]? ReadOrMake()
    {
        if (Read() is { } known)
        {
            return known;
        }

        try
        {
            if (FilePath is not { } file || File.Exists(file))
            {
                return Read();
            }

            string folder = Path.GetDirectoryName(file)!;
            StateFiles.EnsureFolder(folder);

            // Whole under another name and then linked into place: of two processes that make it at once, one wins and both use that one.
            string text = Convert.ToHexString(RandomNumberGenerator.GetBytes(Size)).ToLowerInvariant() + "\n";
            string temporary = file + "." + Guid.NewGuid().ToString("N")[..8] + ".tmp";
            try
            {
                StateFiles.WriteNew(temporary, Encoding.ASCII.GetBytes(text));
                File.Move(temporary, file, overwrite: false);
            }
            finally
            {
                File.Delete(temporary);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another process was first, or it cannot be kept: what is there now tells.
        }

        return Read();
    }

    private static string? DefaultPath()
    {
        string? given = Environment.GetEnvironmentVariable("CMEKTOOLS_SEAL");
        if (!string.IsNullOrWhiteSpace(given))
        {
            return Path.GetFullPath(given);
        }

        return StateFolder.UserData() is { } data ? Path.Combine(data, "CmekTools", "seal") : null;
    }
}
