namespace CmekTools.Engine.State.Shared;

/// <summary>
/// The receipts. Each is written by the machine that made it and by no other. What this user sealed is taken in beside the own ones;
/// what he did not lies apart, for reading and for being named.
/// </summary>
/// <param name="stateFolder">The local state folder.</param>
/// <param name="mirror">The place's folder in it.</param>
internal sealed class ReceiptShelf(string stateFolder, string mirror) : SharedShelf(SharedNames.Receipts, ReceiptStore.SharedSizeLimit)
{
    private readonly string _own = new ReceiptStore(stateFolder).Folder;
    private readonly string _proven = Path.Combine(mirror, ReceiptStore.FolderName);
    private readonly string _unproven = Path.Combine(mirror, ReceiptStore.UnprovenFolderName);

    /// <inheritdoc/>
    public override IReadOnlyList<GivenDocument> Given()
    {
        List<GivenDocument> given = [];
        if (!Directory.Exists(_own))
        {
            return given;
        }

        foreach (string path in Directory.GetFiles(_own, "*.json").Where(p => SharedNames.IsPlain(Path.GetFileName(p))))
        {
            try
            {
                // What somebody dropped into the folder here is not handed on in this user's name.
                string text = StateFiles.ReadText(path, SizeLimit);
                if (ReceiptStore.Parse(path, text).Seal == CmekSealState.Verified)
                {
                    given.Add(new GivenDocument(Path.GetFileName(path), text));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or CmekException)
            {
                // No receipt, or one that is just being replaced: the next look sees it.
            }
        }

        return given;
    }

    /// <inheritdoc/>
    public override void Take(string file, string text)
    {
        StoredReceipt theirs = ReceiptStore.Parse(Path.Combine(_proven, file), text);
        if (theirs.Seal != CmekSealState.Verified)
        {
            if (!File.Exists(Path.Combine(_proven, file)) && SharedMirror.SizeOf(_unproven) + text.Length <= SharedMirror.UnprovenLimit)
            {
                StateFiles.WriteWhole(Path.Combine(_unproven, file), text);
            }

            return;
        }

        // An earlier version that somebody puts back has a good seal, and is earlier all the same.
        if (ReceiptStore.WasClosed(theirs))
        {
            return;
        }

        if (ReceiptStore.TryLoad(Path.Combine(_proven, file)) is { Seal: CmekSealState.Verified } had
            && had.Document.Revision >= theirs.Document.Revision)
        {
            return;
        }

        StateFiles.WriteWhole(Path.Combine(_proven, file), text);
        if (!theirs.Document.IsOpen)
        {
            ClosedReceipts.Own.Add(theirs.Document.Id, theirs.Document.Revision);
        }
    }

    /// <inheritdoc/>
    public override string? Over(string file, string mine, string theirs)
    {
        try
        {
            string path = Path.Combine(_own, file);
            StoredReceipt there = ReceiptStore.Parse(path, theirs);
            return there.Seal == CmekSealState.Verified && there.Document.Revision >= ReceiptStore.Parse(path, mine).Document.Revision
                ? null
                : mine;
        }
        catch (CmekException)
        {
            return mine;
        }
    }
}
