using System.Globalization;

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
