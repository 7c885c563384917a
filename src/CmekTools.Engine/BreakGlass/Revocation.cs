using System.Collections.Concurrent;
using CmekTools.Engine.Access;
using CmekTools.Engine.Pacing;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// The break-glass: one plan over all clusters. Each key is read, written down, cut and proven by itself; the service is told beside
/// that; what goes wrong is told after the last step. Nothing waits for a key, a cluster, the vendor or a listener that it does not
/// need.
/// </summary>
internal sealed class Revocation
{
    private readonly RevocationPlan _plan;
    private readonly Operation _op;
    private readonly ConcurrentDictionary<string, KeyCut> _keys = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<Task> _running = new();
    private readonly ConcurrentQueue<Task> _cuts = new();
    private readonly Dictionary<string, RevocationReport> _reports = [];
    private readonly Dictionary<string, ReceiptBook> _books = [];
    private readonly List<ServiceRevocation> _services = [];

    private Revocation(RevocationPlan plan, Operation op)
    {
        _plan = plan;
        _op = op;
    }

    /// <summary>Revokes everything that was named, in one go.</summary>
    /// <param name="find">Finds the clusters; what it tells is told at the end.</param>
    /// <param name="options">How.</param>
    /// <param name="outer">The run.</param>
    /// <exception cref="CmekException">Nothing was cut: the question could not be asked, or another cluster was named.</exception>
    public static async Task RevokeAsync(
        Func<Operation, Task<IReadOnlyList<RevocationSubject>>> find,
        RevokeOptions options,
        Operation outer)
    {
        using IDisposable urgent = Urgency.Begin();
        HeldHost host = new(outer.Host);
        Operation op = outer.ForRecord(host, outer.Cancellation, outer.Cancellation);
        op.JournalNeed = options.RequireReceipt ? JournalNeed.Required : JournalNeed.Wanted;
        try
        {
            RevocationPlan plan = await RevocationPlan.MakeAsync(await find(op).ConfigureAwait(false), options, op).ConfigureAwait(false);
            if (plan.Subjects.Count == 0)
            {
                return;
            }

            Unanswered otherwise = new(
                options.Cuts ? "Nothing was cut; give -Force." : "The service was not told; give -Force.",
                "In a script give -Force, and -ConfirmClusterName for what is permanent.");
            if (await outer.Host.ConfirmRunAsync(plan.Target(op), plan.Question(op), otherwise).ConfigureAwait(false))
            {
                await RunAsync(plan, outer, op, host).ConfigureAwait(false);
            }
            else
            {
                await outer.Host.WarningAsync(
                    $"{(options.Cuts ? "Nothing was cut" : "The service was not told")}, because you said no.").ConfigureAwait(false);
            }
        }
        finally
        {
            if (!outer.Cancellation.IsCancellationRequested)
            {
                await host.ReleaseAsync().ConfigureAwait(false);
            }
        }
    }

