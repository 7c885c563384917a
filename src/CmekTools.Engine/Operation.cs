using System.Text.Json.Nodes;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;

namespace CmekTools.Engine;

/// <summary>One change to one resource, as it is shown to the user, written to the journal and sent.</summary>
/// <param name="Kind">The service's name of the call, for example <c>kms:PutKeyPolicy</c> or <c>cmek:Revoke</c>.</param>
/// <param name="Target">The resource: an ARN, a resource name or a cluster.</param>
/// <param name="Summary">One line in the imperative: "add the statement CmekTools… to the key policy".</param>
/// <param name="Detail">The exact change: a diff or the JSON that will be sent. Null where the summary says it all.</param>
/// <param name="Before">What was there, for the journal; null where nothing was.</param>
/// <param name="After">What will be there; null where nothing will be.</param>
internal sealed record PlannedChange(
    string Kind,
    string Target,
    string Summary,
    string? Detail = null,
    JsonNode? Before = null,
    JsonNode? After = null);

/// <summary>How long things take: one set for the real services, one for a sandbox.</summary>
internal sealed record Timings
{
    /// <summary>Between two looks at a cluster's CMEK status.</summary>
    public TimeSpan StatusPoll { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Between two tries while IAM spreads a change.</summary>
    public TimeSpan PropagationPoll { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>The longest that IAM is waited for.</summary>
    public TimeSpan PropagationLimit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long what was made may stay out of sight: so long it is looked for before it is made a second time.</summary>
    public TimeSpan Visibility { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a cut is watched before it is believed.</summary>
    public TimeSpan CutWatch { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// When a key policy that was written is looked at once more: KMS takes what others have made from what they read before.
    /// </summary>
    public TimeSpan PolicySettle { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The first pause before a failed call is tried again; it doubles.</summary>
    public TimeSpan RetryBase { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The most tries of one call.</summary>
    public int RetryCount { get; init; } = 6;

    /// <summary>The budget of one try at one key in a break-glass; a key that does not answer in it is tried again.</summary>
    public TimeSpan KeyTry { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a key that does not answer is tried again in a break-glass, and a service that is gone is told again.</summary>
    public TimeSpan KeyPatience { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long the proof of a key that is cut lets the cuts of others go first.</summary>
    public TimeSpan ProofGrace { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the Cloud API may be silent before what is known without it is used.</summary>
    public TimeSpan ServicePatience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest that one access to a shared state may take, and that the end of a command waits for it.</summary>
    public TimeSpan SharedLimit { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a lease on a cluster holds after it was renewed last.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the question of a break-glass waits to learn who else is hit.</summary>
    public TimeSpan OthersPatience { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// True where a service on loopback is paced like the real one: a sandbox that refuses what comes too fast, as the real one does.
    /// </summary>
    public bool PacesLoopback { get; init; }

    /// <summary>The longest that one call may take.</summary>
    public TimeSpan CallLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What a loopback sandbox needs.</summary>
    public static Timings Sandbox { get; } = new()
    {
        StatusPoll = TimeSpan.FromMilliseconds(50),
        PropagationPoll = TimeSpan.FromMilliseconds(50),
        PropagationLimit = TimeSpan.FromSeconds(20),
        Visibility = TimeSpan.FromSeconds(2),
        CutWatch = TimeSpan.FromMilliseconds(100),
        PolicySettle = TimeSpan.FromMilliseconds(20),
        RetryBase = TimeSpan.FromMilliseconds(50),
        CallLimit = TimeSpan.FromSeconds(20),
        KeyTry = TimeSpan.FromSeconds(4),
        ProofGrace = TimeSpan.FromMilliseconds(100),
        KeyPatience = TimeSpan.FromSeconds(10),
        ServicePatience = TimeSpan.FromSeconds(2),
        OthersPatience = TimeSpan.FromSeconds(2),
        SharedLimit = TimeSpan.FromSeconds(3),
    };
}

/// <summary>
/// What one run of a command works with. Every change that is made anywhere goes through <see cref="ChangeAsync"/>: that is the one
/// place where it is asked for, journalled and sent, in this order.
/// </summary>
internal sealed class Operation(string command, SessionContext session, IOperationHost host, CancellationToken cancellation)
{
    // A policy has no version to compare with on AWS: two that read, merge and write it at once would lose one of the changes.
    // By the service's address too: a sandbox has resources of the same names as another one.
    private static readonly OneAtATime s_resources = new();

    private readonly List<string> _changes = [];
    private readonly List<string> _all = [];
    private ReadOnce<CmekCluster> _clusters = new();
    private ReadOnce<CmekStatus> _statuses = new();
    private RecentRead<IReadOnlyList<SeenCluster>> _fleet = new();
    private readonly AsyncLocal<CmekCluster?> _cluster = new();
    private readonly RunLeases _leases = new();
    private readonly ReceiptsOnce _receipts = new();
    private List<CmekJournalEntry>? _unsettled;
    private Operation? _run;
    private Operation? _whole;

    /// <summary>The command's name, for the journal.</summary>
    public string Command { get; } = command;

    /// <summary>The connection.</summary>
    public SessionContext Session { get; } = session;

    /// <summary>Whoever runs it.</summary>
    public IOperationHost Host { get; } = host;

    /// <summary>Ends every read and every wait. A change that was announced goes on until <see cref="Abort"/>.</summary>
    public CancellationToken Cancellation { get; } = cancellation;

    /// <summary>Ends every call in flight, changes too.</summary>
    public CancellationToken Abort { get; init; } = cancellation;

    /// <summary>How long things take.</summary>
    public Timings Timings => Session.Timings;

    /// <summary>Whether a change may be made that cannot be written down: only a break-glass does not stop for the journal.</summary>
    public JournalNeed JournalNeed { get; set; }

    /// <summary>The cluster that the present work is for, as <see cref="About"/> said; null where it is for none.</summary>
    public CmekCluster? Cluster => _cluster.Value;

    /// <summary>
    /// Says which cluster the work of the calling method is for, so that the journal can tell. It holds for that method and all that it
    /// calls, and not for others beside it.
    /// </summary>
    public void About(CmekCluster cluster) => _cluster.Value = cluster;

    /// <summary>True once the user has said no to a change of this run.</summary>
    public bool Declined { get; private set; }

    /// <summary>One id for everything that this run writes to the journal.</summary>
    public string RunId { get; private init; } = Guid.NewGuid().ToString("N")[..12];

    /// <summary>Everything that was changed so far, by the parts of this record's work too.</summary>
    public IReadOnlyList<string> AllChanges
    {
        get
        {
            lock (_changes)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>
    /// The part of this run that works on one record, so that records side by side have changes and answers of their own. What was read
    /// is shared.
    /// </summary>
    /// <param name="host">The record's host.</param>
    /// <param name="cancellation">Ends the record's reads and waits.</param>
    /// <param name="abort">Ends its changes too.</param>
    public Operation ForRecord(IOperationHost host, CancellationToken cancellation, CancellationToken abort)
    {
        Operation record = new(Command, Session, host, cancellation)
        {
            RunId = RunId,
            Abort = abort,
            JournalNeed = JournalNeed,
            _run = _run ?? this,
            _clusters = _clusters,
            _statuses = _statuses,
            _fleet = _fleet,
        };
        if (Cluster is { } cluster)
        {
            record.About(cluster);
        }

        return record;
    }

    /// <summary>
    /// A part of a record's work that goes on beside its other parts, with changes and answers of its own: what it changes is told with
    /// the record's too.
    /// </summary>
    /// <param name="cluster">The cluster that it is for.</param>
    public Operation ForPart(CmekCluster cluster)
    {
        Operation part = ForRecord(Host, Cancellation, Abort);
        part._whole = this;
        part.About(cluster);
        return part;
    }

    /// <summary>
    /// Takes in what others have given to the shared state, once a run and for no longer than one access to it may take. Where it does
    /// not answer, that is a warning: what was taken in before counts.
    /// </summary>
    public Task ReadSharedAsync() => (_run ?? this)._leases.ReadAsync(this);

    /// <summary>
    /// A break-glass takes a cluster over from whoever is changing it, also where it finds nothing to change itself: he might be about
    /// to give back what is cut. It is done beside the work.
    /// </summary>
    public void TakeOverShared(CmekCluster cluster) => (_run ?? this)._leases.TakeOver(cluster, this);

    /// <summary>The end of the run: what is new here is given to the others, and the clusters that it worked on are free again.</summary>
    public Task EndSharedAsync() => (_run ?? this)._leases.EndAsync(this);

    /// <summary>Only frees the clusters, where the run was ended by something else.</summary>
    public Task ReleaseSharedAsync() => (_run ?? this)._leases.ReleaseAsync(this);

    /// <summary>
    /// Asks for a change, journals it, makes it, and journals how it ended.
    /// </summary>
    /// <param name="change">The change.</param>
    /// <param name="send">The one request (or the few that belong together) that makes it.</param>
    /// <param name="look">
    /// Looks, where the request's answer was lost or it was refused for what an earlier try of it may have done, whether the change was
    /// made after all; null where that cannot be seen. Where it was, nothing has failed.
    /// </param>
    /// <returns>True where it was made; false under <c>-WhatIf</c> or where the user said no.</returns>
    /// <exception cref="CmekException">The journal cannot be written (nothing was sent), or the request failed.</exception>
    public async Task<bool> ChangeAsync(
        PlannedChange change,
        Func<CancellationToken, Task> send,
        Func<CancellationToken, Task<bool>>? look = null)
    {
        string action = change.Detail is null ? change.Summary : change.Summary + Environment.NewLine + change.Detail;
        if (!await Host.ShouldProcessAsync(change.Target, action).ConfigureAwait(false))
        {
            for (Operation? one = this; one is not null; one = one._whole)
            {
                one.Declined |= !Host.WhatIf;
            }

            return false;
        }

        await (_run ?? this)._leases.BeforeChangeAsync(this).ConfigureAwait(false);

        // What is urgent waits for nobody: a grant may be waiting for IAM for minutes.
        using IDisposable? hold = Pacing.Urgency.Current
            ? null
            : await s_resources.HoldAsync($"{Session.Cloud.Server} {change.Target}", Cancellation).ConfigureAwait(false);
        Cancellation.ThrowIfCancellationRequested();
        await SettleAsync(change.Kind, change.Target, change.Before).ConfigureAwait(false);
        JournalTicket ticket = await Session.Journal.BeginAsync(this, change).ConfigureAwait(false);
        try
        {
            await send(Abort).ConfigureAwait(false);
        }
        catch (Exception e) when (look is not null && (AnswerLoss.IsLost(e) || AnswerLoss.MayBeOvertaken(e)))
        {
            await LookAfterAsync(ticket, look, e).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The failure is what the caller has to hear, whatever becomes of this entry.
            await Session.Journal.TryEndAsync(ticket, AnswerLoss.OutcomeOf(e), e.Message).ConfigureAwait(false);
            throw;
        }

        // It is made, whatever becomes of its entry.
        lock (_changes)
        {
            _changes.Add(change.Summary);
        }

        for (Operation? one = this; one is not null; one = one._whole)
        {
            lock (one._changes)
            {
                one._all.Add(change.Summary);
            }
        }

        await Session.Journal.EndAsync(ticket, "done").ConfigureAwait(false);
        return true;
    }

    /// <summary>
    /// Tells of a resource as it was just read, so that what nobody knew the outcome of is settled: where it is as a change was to
    /// leave it, the change was made after all; where it is as it was before, and that is long enough ago, it was not. Anything else
    /// settles nothing.
    /// </summary>
    /// <param name="kind">The change's kind.</param>
    /// <param name="target">The resource.</param>
    /// <param name="now">The resource now, in the form of the change's Before and After; null where it is not there.</param>
    public async Task SettleAsync(string kind, string target, JsonNode? now)
    {
        // A journal grows over years. What is urgent does not wait for it to be read; the next command settles what there is to settle.
        if (Pacing.Urgency.Current)
        {
            return;
        }

        foreach (CmekJournalEntry entry in Unsettled().Where(e => e.Kind == kind && e.Target == target))
        {
            bool made = Same(entry.After, now) && entry.After is not null;
            if (made || (IsOld(entry) && Same(entry.Before, now) && entry.Before is not null))
            {
                string seen = made
                    ? "was made after all: a later command saw it"
                    : "was not made: a later command found all as it was before";
                await SettleAsync(entry, made ? "done" : "not made", seen).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Settles one change.</summary>
    /// <param name="entry">One of <see cref="Unsettled"/>.</param>
    /// <param name="outcome"><c>done</c> or <c>not made</c>.</param>
    /// <param name="message">What was seen.</param>
    public async Task SettleAsync(CmekJournalEntry entry, string outcome, string message)
    {
        if (!(_run ?? this).Forget(entry))
        {
            return;
        }

        if (!Host.WhatIf)
        {
            await Session.Journal.SettleAsync(this, entry, outcome, message).ConfigureAwait(false);
            await Host.VerboseAsync($"{entry.Kind} on {entry.Target} ({entry.Time:u}): {message}.").ConfigureAwait(false);
        }
    }

    /// <summary>
    /// The changes of earlier runs whose outcome nobody knows; read once in a run. None where the journal cannot be read: that stops
    /// nothing.
    /// </summary>
    public IReadOnlyList<CmekJournalEntry> Unsettled()
    {
        // The journal is read once, however many records the run works on.
        if (_run is not null)
        {
            return _run.Unsettled();
        }

        lock (_changes)
        {
            if (_unsettled is null)
            {
                try
                {
                    _unsettled =
                    [
                        .. JournalReader.Read(Session.Journal.FilePath).Where(e => e.IsUnsettled && e.RunId != RunId && e.Id is not null),
                    ];
                }
                catch (CmekException)
                {
                    _unsettled = [];
                }
            }

            return [.. _unsettled];
        }
    }

    /// <summary>Every receipt. A break-glass reads them once, however many clusters it is about; anything else as they are now.</summary>
    public IReadOnlyList<StoredReceipt> Receipts()
    {
        ReceiptStore store = new(Session.Journal.Folder);
        return Pacing.Urgency.Current ? (_run ?? this)._receipts.Get(store) : store.List();
    }

    private bool Forget(CmekJournalEntry entry)
    {
        lock (_changes)
        {
            return _unsettled?.Remove(entry) == true;
        }
    }

    /// <summary>A cluster, read once in a run however many records name it.</summary>
    public Task<CmekCluster> GetClusterAsync(string id) =>
        _clusters.GetAsync(id, () => Session.Cloud.GetClusterAsync(id, Cancellation), Cancellation);

    /// <summary>A cluster as it was listed or read within a time, or read now.</summary>
    public Task<CmekCluster> RecentClusterAsync(string id, TimeSpan within) =>
        Session.Cloud.Recent.Find(id, within) is { } recent ? Task.FromResult(recent) : GetClusterAsync(id);

    /// <summary>A cluster's status as it was when this run first looked: for what does not change within a run.</summary>
    public Task<CmekStatus> FirstStatusAsync(CmekCluster cluster) =>
        _statuses.GetAsync(cluster.Id, () => Session.Cloud.GetCmekAsync(cluster, Cancellation), Cancellation);

    /// <summary>All clusters with their statuses, read once for the records that ask side by side or within a minute.</summary>
    public Task<IReadOnlyList<SeenCluster>> FleetAsync(Func<Task<IReadOnlyList<SeenCluster>>> read) =>
        _fleet.GetAsync(KeyUses.Lasting, Session.Time, read, Cancellation);

    /// <summary>
    /// How many changes this part of the run has made: where <see cref="ChangesSince"/> begins to count. Whoever calls and whoever is
    /// called each counts from where it began, and takes nothing from the other.
    /// </summary>
    public int ChangeCount
    {
        get
        {
            lock (_changes)
            {
                return _changes.Count;
            }
        }
    }

    /// <summary>The summaries of the changes made since <see cref="ChangeCount"/> was so many.</summary>
    /// <param name="count">That many; 0 for all.</param>
    public IReadOnlyList<string> ChangesSince(int count)
    {
        lock (_changes)
        {
            return _changes[count..];
        }
    }

    /// <summary>Waits for a service; other records may work meanwhile.</summary>
    public Task DelayAsync(TimeSpan time)
    {
        Host.BeginsToWait();
        return Task.Delay(time, Session.Time, Cancellation);
    }

    /// <summary>
    /// True where a change was announced so long ago that a read which does not show it tells something: a read may be behind by
    /// minutes, and a request that is on its way may still arrive.
    /// </summary>
    public bool IsOld(CmekJournalEntry entry) => Session.Time.GetUtcNow() - entry.Time > Timings.PropagationLimit;

    private async Task LookAfterAsync(JournalTicket ticket, Func<CancellationToken, Task<bool>> look, Exception lost)
    {
        bool made;
        try
        {
            made = await look(Cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CmekException or OperationCanceledException)
        {
            made = false;
        }

        if (!made)
        {
            await Session.Journal.TryEndAsync(ticket, AnswerLoss.OutcomeOf(lost), lost.Message).ConfigureAwait(false);
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(lost);
        }

        await Host.VerboseAsync(
            $"{ticket.Change.Kind} on {ticket.Change.Target}: the answer was lost ({lost.Message}), and the change is there.")
                .ConfigureAwait(false);
    }

    private static bool Same(string? kept, JsonNode? now)
    {
        try
        {
            return JsonNode.DeepEquals(Bare(kept is null ? null : JsonNode.Parse(kept)), Bare(now?.DeepClone()));
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    // Each write of a Google policy makes another etag: it says nothing about what is in the policy.
    private static JsonNode? Bare(JsonNode? node)
    {
        (node as JsonObject)?.Remove("etag");
        return node;
    }

    private sealed class ReceiptsOnce
    {
        private readonly object _lock = new();
        private IReadOnlyList<StoredReceipt>? _read;

        public IReadOnlyList<StoredReceipt> Get(ReceiptStore store)
        {
            lock (_lock)
            {
                return _read ??= store.List();
            }
        }
    }
}
