namespace CmekTools.Engine.State.Shared;

/// <summary>Which receipts were closed, by whom ever. Only what this user sealed closes anything.</summary>
/// <param name="stateFolder">The local state folder.</param>
internal sealed class ClosingShelf(string stateFolder) : SharedShelf(SharedNames.Closings, 64 * 1024)
{
    private readonly ReceiptStore _store = new(stateFolder);
    private ILookup<string, StoredReceipt>? _receipts;

    /// <inheritdoc/>
    public override void Begin() => _receipts = null;

    /// <inheritdoc/>
    public override IReadOnlyList<GivenDocument> Given() =>
    [
        .. _store.List()
            .Where(r => r is { Seal: CmekSealState.Verified, Document.IsOpen: false })
            .Select(r => (File: FileOf(r.Document.Id), Text: Of(r.Document).ToText()))
            .Where(d => SharedNames.IsPlain(d.File) && d.Text is not null)
            .DistinctBy(d => d.File)
            .Select(d => new GivenDocument(d.File, d.Text!)),
    ];

    /// <inheritdoc/>
    public override bool Takes(string file, bool given) => true;

    /// <inheritdoc/>
    public override void Take(string file, string text)
    {
        if (Closing.Read(text) is not { } closing || FileOf(closing.ReceiptId) != file)
        {
            return;
        }

        ClosedReceipts.Own.Add(closing.ReceiptId, closing.Revision);
        _receipts ??= _store.Every().ToLookup(r => r.Document.Id, StringComparer.Ordinal);
        foreach (
            StoredReceipt receipt in _receipts[closing.ReceiptId].Where(r => r.Document.IsOpen && r.Document.Revision <= closing.Revision))
        {
            // A copy here that is closed says so itself.
            if (ReceiptStore.IsSealedByThisUser(receipt.Path))
            {
                ReceiptDocument document = receipt.Document;
                ReceiptStore.Save(
                    receipt.Path,
                    closing.Superseded ? document with { SupersededAt = closing.At } : document with { RestoredAt = closing.At });
            }
        }
    }

    /// <inheritdoc/>
    public override string? Over(string file, string mine, string theirs) =>
        Closing.Read(theirs) is { } there && Closing.Read(mine) is { } own && there.ReceiptId == own.ReceiptId
            && there.Revision >= own.Revision
            ? null
            : mine;

    private static string FileOf(string id) => $"{id}.json";

    private static Closing Of(ReceiptDocument document) =>
        new(
            document.Id,
            document.Revision,
            document.RestoredAt ?? document.SupersededAt ?? document.CreatedAt,
            document.RestoredAt is null);
}
