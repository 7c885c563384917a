using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// The receipt of one cluster's revocation while it is being written: begun before the first change, and whole on disk for each key
/// before that key is cut, so
/// that no key waits until another one has been read.
/// </summary>
internal sealed class ReceiptBook(RevocationSubject subject, RevocationReport report, bool required, Operation op)
{
    private readonly OneAtATime _one = new();
    private readonly Dictionary<string, ReceiptAccess> _earlier = new(StringComparer.Ordinal);
    private ReceiptDocument _document = null!;
    private string _path = string.Empty;
    private bool _told;
    private bool _isNew;

    /// <summary>What is in it.</summary>
    public ReceiptDocument Document => _document;

    /// <summary>Begins it, or goes on with the one of an earlier run that still stands.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnwritable</c>, only where a receipt is required.</exception>
    public async Task BeginAsync()
    {
        ReceiptStore store = new(op.Session.Journal.Folder);
        StoredReceipt? open = ReceiptStore.NewestOpen(op.Receipts(), subject.Cluster.Id, op.Session.Organization.Id);

        // Another machine's stays its own; what it captured goes into the one that is begun here.
        StoredReceipt? others = open is not null && !store.IsOwn(open.Path) ? open : null;
        open = others is null ? open : null;
        string organization = op.Session.Organization.Id is { Length: > 0 } own
            ? own
            : op.Session.Inventory.Find(subject.Cluster.Id)?.Organization.Id ?? string.Empty;
        _isNew = open is null;
        _document = open?.Document ?? new ReceiptDocument
        {
            Id = Guid.NewGuid().ToString("N")[..8],
            CreatedAt = op.Session.Time.GetUtcNow(),
            OrganizationId = organization,
            ClusterId = subject.Cluster.Id,
            ClusterName = subject.Cluster.Name,
            Provider = subject.Cluster.Provider,
            AccountId = subject.Cluster.AccountId,
            StatusBefore = others?.Document.StatusBefore ?? subject.Status.ToString(),
            Accesses = others?.Document.Accesses ?? [],
        };
        foreach (ReceiptAccess access in _document.Accesses)
        {
            _earlier[access.Identity] = access;
        }

        _path = open?.Path ?? store.PathFor(_document);
        report.ReceiptPath = _path;
        if (!op.Host.WhatIf && open is null)
        {
            await SaveAsync().ConfigureAwait(false);
        }

        if (!op.Host.WhatIf)
        {
            string what = open is null
                ? "is begun; each key's policy as it was goes in before the key is cut"
                : "of an earlier run stands and is gone on with";
            await report.DoneAsync("Receipt", $"{_path} {what}").ConfigureAwait(false);
        }
    }

    /// <summary>What an earlier run captured of an access, or null.</summary>
    public ReceiptAccess? Earlier(AccessTarget target) => _earlier.GetValueOrDefault(target.Identity);

    /// <summary>Puts an access in, in place of an earlier capture of the same, and comes back when it is on disk.</summary>
    /// <exception cref="CmekException"><c>ReceiptUnwritable</c>, only where a receipt is required.</exception>
    public async Task AddAsync(params IReadOnlyList<ReceiptAccess> accesses)
    {
        using IDisposable held = await _one.HoldAsync(subject.Cluster.Id, op.Cancellation).ConfigureAwait(false);

        // In the order in which they came at first: the order is the one in which a restore goes back.
        List<ReceiptAccess> all = [.. _document.Accesses];
        foreach (ReceiptAccess access in accesses)
        {
            int at = all.FindIndex(a => a.Identity == access.Identity);
            if (at < 0)
            {
                all.Add(access);
            }
            else
            {
                all[at] = access;
            }
        }

        _document = _document with { Accesses = all };
        if (!op.Host.WhatIf)
        {
            await SaveAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Closes a receipt that this run began and that nothing went into: no key could be read, nothing was changed, and nothing is there
    /// to be undone.
    /// </summary>
    public async Task CloseEmptyAsync()
    {
        if (op.Host.WhatIf || !_isNew || _document.Accesses.Count > 0)
        {
            return;
        }

        _document = _document with { SupersededAt = op.Session.Time.GetUtcNow() };
        await SaveAsync().ConfigureAwait(false);
        await report.DoneAsync("Receipt", $"{_path} is closed: nothing was changed, and nothing is to be undone").ConfigureAwait(false);
    }

    // A disk that is full or not ours must not keep a key open: then it lies elsewhere, or in a warning. Only who asked for it stops here.
    private async Task SaveAsync()
    {
        if (required)
        {
            ReceiptStore.Save(_path, _document);
            op.Session.Shared?.Offer();
            return;
        }

        SavedReceipt saved = await SaveInTimeAsync().ConfigureAwait(false);
        if (saved.Place == SavedPlace.StateFolder)
        {
            op.Session.Shared?.Offer();
            return;
        }

        report.ReceiptPath = saved.Path;
        if (saved.Path is { } elsewhere)
        {
            _path = elsewhere;
            if (!_told)
            {
                _told = true;
                await op.Host.WarningAsync(
                    $"The receipt of {subject.Cluster.Name} cannot be written where it belongs ({saved.Why}). It is in {elsewhere}: "
                        + "keep that file, "
                    + $"Restore-CmekAccess -ReceiptPath takes it.").ConfigureAwait(false);
            }

            return;
        }

        // A warning may be silenced; what undoes the cut is among the steps as well.
        await report.DoneAsync("Receipt", $"NOT written anywhere ({saved.Why}); this is its text: {saved.Text}").ConfigureAwait(false);
        await op.Host.WarningAsync(
            $"The receipt of {subject.Cluster.Name} cannot be written anywhere ({saved.Why}). Keep this text, it is what undoes the "
                + $"cut: {saved.Text}").ConfigureAwait(false);
    }

    // A disk that does not answer is worse than one that is full: it gives no error.
    private async Task<SavedReceipt> SaveInTimeAsync()
    {
        (string path, ReceiptDocument document) = (_path, _document);
        try
        {
            return await Task.Run(() => ReceiptStore.SaveOrFallback(path, document), CancellationToken.None)
                .WaitAsync(JournalWriter.DiskPatience, op.Session.Time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            return ReceiptStore.SaveElsewhere(document, $"{path} was not written in {JournalWriter.DiskPatience.TotalSeconds:0} s");
        }
    }
}
