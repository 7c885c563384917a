namespace CmekTools.Engine.State;

/// <summary>
/// The ids of the receipts that were closed, beside the seal's secret: a copy of a receipt from before it was closed has a good seal, and must
/// not open it again.
/// </summary>
internal sealed class ClosedReceipts(SealSecret secret)
{
    /// <summary>This user's.</summary>
    public static ClosedReceipts Own { get; } = new(SealSecret.Own);

    private string? FilePath => secret.FilePath is { } file ? file + ".closed" : null;

    /// <summary>Was a receipt of this id closed here?</summary>
    public bool Contains(string id)
    {
        try
        {
            return FilePath is { } file && File.Exists(file) && StateFiles.ReadText(file).Split('\n').Contains(id, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The seal itself is no worse for it.
            return false;
        }
    }

    /// <summary>Writes down that a receipt is closed. That the receipt itself says so is what counts; this only stops copies.</summary>
    public void Add(string id)
    {
        try
        {
            if (FilePath is { } file && !Contains(id))
            {
                StateFiles.AppendLine(file, _ => id);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
        }
    }
}
