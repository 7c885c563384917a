using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Engine.State.Shared;

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
/// <param name="Why">Why it is not in the state folder; null where it is.</param>
internal sealed record SavedReceipt(SavedPlace Place, string? Path, string? Why)
{
    /// <summary>The receipt's text, sealed, where it is not in the state folder; else empty.</summary>
    public string Text { get; init; } = string.Empty;
}

/// <summary>The folder of receipts: one file a revocation.</summary>
internal sealed class ReceiptStore(string stateFolder)
{
    /// <summary>The most bytes of a receipt that is handed to others or taken from them.</summary>
    public const int SharedSizeLimit = 2 * 1024 * 1024;

    /// <summary>The folder of receipts in a state folder, and of those from a shared place that this user sealed.</summary>
    public const string FolderName = "receipts";

    /// <summary>The folder of receipts from a shared place that this user did not seal.</summary>
    public const string UnprovenFolderName = "unproven";

    private const string Purpose = "cmektools/receipt";
    private const int SizeLimit = 16 * 1024 * 1024;
    private static long s_revision;

    /// <summary>The folder.</summary>
    public string Folder { get; } = System.IO.Path.Combine(stateFolder, FolderName);

    /// <summary>
    /// Every receipt that is known here, newest first: this machine's, and what was taken in from shared places. Of copies of one
    /// receipt that this user sealed the latest stands for all. A file that is no receipt is passed over.
    /// </summary>
    public IReadOnlyList<StoredReceipt> List()
    {
        StoredReceipt[] every = [.. Every()];
        Dictionary<string, StoredReceipt> latest = new(StringComparer.Ordinal);
        foreach (StoredReceipt receipt in every.Where(r => r.Seal == CmekSealState.Verified))
        {
            if (!latest.TryGetValue(receipt.Document.Id, out StoredReceipt? other) || other.Document.Revision < receipt.Document.Revision)
            {
                latest[receipt.Document.Id] = receipt;
            }
        }

        return [
            .. every.Where(
                r => r.Seal != CmekSealState.Verified
                    || ReferenceEquals(latest[r.Document.Id], r)).OrderByDescending(r => r.Document.CreatedAt),
        ];
    }

    /// <summary>Every receipt's file, copies too, in no order.</summary>
    public IReadOnlyList<StoredReceipt> Every() =>
        [.. Folders().SelectMany(Files).Select(TryLoad).OfType<StoredReceipt>()];

    /// <summary>
    /// Reads one; null for another program's file, one of a newer version, or one that cannot be read: none of them may stop a
    /// break-glass.
    /// </summary>
    public static StoredReceipt? TryLoad(string path)
    {
        try
        {
            return File.Exists(path) ? Load(path) : null;
        }
        catch (CmekException e) when (e.ErrorId is "ReceiptInvalid" or "ReceiptUnreadable")
        {
            return null;
        }
    }

    /// <summary>True for one of the files that this machine writes, and not for a copy of another machine's.</summary>
    public bool IsOwn(string path) => System.IO.Path.GetDirectoryName(path) == Folder;

    /// <summary>
    /// The newest receipt of a cluster whose revocation still stands and which may be acted on unasked: sealed by this user, of this
    /// organization. Null where there is none.
    /// </summary>
    public StoredReceipt? NewestOpen(string clusterId, string organizationId) => NewestOpen(List(), clusterId, organizationId);

    /// <summary>The same among receipts that were read already.</summary>
    public static StoredReceipt? NewestOpen(IEnumerable<StoredReceipt> read, string clusterId, string organizationId) =>
        Open(read, clusterId).FirstOrDefault(r => ReceiptTrust.Judge(r, clusterId, organizationId).Standing == ReceiptStanding.Verified);

    /// <summary>
    /// Every receipt of a cluster whose revocation still stands, trusted or not, newest first: good for refusing and for telling, not
    /// for giving.
    /// </summary>
    public IReadOnlyList<StoredReceipt> Open(string clusterId) => [.. Open(List(), clusterId)];

    private static IEnumerable<StoredReceipt> Open(IEnumerable<StoredReceipt> read, string clusterId) =>
        read.Where(r => r.Document.ClusterId == clusterId && r.Document.IsOpen);

