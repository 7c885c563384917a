using System.Globalization;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>A receipt with its file and what its seal says.</summary>
/// <param name="Path">The file.</param>
/// <param name="Document">What it says.</param>
/// <param name="Seal">Whether that is what this user's CmekTools wrote.</param>
internal sealed record StoredReceipt(string Path, ReceiptDocument Document, CmekSealState Seal)
{
    /// <summary>The public head of the receipt.</summary>
    public CmekReceipt ToPublic() => Document.ToPublic(Path) with { Seal = Seal };
}

/// <summary>Where a receipt lies in the end.</summary>
internal enum SavedPlace
{
    /// <summary>Where it was to lie.</summary>
    StateFolder,

    /// <summary>In the folder for temporary files, because the state folder cannot be written.</summary>
    TemporaryFolder,

    /// <summary>Nowhere: whoever runs the command has to be given <see cref="SavedReceipt.Text"/>.</summary>
    Nowhere,
}

/// <summary>A receipt that was written as well as it could be.</summary>
/// <param name="Place">Where it lies.</param>
/// <param name="Path">The file; null where it lies nowhere.</param>
/// <param name="Text">The receipt's text, sealed.</param>
/// <param name="Why">Why it is not in the state folder; null where it is.</param>
internal sealed record SavedReceipt(SavedPlace Place, string? Path, string Text, string? Why);

/// <summary>The folder of receipts: one file a revocation.</summary>
internal sealed class ReceiptStore(string stateFolder)
{
    private const string Purpose = "cmektools/receipt";
    private const int SizeLimit = 16 * 1024 * 1024;

    /// <summary>The folder.</summary>
    public string Folder { get; } = System.IO.Path.Combine(stateFolder, "receipts");

    /// <summary>Every receipt, newest first. A file that is no receipt is passed over.</summary>
    public IReadOnlyList<StoredReceipt> List()
    {
        List<StoredReceipt> found = [];
        try
        {
            if (Directory.Exists(Folder))
            {
                foreach (string path in Directory.GetFiles(Folder, "*.json"))
                {
                    try
                    {
                        found.Add(Load(path));
                    }
                    catch (CmekException e) when (e.ErrorId is "ReceiptInvalid" or "ReceiptUnreadable")
                    {
                        // Another program's file, one of a newer version, or one that cannot be read: none of them may stop a break-glass.
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that cannot be listed holds nothing that could be used.
        }

        return [.. found.OrderByDescending(r => r.Document.CreatedAt)];
    }

    /// <summary>
    /// The newest receipt of a cluster whose revocation still stands and which may be acted on unasked: sealed by this user, of this organization.
    /// Null where there is none.
    /// </summary>
    public StoredReceipt? NewestOpen(string clusterId, string organizationId) =>
        Open(clusterId).FirstOrDefault(r => ReceiptTrust.Judge(r, clusterId, organizationId).Standing == ReceiptStanding.Verified);

    /// <summary>Every receipt of a cluster whose revocation still stands, trusted or not, newest first: good for refusing and for telling, not for giving.</summary>
    public IReadOnlyList<StoredReceipt> Open(string clusterId) => [.. List().Where(r => r.Document.ClusterId == clusterId && r.Document.IsOpen)];

    /// <summary>Reads one.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnreadable</c> or <c>ReceiptInvalid</c>.</exception>
    public static StoredReceipt Load(string path)
    {
        string text;
        try
        {
            text = StateFiles.ReadText(path, SizeLimit);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException(
                "ReceiptUnreadable", CmekErrorKind.ReadError, $"The receipt {path} cannot be read: {e.Message}", "Get-CmekReceipt lists the receipts.", path, e);
        }

        JsonObject json = ReceiptDocument.Read(text, path);
        ReceiptDocument document = ReceiptDocument.Parse(json, path);
        CmekSealState seal = Seal.Own.Check(json, Purpose);
        bool closedSince = seal == CmekSealState.Verified && document.IsOpen && ClosedReceipts.Own.Contains(document.Id);
        return new StoredReceipt(path, document, closedSince ? CmekSealState.Broken : seal);
    }

    /// <summary>A file name for a new receipt.</summary>
    public string PathFor(ReceiptDocument document) => System.IO.Path.Combine(Folder, FileName(document));

    /// <summary>Seals a receipt and writes it, whole or not at all.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnwritable</c>: the change that it is for must not be made.</exception>
    public static void Save(string path, ReceiptDocument document)
    {
        try
        {
            StateFiles.WriteWhole(path, Sealed(document));
            if (!document.IsOpen)
            {
                ClosedReceipts.Own.Add(document.Id);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            const string Otherwise = "Free space or mend the permissions, or set CMEKTOOLS_STATE to another folder and connect again";
            string remedy = e is UnsafeFileException unsafeFile ? unsafeFile.Remedy : Otherwise;
            throw new CmekException(
                "ReceiptUnwritable",
                CmekErrorKind.WriteError,
                $"The receipt {path} cannot be written: {e.Message}",
                $"{remedy}. Then run the command again: nothing is done without a receipt, and nothing is done twice.",
                path,
                e);
        }
    }

    /// <summary>
    /// Seals a receipt and writes it where that works: in the state folder, else under a name of its own in the folder for temporary files. It never
    /// fails: a cut must not wait for a disk. Where it lies nowhere, the caller has to tell the text.
    /// </summary>
    public static SavedReceipt SaveOrFallback(string path, ReceiptDocument document)
    {
        string text = Sealed(document);
        string why;
        try
        {
            Save(path, document);
            return new SavedReceipt(SavedPlace.StateFolder, path, text, null);
        }
        catch (CmekException e)
        {
            why = e.Message;
        }

        return Fallback.TryWrite(FileName(document), text) is { } elsewhere
            ? new SavedReceipt(SavedPlace.TemporaryFolder, elsewhere, text, why)
            : new SavedReceipt(SavedPlace.Nowhere, null, text, why);
    }

    private static string Sealed(ReceiptDocument document)
    {
        JsonObject json = document.ToJson();
        Seal.Own.TryAdd(json, Purpose);
        return ReceiptDocument.ToText(json);
    }

    private static string FileName(ReceiptDocument document)
    {
        string name = new([.. document.ClusterName.Take(64).Select(c => char.IsAsciiLetterOrDigit(c) || c == '-' ? c : '_')]);
        string id = new([.. document.Id.Take(64).Where(char.IsAsciiLetterOrDigit)]);
        return $"{name}-{document.CreatedAt.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}-{id}.json";
    }
}
