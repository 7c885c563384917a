using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>How far one key has been brought.</summary>
internal enum KeyStage
{
    /// <summary>Nothing has been done.</summary>
    Waiting,

    /// <summary>A cut was tried and did not work; whether another rung of the ladder did is told by what is read afterwards.</summary>
    Failed,

    /// <summary>Its policy could not be changed, and the key was disabled in its place.</summary>
    Disabled,

    /// <summary>Every change of the cut has been made, or was there.</summary>
    Done,
}

/// <summary>One access on its way to being cut.</summary>
/// <param name="Subject">Whose.</param>
/// <param name="Target">The key and principal.</param>
/// <param name="Report">Where it is told.</param>
/// <param name="Book">The cluster's receipt.</param>
internal sealed record CutAccess(RevocationSubject Subject, AccessTarget Target, RevocationReport Report, ReceiptBook Book);

/// <summary>
/// One key's part of a revocation, by itself: read what the cut may touch, receipt on disk, cut, proof. It waits for no other key, and
/// what goes wrong with it is its own failure. A key that does not answer is tried again until its patience has run out.
/// </summary>
internal sealed class KeyCut(string keyUri, IReadOnlyList<CutAccess> accesses, RevokeOptions options, IKeyProvider provider, Operation op)
{
    private const int Looks = 3;
    private const int Holds = 6;
    private readonly List<string> _notes = [];
    private readonly List<KeyReplica> _replicas = [];
    private readonly HashSet<string> _cut = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<CutAccess> _accesses = accesses;
    private long? _last;

    /// <summary>The key.</summary>
    public string KeyUri { get; } = keyUri;

    /// <summary>Whose accesses: those that were named, and those that the key itself names for the same clusters.</summary>
    public IReadOnlyList<CutAccess> Accesses => _accesses;

    /// <summary>Of which clusters.</summary>
    public IReadOnlyList<CmekCluster> Clusters => [.. Accesses.Select(a => a.Subject.Cluster).DistinctBy(c => c.Id)];

    /// <summary>How far it is.</summary>
    public KeyStage Stage { get; private set; }

    /// <summary>Other copies of the key that were found and that nobody named.</summary>
    public IReadOnlyList<KeyReplica> Replicas => _replicas;

    /// <summary>Can there be copies of the key, as its name has it?</summary>
    public bool MayHaveCopies => provider.MaterialOf(KeyUri) != KeyUri;

    private string Region => Accesses[0].Target.Region;

