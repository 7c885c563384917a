using System.Collections.Concurrent;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine;

/// <summary>What one run has to do with the shared state: what it read there, and the leases on the clusters that it changes.</summary>
internal sealed class RunLeases
{
    private readonly ConcurrentDictionary<string, Task<string?>> _takenOver = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, DateTimeOffset> _since = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _leases = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, CmekException> _lost = new(StringComparer.Ordinal);

    // A break-glass holds for itself alone: it takes the cluster from the other commands of its own session too.
    private readonly string _urgentToken = Guid.NewGuid().ToString("N");
    private readonly object _lock = new();
    private Task? _read;
    private int _told;

    /// <summary>See <see cref="Operation.ReadSharedAsync"/>.</summary>
    public Task ReadAsync(Operation op)
    {
        if (op.Session.Shared is not { } shared)
        {
            return Task.CompletedTask;
        }

        lock (_lock)
        {
            return _read ??= LookAsync(shared, op);
        }
    }

    /// <summary>See <see cref="Operation.TakeOverShared"/>.</summary>
    public void TakeOver(CmekCluster cluster, Operation op)
    {
        if (op.Session.Shared is { } shared && !op.Host.WhatIf && Guid.TryParse(cluster.Id, out _))
        {
            _ = _takenOver.GetOrAdd(cluster.Id, _ => Task.Run(() => TakeOverAsync(shared, cluster, op)));
        }
    }

    /// <summary>
    /// Before a change that is for a cluster: asks whether the run has its lease, and takes it at first. A break-glass takes it over
    /// beside its work and waits for nothing.
    /// </summary>
    /// <exception cref="CmekException"><c>ClusterLeased</c>: somebody else works on the cluster. <c>LeaseLost</c>: somebody else has
    /// taken it over.</exception>
    public async Task BeforeChangeAsync(Operation op)
    {
        if (op.Session.Shared is not { } shared || op.Cluster is not { } cluster || !Guid.TryParse(cluster.Id, out _))
        {
            return;
        }

        if (op.JournalNeed == JournalNeed.Wanted || Pacing.Urgency.Current)
        {
            TakeOver(cluster, op);
            return;
        }

        if (_lost.TryGetValue(cluster.Id, out CmekException? lost))
        {
            throw lost;
        }

        bool joins = !_leases.ContainsKey(cluster.Id);
        LeaseResult result = await shared.Leases.HoldAsync(
            LeaseOf(cluster, shared.Leases.Token, op),
            joins,
            over: false,
            op.Cancellation).ConfigureAwait(false);
        if (joins && result.Answer == LeaseAnswer.Held && !_leases.TryAdd(cluster.Id, shared.Leases.Token))
        {
            // Two records of the run were as quick: it holds once.
            await shared.Leases.ReleaseAsync(cluster.Id, shared.Leases.Token).ConfigureAwait(false);
        }

        DateTimeOffset now = op.Session.Time.GetUtcNow();
        switch (result.Answer)
        {
            case LeaseAnswer.Taken:
                DateTimeOffset lapses = result.Other!.RenewedAt + shared.Leases.Holds;
                throw new CmekException(
                    "ClusterLeased",
                    CmekErrorKind.ResourceUnavailable,
                    $"Somebody else is changing {cluster.Name}: {result.Other.Words(now)}. This change was not made.",
                    "Talk to whoever it is, and run the command again when he has ended; where he is gone, his lease lapses at "
                        + $"{lapses.UtcDateTime:HH:mm:ss}Z by itself. "
                    + $"To go on before that: {shared.Leases.RemovalOf(cluster.Id)}",
                    cluster);
            case LeaseAnswer.Lost:
                throw _lost[cluster.Id] = new CmekException(
                    "LeaseLost",
                    CmekErrorKind.InvalidOperation,
                    result.Other is { } other
                        ? $"{cluster.Name} was taken over by {other.Words(now)}. This change was not made, and none after it."
                        : $"The lease on {cluster.Name} has gone{(result.Why is null ? string.Empty : $": {result.Why}")}. This change "
                            + "was not made, and none after it.",
                    "Find out what was done meanwhile (Get-CmekStatus, Test-CmekAccess), and run the command again if it is still "
                        + "wanted: it goes on where it stopped.",
                    cluster);
            case LeaseAnswer.Unknown:
                await TellOnceAsync(
                    op,
                    $"The shared state cannot be asked who else works on {cluster.Name}: {result.Why} The command "
                        + "goes on without a lease.").ConfigureAwait(false);
                break;
        }
    }

    /// <summary>See <see cref="Operation.EndSharedAsync"/>.</summary>
    public async Task EndAsync(Operation op)
    {
        if (op.Session.Shared is not { } shared)
        {
            return;
        }

        foreach (string? word in await Task.WhenAll(_takenOver.Values).ConfigureAwait(false))
        {
            if (word is not null)
            {
                await op.Host.WarningAsync(word).ConfigureAwait(false);
            }
        }

        await ReleaseAsync(op).ConfigureAwait(false);
        if (shared.HasPending && await shared.FlushAsync(insist: !_takenOver.IsEmpty).ConfigureAwait(false) is { Why: { } why })
        {
            await TellOnceAsync(
                op,
                $"What is new of receipts and inventory is on this machine only: {why} It is given to the shared state by "
                    + "the next command that can.").ConfigureAwait(false);
        }
    }

    /// <summary>See <see cref="Operation.ReleaseSharedAsync"/>.</summary>
    public Task ReleaseAsync(Operation op) =>
        op.Session.Shared is { } shared
            ? Task.WhenAll(
                _leases.ToArray().Where(l => _leases.TryRemove(l.Key, out _)).Select(l => shared.Leases.ReleaseAsync(l.Key, l.Value)))
            : Task.CompletedTask;

    private async Task LookAsync(SharedState shared, Operation op)
    {
        if (await shared.SyncAsync(insist: true).ConfigureAwait(false) is { Why: { } why })
        {
            await TellOnceAsync(
                op,
                $"The shared state was not read whole: {why} What was read of it before is used.").ConfigureAwait(false);
        }
    }

    private async Task<string?> TakeOverAsync(SharedState shared, CmekCluster cluster, Operation op)
    {
        try
        {
            LeaseResult result = await shared.Leases.HoldAsync(
                LeaseOf(cluster, _urgentToken, op),
                joins: true,
                over: true,
                op.Cancellation).ConfigureAwait(false);
            if (result.Answer == LeaseAnswer.Held)
            {
                _leases[cluster.Id] = _urgentToken;
            }

            return result.Other is { } other
                ? $"{cluster.Name} was being changed by {other.Words(op.Session.Time.GetUtcNow())}. The break-glass has taken it over: "
                    + "that command stops before its next change."
                : null;
        }
        catch (OperationCanceledException)
        {
            // The run is being stopped.
            return null;
        }
    }

    private Lease LeaseOf(CmekCluster cluster, string token, Operation op) => new()
    {
        ClusterId = cluster.Id,
        ClusterName = cluster.Name,
        Token = token,
        Holder = op.Session.Who.ToString(),
        Machine = Environment.MachineName,
        Command = op.Command,
        Since = _since.GetOrAdd(cluster.Id, _ => op.Session.Time.GetUtcNow()),
        RenewedAt = op.Session.Time.GetUtcNow(),
    };

    // A place that does not answer is one warning a run.
    private Task TellOnceAsync(Operation op, string message) =>
        Interlocked.Exchange(ref _told, 1) == 0 ? op.Host.WarningAsync(message) : Task.CompletedTask;
}
