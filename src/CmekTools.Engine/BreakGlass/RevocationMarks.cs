using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// Who switched a key off: a revocation, whose restore brings it back wherever it runs, or somebody who meant it to stay off. The key
/// says it itself; where it cannot, the journal of this machine does.
/// </summary>
internal static class RevocationMarks
{
    /// <summary>True where a revocation switched it off.</summary>
    public static bool ByRevocation(KeyMarks marks, string keyUri, Operation op)
    {
        if (marks.Retirement == RetirementMark.Revocation)
        {
            return true;
        }

        IReadOnlyList<CmekJournalEntry> about = SwitchOffs.Of(keyUri, op);
        if (!SwitchOffs.LastByRevocation(about))
        {
            return false;
        }

        // A mark that was put on here and is gone was taken off by whoever brought the key back. What is off now was switched off since.
        return marks.Retirement == RetirementMark.Unread
            || about.LastOrDefault(e => IsMarked(e.Before) || IsMarked(e.After)) is not { } last
            || !IsMarked(last.After);
    }

    /// <summary>Puts the mark on. It is worth a moment: what keeps it from being written keeps no key from being switched off.</summary>
    public static Task PutAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, IKeyProvider provider, Operation op) => TryAsync(
        part => provider.MarkRevokedAsync(keyUri, clusters, part),
        $"{keyUri} could not be marked as switched off by this revocation, so that only Restore-CmekAccess here brings it back",
        op);

    /// <summary>Adds clusters to the mark of a key that a revocation had switched off before. Another key is not marked.</summary>
    public static Task JoinAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, IKeyProvider provider, Operation op) => TryAsync(
        async part =>
        {
            KeyMarks marks = await provider.ReadMarksAsync(keyUri, part).ConfigureAwait(false);
            if (marks.Retirement == RetirementMark.Revocation)
            {
                await provider.MarkRevokedAsync(keyUri, clusters, part).ConfigureAwait(false);
            }
        },
        $"{keyUri} is off, and could not be marked as meant to stay so for {string.Join(", ", clusters.Select(c => c.Name))} too",
        op);

    /// <summary>Takes the mark off a key that is back.</summary>
    public static Task TakeAsync(string keyUri, IKeyProvider provider, Operation op) => TryAsync(
        part => provider.UnmarkRevokedAsync(keyUri, part),
        $"{keyUri} is back, and its mark that a revocation switched it off could not be taken off: take it off by hand, or a later restore "
            + "brings the key back also where it was retired on purpose",
        op);

    private static async Task TryAsync(Func<Operation, Task> work, string otherwise, Operation outer)
    {
        using CancellationTokenSource time = new(outer.Timings.OthersPatience, outer.Session.Time);
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(outer.Cancellation, time.Token);
        try
        {
            await work(outer.ForRecord(outer.Host, soon.Token, outer.Abort)).ConfigureAwait(false);
        }
        catch (Exception e) when (
            e is CmekServiceException || (e is OperationCanceledException && !outer.Cancellation.IsCancellationRequested))
        {
            await outer.Host.WarningAsync($"{otherwise}: {(e is CmekServiceException ? e.Message : "no answer in time")}")
                .ConfigureAwait(false);
        }
    }

    private static bool IsMarked(string? resource) =>
        resource is not null
            && (
                resource.Contains("cmektools:revoked", StringComparison.Ordinal)
                    || resource.Contains("cmektools-revoked", StringComparison.Ordinal));
}