    /// <summary>Reads one.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnreadable</c> or <c>ReceiptInvalid</c>.</exception>
    public static StoredReceipt Load(string path)
    {
        try
        {
            return Load(path, StateFiles.ReadText(path, SizeLimit));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    private static CmekException Unreadable(string path, Exception e) => new(
        "ReceiptUnreadable",
        CmekErrorKind.ReadError,
        $"The receipt {path} cannot be read: {e.Message}",
        "Get-CmekReceipt lists the receipts.",
        path,
        e);

    /// <summary>Reads a receipt's text.</summary>
    /// <exception cref="CmekException"><c>ReceiptInvalid</c>.</exception>
    public static StoredReceipt Load(string path, string text)
    {
        StoredReceipt receipt = Parse(path, text);
        if (receipt is { Seal: CmekSealState.Elsewhere or CmekSealState.Unsealed, Document.IsOpen: true }
            && ClosedReceipts.Own.UndoneAt(text) is { } undone)
        {
            return receipt with { Document = receipt.Document with { RestoredAt = undone } };
        }

        return WasClosed(receipt) ? receipt with { Seal = CmekSealState.Broken } : receipt;
    }

    /// <summary>Reads a receipt's text for the seal alone, whatever was closed since it was written.</summary>
    /// <exception cref="CmekException"><c>ReceiptInvalid</c>.</exception>
    public static StoredReceipt Parse(string path, string text)
    {
        JsonObject json = ReceiptDocument.Read(text, path);
        return new StoredReceipt(path, ReceiptDocument.Parse(json, path), Seal.Own.Check(json, Purpose));
    }

    /// <summary>True for a copy from before it was closed.</summary>
    public static bool WasClosed(StoredReceipt receipt) =>
        receipt.Seal == CmekSealState.Verified && receipt.Document.IsOpen
            && ClosedReceipts.Own.Contains(receipt.Document.Id, receipt.Document.Revision);

    /// <summary>True where the seal of a file is good, whatever was closed since.</summary>
    public static bool IsSealedByThisUser(string path)
    {
        try
        {
            return Parse(path, StateFiles.ReadText(path, SizeLimit)).Seal == CmekSealState.Verified;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CmekException)
        {
            return false;
        }
    }

    /// <summary>A file name for a new receipt.</summary>
    public string PathFor(ReceiptDocument document) => System.IO.Path.Combine(Folder, FileName(document));

    /// <summary>Seals a receipt and writes it, whole or not at all.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnwritable</c>: the change that it is for must not be made.</exception>
    public static void Save(string path, ReceiptDocument document)
    {
        try
        {
            // Whoever closes a receipt closes what was seen of it, and nothing that its machine adds later.
            ReceiptDocument next = document with { Revision = document.IsOpen ? NextRevision() : document.Revision + 1 };
            StateFiles.WriteWhole(path, Sealed(next));
            if (!next.IsOpen)
            {
                ClosedReceipts.Own.Add(next.Id, next.Revision);
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
    /// Writes down, for this user, that what a receipt of another user or machine says has been undone. Its file stays as it is: sealing
    /// it would vouch for all that it says.
    /// </summary>
    /// <exception cref="CmekException"><c>ReceiptUnreadable</c>.</exception>
    public static void CloseUnproven(string path, DateTimeOffset at)
    {
        try
        {
            ClosedReceipts.Own.AddUndone(StateFiles.ReadText(path, SizeLimit), at);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>
    /// Seals a receipt and writes it where that works: in the state folder, else under a name of its own in the folder for temporary
    /// files. It never fails: a cut must not wait for a disk. Where it lies nowhere, the caller has to tell the text.
    /// </summary>
    public static SavedReceipt SaveOrFallback(string path, ReceiptDocument document)
    {
        string why;
        try
        {
            Save(path, document);
            return new SavedReceipt(SavedPlace.StateFolder, path, null);
        }
        catch (CmekException e)
        {
            why = e.Message;
        }

        return SaveElsewhere(document, why);
    }

    /// <summary>Writes a receipt into the folder for temporary files; where that does not work either, its text is what is left.</summary>
    public static SavedReceipt SaveElsewhere(ReceiptDocument document, string why)
    {
        string text = Sealed(document with { Revision = NextRevision() });
        return Fallback.TryWrite(FileName(document), text) is { } elsewhere
            ? new SavedReceipt(SavedPlace.TemporaryFolder, elsewhere, why) { Text = text }
            : new SavedReceipt(SavedPlace.Nowhere, null, why) { Text = text };
    }

    // Milliseconds, so that it grows from process to process too.
    private static long NextRevision()
    {
        long now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        long last;
        long next;
        do
        {
            last = Interlocked.Read(ref s_revision);
            next = Math.Max(last + 1, now);
        }
        while (Interlocked.CompareExchange(ref s_revision, next, last) != last);
        return next;
    }

    private IEnumerable<string> Folders()
    {
        try
        {
            return [Folder, .. SharedMirror.FoldersOf(stateFolder, FolderName), .. SharedMirror.FoldersOf(stateFolder, UnprovenFolderName)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [Folder];
        }
    }

    // A folder that cannot be listed holds nothing that could be used.
    private static string[] Files(string folder)
    {
        try
        {
            return Directory.Exists(folder) ? Directory.GetFiles(folder, "*.json") : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
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