    private static async Task RunAsync(RevocationPlan plan, Operation outer, Operation op, HeldHost host)
    {
        Revocation revocation = new(plan, op);
        if (plan.Options.Unasked && plan.Others.Count > 0)
        {
            foreach (IGrouping<bool, OtherHit> group in plan.Others.GroupBy(o => o.Stops).OrderByDescending(g => g.Key))
            {
                await op.Host.WarningAsync($"{(group.Key ? "Also hit" : "May be hit")}: {string.Join("; ", group)}.").ConfigureAwait(false);
            }
        }

        if (plan.Options.DisablePrincipal && plan.Subjects.Any(s => s.Cluster.Provider != CmekProvider.GCP))
        {
            await op.Host.WarningAsync(
                "-DisablePrincipal is for Google Cloud; on AWS the Deny in the key policy stops the role, whatever else allows it.")
                    .ConfigureAwait(false);
        }

        Task work = revocation.RunAsync();
        await Task.WhenAny(work, StoppedAsync(outer.Cancellation)).ConfigureAwait(false);
        if (outer.Cancellation.IsCancellationRequested)
        {
            // Calls in flight are ended; whatever does not listen is not waited for.
            await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(300), CancellationToken.None)).ConfigureAwait(false);
            await outer.Host.LastWordAsync(revocation.Summary(host)).ConfigureAwait(false);
            outer.Cancellation.ThrowIfCancellationRequested();
        }

        await work.ConfigureAwait(false);
    }

    /// <summary>True where the service says REVOKED everywhere.</summary>
    public static bool IsRevoked(CmekStatus status) => RevocationSubject.IsAll(status, CmekState.REVOKED);

    /// <summary>
    /// True for the failures that nothing but a break-glass may go on after: without journal and receipt no change is made.
    /// </summary>
    public static bool IsOfStateFolder(CmekException e) => e.ErrorId is "JournalUnwritable" or "ReceiptUnwritable";

    private static async Task StoppedAsync(CancellationToken cancellation)
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration registered = cancellation.Register(() => stopped.TrySetResult());
        await stopped.Task.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        Dictionary<string, Task> begun = [];
        foreach (RevocationSubject subject in _plan.Subjects)
        {
            _op.TakeOverShared(subject.Cluster);
            RevocationReport report = new(subject.Cluster, _op.Host, _op.Session.Time)
            {
                Revoked = subject.IsRevoked,
                Unseen = subject.Silent is not null || subject.Unknown,
            };
            foreach (AccessTarget target in subject.Targets)
            {
                report.Expect(target);
            }

            foreach (CmekKey left in subject.Uncut)
            {
                report.ExpectUncut(left.KeyUri!);
            }

            ServiceRevocation service = new(subject, report, _plan.Options, _op.ForRecord(_op.Host, _op.Cancellation, _op.Abort));
            _reports[subject.Cluster.Id] = report;
            _books[subject.Cluster.Id] = new ReceiptBook(subject, report, _plan.Options.RequireReceipt, _op);
            _services.Add(service);
        }

        foreach (ServiceRevocation service in _services)
        {
            string id = service.Subject.Cluster.Id;
            begun[id] = _plan.Options.Cuts ? Task.Run(() => _books[id].BeginAsync()) : Task.CompletedTask;
            if (!_op.Host.WhatIf)
            {
                Start(() => ServiceAsync(service, begun[id]));
            }
        }

        foreach (
            IGrouping<(CmekProvider Provider, string Uri), (
                RevocationSubject Subject,
                AccessTarget Target)> key in _plan.Keys.Where(_ => _plan.Options.Cuts))
        {
            await AddKeyAsync(
                key.Key.Uri,
                key.Key.Provider,
                [.. key.Select(k => AccessOf(k.Subject, k.Target))],
                begun).ConfigureAwait(false);
        }

        if (_op.Host.WhatIf)
        {
            foreach (ServiceRevocation service in _services)
            {
                await service.TellAsync().ConfigureAwait(false);
            }
        }

        await AllAsync(_cuts).ConfigureAwait(false);
        if (_plan.Options.Permanent)
        {
            await new PermanentRevocation(_plan, [.. _keys.Values], _reports, _op).ScheduleAsync().ConfigureAwait(false);
        }

        await AllAsync(_running).ConfigureAwait(false);
        foreach (ServiceRevocation service in _services.Where(s => s.Stage != ServiceStage.Told && _plan.Options.Cuts))
        {
            // What could not be begun was told by the cluster's own task.
            if (begun[service.Subject.Cluster.Id].IsCompletedSuccessfully)
            {
                await _books[service.Subject.Cluster.Id].CloseEmptyAsync().ConfigureAwait(false);
            }
        }

        if (!_op.Host.WhatIf)
        {
            // A grant that was under way may have let the principal in again behind the proof. Now that the service is told, a grant sees
            // the revocation by itself.
            await Task.WhenAll(_keys.Values.Select(k => k.HoldAsync())).ConfigureAwait(false);
            await _op.Host.ProgressAsync(new OperationProgress("Break-glass", string.Empty, 100, Completed: true)).ConfigureAwait(false);
        }
    }

    private CutAccess AccessOf(RevocationSubject subject, AccessTarget target) =>
        new(subject, target, _reports[subject.Cluster.Id], _books[subject.Cluster.Id]);

    // In a -WhatIf run one after the other, so that what is shown has an order.
    private async Task AddKeyAsync(string uri, CmekProvider provider, IReadOnlyList<CutAccess> accesses, Dictionary<string, Task> begun)
    {
        KeyCut key = new(uri, accesses, _plan.Options, _op.Session.GetProvider(provider), _op);
        if (!_keys.TryAdd(uri, key))
        {
            return;
        }

        if (_op.Host.WhatIf)
        {
            if (await MayBeginAsync(accesses, begun).ConfigureAwait(false))
            {
                await key.CutAsync().ConfigureAwait(false);
            }

            return;
        }

        TaskCompletionSource cut = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _cuts.Enqueue(cut.Task);
        Start(async () =>
        {
            try
            {
                if (!await MayBeginAsync(accesses, begun).ConfigureAwait(false))
                {
                    return;
                }

                // Only what may have copies is looked at for them at once: they are to be cut as well. The rest is for the proof.
                Task<OtherAccess>? other = key.MayHaveCopies ? Task.Run(() => ReadOtherAccessAsync(key, provider, begun)) : null;
                await key.CutAsync().ConfigureAwait(false);
                cut.TrySetResult();

                // What proves takes none of the way from what cuts; but no proof waits long for another key.
                await Task.WhenAny(AllAsync(_cuts), Task.Delay(_op.Timings.ProofGrace, _op.Session.Time, _op.Cancellation))
                    .ConfigureAwait(false);
                await key.ProveAsync(other ?? Task.Run(() => ReadOtherAccessAsync(key, provider, begun))).ConfigureAwait(false);
            }
            finally
            {
                cut.TrySetResult();
            }
        });
    }

    // Without a receipt that was asked for nothing is cut; the failure has been told by the cluster's own task.
    private static async Task<bool> MayBeginAsync(IReadOnlyList<CutAccess> accesses, Dictionary<string, Task> begun)
    {
        try
        {
            await Task.WhenAll(accesses.Select(a => begun[a.Subject.Cluster.Id])).ConfigureAwait(false);
            return true;
        }
        catch (CmekException)
        {
            return false;
        }
    }

    // A copy of the key in another region has the same material and a policy of its own: it is cut like the key that led to it.
    private async Task<OtherAccess> ReadOtherAccessAsync(KeyCut key, CmekProvider provider, Dictionary<string, Task> begun)
    {
        OtherAccess other = await key.ReadOtherAccessAsync().ConfigureAwait(false);
        foreach (KeyReplica replica in key.Replicas.Where(r => !_keys.ContainsKey(r.KeyUri)))
        {
            CutAccess[] same = [.. key.Accesses.Select(a => a with { Target = a.Target with { KeyUri = replica.KeyUri, InUse = false } })];
            foreach (CutAccess access in same)
            {
                access.Report.Expect(access.Target);
            }

            await _op.Host.WarningAsync(
                $"{replica.KeyUri} is a copy of {key.KeyUri} that nobody named: it is cut too.").ConfigureAwait(false);
            await AddKeyAsync(replica.KeyUri, provider, same, begun).ConfigureAwait(false);
        }

        return other;
    }

    private async Task ServiceAsync(ServiceRevocation service, Task begun)
    {
        try
        {
            await begun.ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            await _op.Host.ErrorAsync(e).ConfigureAwait(false);
            await _reports[service.Subject.Cluster.Id].DoneAsync(
                "Receipt",
                $"NOT written, so nothing was done: {e.Message}").ConfigureAwait(false);
            return;
        }

        await service.TellAsync().ConfigureAwait(false);
        if (!_plan.Options.NoWait)
        {
            await service.WaitAsync().ConfigureAwait(false);
        }
    }

    // Whatever fails in one of them stays its own.
    private void Start(Func<Task> work) => _running.Enqueue(Task.Run(async () =>
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Exception e) when (!_op.Cancellation.IsCancellationRequested)
        {
            await _op.Host.ErrorAsync(e as CmekException ?? new CmekException(
                "BreakGlassFault",
                CmekErrorKind.InvalidData,
                e.Message,
                "Look with Get-CmekJournal at what was done, and report this: it is a fault in CmekTools.",
                null,
                e)).ConfigureAwait(false);
        }
    }));

    // More may be added while those that are there are waited for.
    private static async Task AllAsync(ConcurrentQueue<Task> tasks)
    {
        int seen = -1;
        while (seen != tasks.Count || tasks.Any(t => !t.IsCompleted))
        {
            seen = tasks.Count;
            await Task.WhenAll(tasks).ConfigureAwait(false);
        }
    }

    private string Summary(HeldHost host)
    {
        List<string> lines = ["Stopped in the middle of the break-glass."];
        foreach (ServiceRevocation service in _services)
        {
            RevocationReport report = _reports[service.Subject.Cluster.Id];
            foreach (
                KeyCut key in _keys.Values.Where(
                    k => k.Accesses.Any(a => a.Subject == service.Subject)).OrderBy(k => k.KeyUri, StringComparer.Ordinal))
            {
                string how = (key.Stage, report.Of(key.KeyUri)) switch
                {
                    (_, CmekCutState.Cut) => "cut, and seen to be",
                    (KeyStage.Done, _) => "cut, not proven",
                    (KeyStage.Disabled, _) => "disabled in place of a cut, not proven",
                    (KeyStage.Failed, _) => "NOT cut: it failed",
                    _ => "NOT known to be cut: a change may have been under way",
                };
                lines.Add($"  {service.Subject.Cluster.Name}: {key.KeyUri}: {how}");
            }

            lines.Add(
                $"  {service.Subject.Cluster.Name}: the service "
                    + $"{(service.Stage == ServiceStage.Told ? "has taken the REVOKE" : "is not known to have been told")}");
        }

        lines.AddRange(_reports.Values.Select(s => s.ReceiptPath).OfType<string>().Distinct().Select(r => $"  receipt: {r}"));
        lines.AddRange(host.Warnings.Select(w => "  " + w));
        lines.AddRange(host.Errors.Select(e => "  " + e.Message));
        lines.Add("Run the same command again: it goes on where it stopped. Restore-CmekAccess undoes what was cut.");
        return string.Join(Environment.NewLine, lines);
    }
}
