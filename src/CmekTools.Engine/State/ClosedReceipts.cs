using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Engine.State;

/// <summary>
/// The ids of the receipts that were closed, beside the seal's secret: a copy of a receipt from before it was closed has a good seal,
/// and must not open it again.
/// </summary>
internal sealed class ClosedReceipts(SealSecret secret)
{
    /// <summary>This user's.</summary>
    public static ClosedReceipts Own { get; } = new(SealSecret.Own);

    private string? FilePath => secret.FilePath is { } file ? file + ".closed" : null;

    /// <summary>Was a receipt of this id closed here, at this revision or a later one?</summary>
    public bool Contains(string id, long revision)
    {
        try
        {
            return FilePath is { } file && File.Exists(file)
                && StateFiles.ReadText(file).Split('\n').Any(line => Closes(line, id, revision));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The seal itself is no worse for it.
            return false;
        }
    }

    /// <summary>When a file that this user did not seal was seen to be undone, by its content; null where it was not.</summary>
    public DateTimeOffset? UndoneAt(string content)
    {
        string name = NameOf(content);
        try
        {
            return FilePath is { } file && File.Exists(file)
                && StateFiles.ReadText(file).Split('\n').Select(l => l.Split(' ')).LastOrDefault(p => p[0] == name) is [_, { } at]
                && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
                    ? DateTimeOffset.FromUnixTimeSeconds(seconds)
                    : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            return null;
        }
    }

    /// <summary>
    /// Writes down that what a file says has been undone. The file is left as it is: it is not this user's to seal, and its id may be
    /// any other receipt's.
    /// </summary>
    public void AddUndone(string content, DateTimeOffset at)
    {
        try
        {
            if (FilePath is { } file && UndoneAt(content) is null)
            {
                StateFiles.AppendLine(
                    file,
                    _ => string.Create(CultureInfo.InvariantCulture, $"{NameOf(content)} {at.ToUnixTimeSeconds()}"));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    // No id has a colon: ids are letters and digits.
    private static string NameOf(string content) =>
        "text:" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(content))).ToLowerInvariant();

    /// <summary>Writes down that a receipt is closed. That the receipt itself says so is what counts; this only stops copies.</summary>
    public void Add(string id, long revision)
    {
        try
        {
            if (FilePath is { } file && !Contains(id, revision))
            {
                StateFiles.AppendLine(file, _ => string.Create(CultureInfo.InvariantCulture, $"{id} {revision}"));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }

    // An earlier CmekTools wrote the id alone.
    private static bool Closes(string line, string id, long revision)
    {
        string[] parts = line.Split(' ');
        return parts[0] == id
            && (
                parts.Length == 1
                    || (long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long closed) && revision <= closed));
    }
}