    /// <summary>Reads, writes the receipt and cuts. It never throws, but where the run is stopped.</summary>
    public async Task CutAsync()
    {
        long start = op.Session.Time.GetTimestamp();
        for (int attempt = 1; ; attempt++)
        {
            (Exception? failure, IReadOnlyList<string> changes) = await TryCutAsync().ConfigureAwait(false);
            _notes.AddRange(changes);
            if (failure is null)
            {
                Stage = KeyStage.Done;
                await TellAsync("Cut", _notes.Count == 0 ? "was cut already" : string.Join("; ", _notes)).ConfigureAwait(false);
                return;
            }

            if (!MayHeal(failure))
            {
                await DescendAsync(failure, failure.Message).ConfigureAwait(false);
                return;
            }

            if (op.Session.Time.GetElapsedTime(start) >= op.Timings.KeyPatience)
            {
                // The one call that is refused or silent need not be the other.
                string tried = $"no answer that would do in {attempt} tries over {op.Session.Time.GetElapsedTime(start).TotalSeconds:0} s";
                await DescendAsync(failure, $"{tried}: {failure.Message}").ConfigureAwait(false);
                return;
            }

            await op.Host.ProgressAsync(
                new OperationProgress("Break-glass", $"{KeyUri} does not answer; tried again ({attempt})")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    /// <summary>Reads until it is known whether the key is cut, and says so. It never throws, but where the run is stopped.</summary>
    /// <param name="other">What else opens the key, being read.</param>
    public async Task ProveAsync(Task<OtherAccess> other)
    {
        LetIn letIn = await LetInAsync().ConfigureAwait(false);
        if (letIn.Own.Count > 0)
        {
            _accesses = [.. Accesses, .. letIn.Own];
            await CutAsync().ConfigureAwait(false);
        }

        AccessDecision[] decisions = await Task.WhenAll(Accesses.Select(WatchAsync)).ConfigureAwait(false);
        OtherAccess beside = await other.ConfigureAwait(false);
        GrantVerdict grants = await GrantsAsync(beside).ConfigureAwait(false);
        for (int i = 0; i < Accesses.Count; i++)
        {
            (CmekCutState state, string why) = Conclude(
                decisions[i],
                beside,
                grants,
                Accesses[i].Subject.Vouched ? LetIn.Nobody : letIn);
            if (state != CmekCutState.Cut)
            {
                await op.Host.ErrorAsync(NotCut(Accesses[i].Target, state, why)).ConfigureAwait(false);
            }

            string others = grants.Others.Count == 0
                ? string.Empty
                : $"; others hold grants on it that open it: {string.Join(", ", grants.Others)}";
            string said = state == CmekCutState.Cut
                ? $"{Accesses[i].Target.AuthPrincipal} is cut off: {why}{others}"
                : $"NOT proven: {why}{others}";
            await Accesses[i].Report.SeenAsync(Accesses[i].Target, state, "Proof", said).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Looks once more whether what was proven still is, and cuts again what somebody opened meanwhile. It never throws, but where the run
    /// is stopped.
    /// </summary>
    public async Task HoldAsync()
    {
        for (int round = 0; round < Holds; round++)
        {
            // Who had read the policy before the cut has written it by then, or writes it when he can see the cut himself.
            TimeSpan left = _last is { } last ? op.Timings.PolicySettle - op.Session.Time.GetElapsedTime(last) : TimeSpan.Zero;
            if (left > TimeSpan.Zero)
            {
                await op.DelayAsync(left).ConfigureAwait(false);
            }

            Dictionary<CutAccess, CmekCutState> open = [];
            foreach (CutAccess access in Accesses.Where(a => a.Report.Of(KeyUri, a.Target.AuthPrincipal) == CmekCutState.Cut))
            {
                (AccessDecision now, Exception? failure) = await LookAsync(access.Target).ConfigureAwait(false);
                if (failure is null && now.Cut is (CmekCutState.Open or CmekCutState.Perhaps))
                {
                    open[access] = now.Cut;
                }
            }

            if (open.Count == 0)
            {
                return;
            }

            foreach ((CutAccess access, CmekCutState state) in open)
            {
                _cut.Remove(access.Target.Identity);
                await access.Report.SeenAsync(access.Target, state, "Proof", "NOT cut any more: somebody let it in again")
                    .ConfigureAwait(false);
                await op.Host.WarningAsync(
                    $"{access.Target.AuthPrincipal} was let in to {KeyUri} again after it had been cut off: it is cut off once more.")
                        .ConfigureAwait(false);
            }

            await CutAsync().ConfigureAwait(false);
            await ProveAsync(ReadOtherAccessAsync()).ConfigureAwait(false);
        }
    }

    /// <summary>What else opens the key. What does not answer in its time is named as not read.</summary>
    public async Task<OtherAccess> ReadOtherAccessAsync()
    {
        OtherAccess other = new([], [], [$"{KeyUri}: copies and grants were not read"]);
        long start = op.Session.Time.GetTimestamp();
        Exception? failure;
        do
        {
            (failure, _) = await TryAsync(
                async part => other = await provider.ReadOtherAccessAsync(KeyUri, part).ConfigureAwait(false)).ConfigureAwait(false);
        }
        while (failure is not null && await HealsInTimeAsync(failure, start).ConfigureAwait(false));
        other = failure is null ? other : new OtherAccess([], [], [$"copies and grants of {KeyUri} could not be read: {failure.Message}"]);
        _replicas.AddRange(other.Replicas.Where(r => r.KeyUri != KeyUri));
        return other;
    }

    private async Task<(Exception? Failure, IReadOnlyList<string> Changes)> TryCutAsync()
    {
        (Exception? Failure, IReadOnlyList<string> Changes) tried = await TryAsync(CutOnceAsync).ConfigureAwait(false);

        // Also where nothing was changed: a write that could not be proven at once is in all the same, and then found.
        _last = op.Session.Time.GetTimestamp();
        return tried;
    }

    private async Task CutOnceAsync(Operation part)
    {
        foreach (CutAccess access in Accesses.Where(a => !_cut.Contains(a.Target.Identity)))
        {
            part.About(access.Subject.Cluster);
            await access.Book.AddAsync(await CaptureAsync(access, part).ConfigureAwait(false)).ConfigureAwait(false);
            await provider.CutAsync(access.Target, new CutOptions(options.DisablePrincipal), part).ConfigureAwait(false);
            _cut.Add(access.Target.Identity);
        }
    }

    // What an interrupted run has cut already is taken from its receipt; only what is open again since is captured anew.
    private async Task<ReceiptAccess> CaptureAsync(CutAccess access, Operation part)
    {
        AccessTarget target = access.Target;
        if (access.Book.Earlier(target) is { } earlier && !await IsOpenAsync(target, part).ConfigureAwait(false))
        {
            return earlier;
        }

        AccessSnapshot now = await provider.CaptureAsync(target, part).ConfigureAwait(false);
        return new ReceiptAccess(target.Region, target.KeyUri, target.AuthPrincipal, Kept(access, now));
    }

    // What was captured before a cut stands, although the cut is tried again: where its answer was lost, or something else lets the
    // principal in all the same, the policy that is read now has the cut in it already.
    private AccessSnapshot Kept(CutAccess access, AccessSnapshot now)
    {
        ReceiptAccess? had = access.Book.Document.Accesses.FirstOrDefault(a => a.Identity == access.Target.Identity);
        if (had is null)
        {
            return now;
        }

        return provider.WasCut(access.Target, now) && !provider.WasCut(access.Target, had.Snapshot)
            ? had.Snapshot
            : GrantSnapshot.Carry(had.Snapshot, now);
    }

    private async Task<bool> IsOpenAsync(AccessTarget target, Operation part)
    {
        using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(part.Cancellation);
        using ITimer limit = soon.CancelAfter(op.Timings.ServicePatience, op.Session.Time);
        try
        {
            return (
                await provider.EvaluateAsync(
                    target,
                    part.ForRecord(part.Host, soon.Token, soon.Token)).ConfigureAwait(false)).Use == Decision.Allowed;
        }
        catch (Exception e) when (e is CmekException || !part.Cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    // The policy cannot be written or read: a key that is disabled lets nobody in.
    private async Task DescendAsync(Exception failure, string why)
    {
        if (op.Host.WhatIf
            || failure is CmekException { Kind: CmekErrorKind.ObjectNotFound or CmekErrorKind.WriteError or CmekErrorKind.InvalidArgument })
        {
            await FailAsync(failure, why).ConfigureAwait(false);
            return;
        }

        (Exception? still, IReadOnlyList<string> changes) = await TryAsync(async part =>
        {
            part.About(Accesses[0].Subject.Cluster);
            foreach (CutAccess access in Accesses.Where(a => a.Book.Document.Accesses.All(x => x.Identity != a.Target.Identity)))
            {
                // The policies were not read and are not touched: what comes back is the key's state.
                await access.Book.AddAsync(
                    new ReceiptAccess(access.Target.Region, KeyUri, access.Target.AuthPrincipal, Unseen(failure))).ConfigureAwait(false);
            }

            await provider.DisableKeyAsync(KeyUri, part).ConfigureAwait(false);
        }).ConfigureAwait(false);
        if (still is not null)
        {
            await FailAsync(failure, $"{why} Disabling the key did not work either: {still.Message}").ConfigureAwait(false);
            return;
        }

        Stage = KeyStage.Disabled;
        await TryAsync(
            part => changes.Count > 0
                ? RevocationMarks.PutAsync(KeyUri, Clusters, provider, part)
                : RevocationMarks.JoinAsync(KeyUri, Clusters, provider, part)).ConfigureAwait(false);

        string said = failure.Message.TrimEnd('.');
        await op.Host.WarningAsync(
            changes.Count > 0
                ? $"{KeyUri} was disabled, because its policy could not be changed: {said}. Nobody can use it until it is enabled, which "
                    + "Restore-CmekAccess does."
                : $"{KeyUri} was disabled already, and its policy could not be changed: {said}. Nobody can use it until it is enabled; who "
                    + "may do that is proven by its policy alone.").ConfigureAwait(false);
        _notes.AddRange(changes);
        string how = changes.Count == 0 ? "it is disabled already" : string.Join("; ", _notes);
        await TellAsync("Cut", $"its policy could not be changed ({failure.Message}): {how}").ConfigureAwait(false);
    }

    private AccessSnapshot Unseen(Exception failure) => new(
        AccessSnapshot.KindOf(provider.Provider),
        new System.Text.Json.Nodes.JsonObject { ["notSeen"] = failure.Message, ["keyUri"] = KeyUri });

    private async Task FailAsync(Exception failure, string why)
    {
        Stage = KeyStage.Failed;
        await op.Host.ErrorAsync(AsCmek(failure)).ConfigureAwait(false);
        await TellAsync("Cut", "NOT cut: " + why).ConfigureAwait(false);
    }

    // The effect is read, not assumed: what is explicit needs one look; what only lacks an allow is looked at over the time that a
    // change takes to spread.
    private async Task<AccessDecision> WatchAsync(CutAccess access)
    {
        AccessDecision decision = await WatchOnceAsync(access).ConfigureAwait(false);
        for (int again = 1;
            again < Looks && decision.Cut is (CmekCutState.Open or CmekCutState.Perhaps) && Stage == KeyStage.Done;
            again++)
        {
            // Somebody may have let it in behind the cut. Where the cut finds nothing more to take away it was not that.
            _cut.Remove(access.Target.Identity);
            (_, IReadOnlyList<string> changes) = await TryCutAsync().ConfigureAwait(false);
            if (changes.Count == 0)
            {
                // Who had written over it may have put it back meanwhile.
                (AccessDecision now, _) = await LookAsync(access.Target).ConfigureAwait(false);
                return now.Cut == CmekCutState.Cut ? await WatchOnceAsync(access).ConfigureAwait(false) : decision;
            }

            _notes.AddRange(changes);
            decision = await WatchOnceAsync(access).ConfigureAwait(false);
        }

        return decision;
    }

    private async Task<AccessDecision> WatchOnceAsync(CutAccess access)
    {
        long start = op.Session.Time.GetTimestamp();
        int cut = 0;
        while (true)
        {
            (AccessDecision decision, Exception? broken) = await LookAsync(access.Target).ConfigureAwait(false);
            if (decision is { ExplicitlyStopped: true, Cut: CmekCutState.Cut })
            {
                return decision;
            }

            // A read that broke off says nothing about a cut that was made: it is made again, as a try to cut is.
            if (broken is not null && Stage == KeyStage.Done && await HealsInTimeAsync(broken, start).ConfigureAwait(false))
            {
                continue;
            }

            cut = decision.Cut == CmekCutState.Cut ? cut + 1 : 0;
            TimeSpan passed = op.Session.Time.GetElapsedTime(start);
            if (cut >= Looks || (passed >= op.Timings.CutWatch && cut == 0) || passed >= 2 * op.Timings.CutWatch)
            {
                return decision.Cut == CmekCutState.Cut && Stage != KeyStage.Done
                    ? decision with { Read = Decision.Perhaps, Reasons =
                    [
                        "the cut did not work, and nothing was read that stops it for certain",
                        .. decision.Reasons,
                    ] }
                    : decision;
            }

            await op.DelayAsync(op.Timings.CutWatch / (Looks - 1)).ConfigureAwait(false);
        }
    }

    // A look that fails shows nothing, and is no reason to stop.
    private async Task<(AccessDecision Decision, Exception? Failure)> LookAsync(AccessTarget target)
    {
        AccessDecision decision = AccessDecision.Of(Decision.Unread, "not read");
        (Exception? failure, _) = await TryAsync(
            async part => decision = await provider.EvaluateAsync(target, part).ConfigureAwait(false)).ConfigureAwait(false);
        AccessDecision seen = failure switch
        {
            null => decision,
            CmekException { Kind: CmekErrorKind.ObjectNotFound } => AccessDecision.Of(Decision.Missing, failure.Message),
            _ => AccessDecision.Of(Decision.Unread, failure.Message),
        };
        return (seen, failure);
    }

    // Waits a little and says whether it is worth another try.
    private async Task<bool> HealsInTimeAsync(Exception failure, long start)
    {
        if (!MayHeal(failure) || op.Session.Time.GetElapsedTime(start) >= op.Timings.KeyPatience)
        {
            return false;
        }

        await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        return true;
    }

    // Where the service did not say as whom a cluster acts, what was given or remembered may be wrong or old. Whom the key's own rules name
    // for the cluster is cut off too; whoever else may be the cluster leaves the proof open.
    private async Task<LetIn> LetInAsync()
    {
        RevocationSubject[] unvouched = [.. Accesses.Select(a => a.Subject).Where(s => !s.Vouched).Distinct()];
        if (unvouched.Length == 0)
        {
            return LetIn.Nobody;
        }

        KeyMarks? marks = null;
        (Exception? failure, _) = await TryAsync(
            async part => marks = await provider.ReadMarksAsync(KeyUri, part).ConfigureAwait(false)).ConfigureAwait(false);
        if (marks is null)
        {
            return LetIn.Nobody with { Unread = [$"whom else {KeyUri} lets in could not be read: {failure?.Message}"] };
        }

        List<CutAccess> own = [];
        foreach (RevocationSubject subject in unvouched)
        {
            CutAccess named = Accesses.First(a => a.Subject == subject);
            foreach (
                string principal in marks.Marks.Where(m => m.IsOf(subject.Cluster.Id)).Select(m => m.Principal).OfType<string>()
                    .Where(p => marks.Clients.Contains(p)).Distinct(StringComparer.Ordinal)
                    .Where(p => Accesses.All(a => a.Subject != subject || a.Target.AuthPrincipal != p)))
            {
                own.Add(named with { Target = named.Target with { AuthPrincipal = principal, InUse = false } });
                named.Report.Expect(own[^1].Target);
                await op.Host.WarningAsync(
                    $"{KeyUri} lets in {principal} for {subject.Cluster.Name} too, which nobody named: it is cut off as well.")
                        .ConfigureAwait(false);
            }
        }

        // Another cluster's own rule says whose it is, where the cluster at hand is known.
        bool known = unvouched.All(s => Guid.TryParse(s.Cluster.Id, out Guid id) && id != Guid.Empty);
        string[] strangers =
        [
            .. marks.Clients
                .Except(Accesses.Concat(own).Select(a => a.Target.AuthPrincipal), StringComparer.OrdinalIgnoreCase)
                .Where(c => !known || marks.Marks.All(m => m.Principal != c || unvouched.Any(s => m.IsOf(s.Cluster.Id)))),
        ];
        return new LetIn(
            own,
            [
                .. strangers.Select(
                    s => $"it is not known here as whom the cluster acts, and the key lets in {s} too (where that is the cluster's, name "
                        + "it with -AuthPrincipal)"),
            ],
            []);
    }

    private async Task<GrantVerdict> GrantsAsync(OtherAccess other)
    {
        List<string> others = [];
        List<string> open = [];
        List<string> perhaps = [];
        foreach (KeyGrant grant in other.Grants.Where(g => g.Opens))
        {
            if (Accesses.FirstOrDefault(a => grant.IsClusters(a.Target)) is not { } own)
            {
                others.Add($"{grant.GrantId} ({grant.Grantee})");
                if (Accesses.Any(a => !a.Target.KnowsAccount) && !IsOfKeysAccount(grant))
                {
                    perhaps.Add($"the grant {grant.GrantId} to {grant.Grantee} may be the cluster's: its account is not known here");
                }

                continue;
            }

            (Exception? failure, IReadOnlyList<string> changes) = await TryAsync(async part =>
            {
                part.About(own.Subject.Cluster);
                await own.Book.AddAsync(WithGrant(own, grant)).ConfigureAwait(false);
                await provider.RevokeGrantAsync(grant, part).ConfigureAwait(false);
            }).ConfigureAwait(false);
            if (failure is not null)
            {
                open.Add($"the grant {grant.GrantId} to {grant.Grantee} could not be revoked: {failure.Message}");
                await op.Host.ErrorAsync(AsCmek(failure)).ConfigureAwait(false);
            }
            else
            {
                await own.Report.DoneAsync(
                    "Grant",
                    own.Target.Region,
                    KeyUri,
                    changes.Count == 0 ? $"the grant {grant.GrantId} is gone already" : string.Join("; ", changes)).ConfigureAwait(false);
            }
        }

        return new GrantVerdict(others, open, perhaps);
    }

    // The receipt's entry of an access with a grant in it.
    private ReceiptAccess WithGrant(CutAccess access, KeyGrant grant)
    {
        ReceiptAccess? had = access.Book.Document.Accesses.FirstOrDefault(a => a.Identity == access.Target.Identity);
        AccessSnapshot snapshot = had?.Snapshot ?? new AccessSnapshot(AccessSnapshot.KindOf(provider.Provider), []);
        return new ReceiptAccess(access.Target.Region, KeyUri, access.Target.AuthPrincipal, GrantSnapshot.With(snapshot, grant));
    }

    // The account stands in the key's own name; a service of AWS has none.
    private bool IsOfKeysAccount(KeyGrant grant) =>
        KeyUri.Split(':') is [_, _, _, _, { } account, ..] && grant.Grantee.Contains(account, StringComparison.Ordinal);

    // A key that is off lets nobody in, whatever grants there are; else what could not be read leaves the whole unread.
    private static (CmekCutState State, string Why) Conclude(AccessDecision decision, OtherAccess other, GrantVerdict grants, LetIn letIn)
    {
        string why = string.Join("; ", decision.Reasons);
        bool off = other.State.LetsNobodyIn();
        return decision.Cut switch
        {
            CmekCutState.Cut when off => (CmekCutState.Cut, why),
            CmekCutState.Cut when grants.Open.Count > 0 => (CmekCutState.Open, string.Join("; ", grants.Open)),
            CmekCutState.Cut when grants.Perhaps.Count > 0 => (CmekCutState.Perhaps, string.Join("; ", grants.Perhaps)),
            CmekCutState.Cut when letIn.Perhaps.Count > 0 => (CmekCutState.Perhaps, string.Join("; ", letIn.Perhaps)),
            CmekCutState.Cut when letIn.Unread.Count > 0 => (CmekCutState.Unread, string.Join("; ", letIn.Unread)),
            CmekCutState.Cut when other.Unread.Count > 0 => (CmekCutState.Unread, string.Join("; ", other.Unread)),
            _ => (decision.Cut, why),
        };
    }

    private static CmekException NotCut(AccessTarget target, CmekCutState state, string why)
    {
        bool open = state == CmekCutState.Open;
        return new CmekException(
            open ? "CutNotEffective" : "CutNotSeen",
            open ? CmekErrorKind.InvalidOperation : CmekErrorKind.PermissionDenied,
            $"{target}: {target.AuthPrincipal} {(open ? "can still use" : "may still be able to use")} {target.KeyUri}: {why}",
            "Take away what the message names, at the provider, and run the same command again: it goes on where it stopped.",
            target.KeyUri);
    }

    // One try with a budget of its own. Only the run's own end gets out of here.
    private async Task<(Exception? Failure, IReadOnlyList<string> Changes)> TryAsync(Func<Operation, Task> work)
    {
        Operation tried = op;
        Exception? failure = await TimeBudget.RunAsideAsync(
            op,
            op.Timings.KeyTry,
            part =>
            {
                tried = part;
                return work(part);
            }).ConfigureAwait(false);
        return (failure, tried.ChangesSince(0));
    }

    // A policy that is too large stays so; one that somebody else wrote over the cut is cut again.
    private static bool MayHeal(Exception e) => e is TimeoutException or CmekException { ErrorId: "PolicyNotAsWritten" }
        || (e is CmekException { ErrorId: not "PolicyTooLarge" } failure && failure.MayHeal());

    private static CmekException AsCmek(Exception e) => e as CmekException ?? new CmekException(
        e is TimeoutException ? "KeySilent" : "BreakGlassFault",
        e is TimeoutException ? CmekErrorKind.OperationTimeout : CmekErrorKind.InvalidData,
        e.Message,
        e is TimeoutException
            ? "Look at the way to the provider's endpoint of that region, and run the same command again: it goes on where it stopped."
            : "Look with Get-CmekJournal at what was done, and report this: it is a fault in CmekTools or in what it was given. The "
                + "other keys are not affected.",
        null,
        e);

    private async Task TellAsync(string step, string result)
    {
        foreach (CutAccess access in Accesses.DistinctBy(a => a.Subject.Cluster.Id).Where(_ => !op.Host.WhatIf))
        {
            string[] principals =
                [.. Accesses.Where(a => a.Subject == access.Subject).Select(a => a.Target.AuthPrincipal).Distinct()];
            await access.Report.DoneAsync(step, access.Target.Region, KeyUri, result, principals is [var one] ? one : null)
                .ConfigureAwait(false);
        }
    }

    /// <summary>Whom a key lets in beside those who were named.</summary>
    /// <param name="Own">For the clusters at hand, by the key's own rules.</param>
    /// <param name="Perhaps">Who may be one of them, a line each.</param>
    /// <param name="Unread">What could not be read, and why.</param>
    private sealed record LetIn(IReadOnlyList<CutAccess> Own, IReadOnlyList<string> Perhaps, IReadOnlyList<string> Unread)
    {
        /// <summary>Nobody but those who were named.</summary>
        public static LetIn Nobody { get; } = new([], [], []);
    }

    /// <summary>What became of the grants that open a key.</summary>
    /// <param name="Others">Those of others, named.</param>
    /// <param name="Open">Those of the cluster that could not be revoked, and why.</param>
    /// <param name="Perhaps">Those of which it is not known whether they are the cluster's.</param>
    private sealed record GrantVerdict(IReadOnlyList<string> Others, IReadOnlyList<string> Open, IReadOnlyList<string> Perhaps);
}
