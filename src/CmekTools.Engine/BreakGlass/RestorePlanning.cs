using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>One line of a restore's plan, with what carries it out.</summary>
internal sealed record RestoreItem(ClusterKey Key, AccessTarget Target, AccessSnapshot? Snapshot, CmekRestorePlan Shown)
{
    /// <summary>The key says that a revocation switched it off.</summary>
    public bool Marked { get; init; }

    /// <summary>
    /// A past key that nobody is let in to by this restore, and that a revocation switched off: it is brought back, and whoever is cut
    /// off stays so.
    /// </summary>
    public bool Revives { get; init; }

    /// <summary>Who was there before the cut by the word of a receipt that anybody may have written, and by nothing else.</summary>
    public IReadOnlyList<string> Vouched { get; init; } = [];

    /// <summary>Why its key could not be read; null where it was.</summary>
    public CmekException? Failure { get; init; }

    /// <summary>True where something is to be done.</summary>
    public bool Acts => Shown.Action is CmekRestoreAction.GiveBack or CmekRestoreAction.Grant or CmekRestoreAction.LeftRetired;
}

/// <summary>A restore's plan.</summary>
/// <param name="Keys">The cluster's keys.</param>
/// <param name="Items">What is done, the keys that the cluster needs first.</param>
/// <param name="Open">The receipts of the cluster that stand open (or the one that was given).</param>
/// <param name="Acting">The principals that the cluster acts as, before the restore.</param>
/// <param name="Foreign">Cuts of other clusters' revocations that stop a principal of this one, a line each.</param>
internal sealed record RestorePlan(
    ClusterKeys Keys,
    IReadOnlyList<RestoreItem> Items,
    IReadOnlyList<StoredReceipt> Open,
    IReadOnlyList<string> Acting,
    IReadOnlyList<(RestoreItem Item, CutMark Cut)> Foreign)
{
    /// <summary>A principal was named to take the place of the one before.</summary>
    public bool Named { get; init; }
}

/// <summary>
/// Makes the plan of a restore from three things: what receipts say, what is there now, and what the cluster needs. The same for the
/// principal that was cut off and for another one.
/// </summary>
internal static class RestorePlanning
{
    /// <summary>Reads and plans; sends no write.</summary>
    /// <exception cref="CmekException"><c>NothingToRestore</c>, <c>PrincipalUnchanged</c>.</exception>
    public static async Task<RestorePlan> MakeAsync(CmekCluster cluster, StoredReceipt? given, PrincipalOptions? named, Operation op)
    {
        CmekStatus status = await SubjectFinder.StatusAsync(cluster, op).ConfigureAwait(false);
        IReadOnlyList<StoredReceipt> all = ClusterKeys.Receipts(cluster, op);
        if (op.Session.Offline is { } offline && all.Count == 0)
        {
            // What was seen here before is a file like any other: alone it gives nobody anything.
            throw new CmekException(
                "NothingToRestore",
                CmekErrorKind.InvalidOperation,
                $"There is no receipt of this user for {cluster.Name}, and the service does not say which keys it has: "
                    + $"{offline.Message} Nothing was given back.",
                "Run this where the cut was made, or when the service answers.",
                cluster,
                offline);
        }

        StoredReceipt[] open = given is { } one ? [one] : [.. all.Where(r => r.Document.IsOpen)];
        bool proven = given is null || Trust(given, cluster, op) == ReceiptStanding.Verified;
        IEnumerable<KeyEntry> fromGiven = (given is { } exact && proven ? exact.Document.Accesses : [])
            .Select(a => new KeyEntry(a.Region, a.KeyUri, a.AuthPrincipal, CmekKeyPlace.Past, KeySources.Receipt));
        ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, fromGiven, op).ConfigureAwait(false);
        if (keys.All.All(k => k.Principals.Count == 0))
        {
            throw new CmekException(
                "NothingToRestore",
                CmekErrorKind.InvalidOperation,
                $"There is no receipt for {cluster.Name}, and the service lists no key of it ({status}).",
                "Get-CmekReceipt lists the receipts; give one with -ReceiptPath.",
                status);
        }

        string[] acting = [.. keys.Acting];
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        // Of an unproven receipt only what the service lists is taken, and of that only what a cluster needs: it may say anything.
        StoredReceipt[] sources =
        [
            .. open.Select(o => proven ? o : Sorted(o, cluster, status, op)),
            .. all.Where(a => open.All(o => o.Path != a.Path)),
        ];
        List<Task<(RestoreItem? Item, IReadOnlyList<CutMark> Cuts)>> looks = [];
        foreach (ClusterKey key in keys.All.Where(k => k.Place != CmekKeyPlace.Unused))
        {
            string[] wanted = named is null ? [.. key.Principals.Where(acting.Contains)] : [.. Named(named, key, keys)];
            foreach (string principal in wanted.Concat(key.Principals).Distinct(StringComparer.Ordinal))
            {
                looks.Add(
                    TryPlanAsync(
                        new Question(
                            cluster,
                            keys,
                            key,
                            principal,
                            acting,
                            named,
                            open,
                            sources,
                            all) { Stays = !wanted.Contains(principal), Alone = wanted.Length == 0 },
                        provider,
                        op));
            }
        }

        (RestoreItem? Item, IReadOnlyList<CutMark> Cuts)[] looked = await Task.WhenAll(looks).ConfigureAwait(false);
        RestoreItem[] refused = given is null || proven
            ? []
            : [
                .. given.Document.Accesses.Where(
                    a => !keys.All.Any(
                        k => k.KeyUri == a.KeyUri && k.Principals.Contains(a.AuthPrincipal))).Select(a => Refuse(cluster, a, given, op)),
            ];
        return new RestorePlan(
            keys,
            [.. looked.Select(l => l.Item).OfType<RestoreItem>().OrderByDescending(i => i.Key.Needed), .. refused],
            open,
            acting,
            provider.CutStandsInPolicy
                ? [
                    .. looked.Where(l => l.Item is { Acts: true }).SelectMany(
                        l => l.Cuts.Where(
                            c => c.Principal == l.Item!.Target.AuthPrincipal && !c.IsOf(cluster.Id)).Select(c => (l.Item!, c))),
                ]
                : [])
        { Named = named is not null };
    }

    private static StoredReceipt Sorted(StoredReceipt receipt, CmekCluster cluster, CmekStatus status, Operation op)
    {
        ReceiptTrust trust = ReceiptTrust.Judge(receipt, cluster.Id, op.Session.Organization.Id);
        IEnumerable<ListedAccess> listed = ClusterKeys.Listed(status).Where(e => e.Principal is not null).Select(
            e => new ListedAccess(e.KeyUri, e.Principal!));
        IReadOnlyList<JudgedAccess> judged = ReceiptAccesses.Sort(receipt, trust, cluster, listed);
        return receipt with { Document = receipt.Document with { Accesses =
        [
            .. judged.Where(j => j.Standing == AccessStanding.MayBeGivenBack).Select(j => j.Access),
        ] } };
    }

    private static ReceiptStanding Trust(StoredReceipt receipt, CmekCluster cluster, Operation op) =>
        ReceiptTrust.Judge(receipt, cluster.Id, op.Session.Organization.Id).Standing;

    // A receipt that anybody may have written gives nobody anything that the service does not name.
    private static RestoreItem Refuse(CmekCluster cluster, ReceiptAccess access, StoredReceipt receipt, Operation op)
    {
        ClusterKey key = new()
        {
            Region = access.Region,
            KeyUri = access.KeyUri,
            Identity = new KeyIdentity(access.KeyUri, access.KeyUri),
            Sources = KeySources.Receipt,
        };
        return new RestoreItem(key, new AccessTarget(
            cluster,
            op.Session.Organization.Id,
            access.Region,
            access.KeyUri,
            access.AuthPrincipal), null, new CmekRestorePlan
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Region = access.Region,
            KeyUri = access.KeyUri,
            AuthPrincipal = access.AuthPrincipal,
            Action = CmekRestoreAction.Refused,
            Reason = "only a receipt without a valid seal of this user names it; neither the service nor a sealed receipt does",
            ReceiptPath = receipt.Path,
        });
    }

    private sealed record Question(
        CmekCluster Cluster,
        ClusterKeys Keys,
        ClusterKey Key,
        string Principal,
        IReadOnlyList<string> Acting,
        PrincipalOptions? Named,
        IReadOnlyList<StoredReceipt> Open,
        IReadOnlyList<StoredReceipt> Sources,
        IReadOnlyList<StoredReceipt> Receipts)
    {
        /// <summary>It is not one of those that are to be let in.</summary>
        public bool Stays { get; init; }

        /// <summary>Nobody is to be let in to the key.</summary>
        public bool Alone { get; init; }
    }

    // The principal that is named, as the cluster knows it; where it does not know it, its name stands for what the grant will make.
    private static IReadOnlyList<string> Named(PrincipalOptions named, ClusterKey key, ClusterKeys keys)
    {
        string[] known = [.. keys.Principals.Where(named.Names)];
        return key.Principals.FirstOrDefault(known.Contains) is { } own
            ? [own]
            : [known.FirstOrDefault() ?? named.RoleName ?? named.ServiceAccount ?? string.Empty];
    }

    // A key whose service is silent keeps no other one from coming back.
    private static async Task<(RestoreItem? Item, IReadOnlyList<CutMark> Cuts)> TryPlanAsync(
        Question q,
        IKeyProvider provider,
        Operation op)
    {
        try
        {
            return await PlanAsync(q, provider, op).ConfigureAwait(false);
        }
        catch (CmekException e) when (e.IsSilence())
        {
            AccessTarget target = new(q.Cluster, op.Session.Organization.Id, q.Key.Region, q.Key.KeyUri, q.Principal);
            CmekRestorePlan shown = new()
            {
                ClusterId = q.Cluster.Id,
                ClusterName = q.Cluster.Name,
                Region = q.Key.Region,
                KeyUri = q.Key.KeyUri,
                Place = q.Key.Place,
                AuthPrincipal = q.Principal,
                Action = CmekRestoreAction.Unreachable,
                Reason = $"its service does not answer ({e.Message}); the same command again goes on with it",
            };
            return (new RestoreItem(q.Key, target, null, shown) { Failure = e }, []);
        }
    }

    private static async Task<(RestoreItem? Item, IReadOnlyList<CutMark> Cuts)> PlanAsync(Question q, IKeyProvider provider, Operation op)
    {
        ClusterKey key = q.Key;
        AccessTarget target = new(q.Cluster, op.Session.Organization.Id, key.Region, key.KeyUri, q.Principal) { InUse = key.Needed };
        (string Path, ReceiptAccess Access)[] receipts =
        [
            .. q.Sources.SelectMany(
                s => s.Document.Accesses.Where(a => a.KeyUri == key.KeyUri && a.AuthPrincipal == q.Principal).Select(a => (s.Path, a))),
        ];
        KeyMarks marks = await provider.ReadMarksAsync(key.KeyUri, op).ConfigureAwait(false);
        bool inOpen = q.Open.Any(o => o.Document.Accesses.Any(a => a.KeyUri == key.KeyUri && a.AuthPrincipal == q.Principal));
        if (q.Stays)
        {
            // A key that is switched off lets nobody in: whoever is not to come in stays out when it is enabled again.
            bool cut = inOpen || marks.HasCut(q.Principal, q.Cluster.Id)
                || (key.Needed && await IsRetiredAsync(key.KeyUri, provider, op).ConfigureAwait(false));
            bool revives = q.Alone
                && !key.Needed
                && await IsRetiredAsync(key.KeyUri, provider, op).ConfigureAwait(false)
                && RevocationMarks.ByRevocation(marks, key.KeyUri, op);
            string why = q.Named is null ? $"the cluster acts as {string.Join(", ", q.Acting)} now" : "another one is named";
            return (
                cut || revives
                    ? Item(
                        CmekRestoreAction.StaysCut,
                        $"{why}; name this one with -RoleName or -ServiceAccount to let it in again"
                            + (revives ? ". The key itself comes back: a revocation switched it off" : string.Empty),
                        null) with { Revives = revives }
                    : null,
                marks.Cuts);
        }

        bool marked = marks.HasCut(q.Principal, q.Cluster.Id);
        bool vouched = marked || q.Receipts.Count == 0
            || q.Receipts.Any(r => r.Document.Accesses.Any(a => a.AuthPrincipal == q.Principal && a.KeyUri == key.KeyUri));
        if (q.Named is not null)
        {
            // A grant to the burnt principal would let it in again. An earlier run's new principal is in use by now, and is not burnt.
            if (key.Needed
                && vouched
                && q.Acting.Contains(q.Principal)
                && (await provider.EvaluateAsync(target, op).ConfigureAwait(false)).Use != Decision.Allowed)
            {
                throw new CmekException(
                    "PrincipalUnchanged",
                    CmekErrorKind.InvalidArgument,
                    $"{q.Principal} is the principal that was cut off.",
                    "Name another one, or leave -RoleName and -ServiceAccount away to give the old one its access back.",
                    q.Principal);
            }

            bool off = await StaysRetiredAsync().ConfigureAwait(false);
            return (
                Item(
                    off ? CmekRestoreAction.LeftRetired : CmekRestoreAction.Grant,
                    q.Acting.Contains(q.Principal) ? "it is named, and the cluster acts as it" : "it is named",
                    Good()),
                marks.Cuts);
        }

        // What the service lists is input too: where there are receipts, a principal that none of them and no cut of ours knows has
        // never been let in from here.
        if (!vouched && (await provider.EvaluateAsync(target, op).ConfigureAwait(false)).Use != Decision.Allowed)
        {
            return (
                key.Needed
                    ? Item(
                        CmekRestoreAction.Refused,
                        "the service lists it, and no receipt here and no cut of ours knows it; if it is right, name it with "
                            + "-RoleName or -ServiceAccount",
                        null)
                    : null,
                marks.Cuts);
        }

        if (!key.Needed
            && !inOpen
            && marks.Retirement != RetirementMark.Revocation
            && !await StandingCuts.IsFromAsync(target, marks, provider, op).ConfigureAwait(false))
        {
            return (null, marks.Cuts);
        }

        (string Path, ReceiptAccess Access)? from = Good();
        bool retired = await StaysRetiredAsync().ConfigureAwait(false);
        IReadOnlyList<string> newcomers = [];
        IReadOnlyList<string> told = [];
        if (from is { } f)
        {
            // What may be given back from a receipt that is not sealed here is less than what it says was there.
            AccessSnapshot whole = q.Open.FirstOrDefault(o => o.Path == f.Path)?.Document.Accesses
                .FirstOrDefault(a => a.Identity == f.Access.Identity)?.Snapshot ?? f.Access.Snapshot;
            DateTimeOffset since = q.Sources.First(s => s.Path == f.Path).Document.CreatedAt;
            newcomers = await NewcomersAsync(q, target, whole, since, provider, op).ConfigureAwait(false);
            if (!ReferenceEquals(whole, f.Access.Snapshot))
            {
                told =
                [
                    .. (await NewcomersAsync(q, target, f.Access.Snapshot, since, provider, op).ConfigureAwait(false)).Except(newcomers),
                ];
            }
        }

        string reason = key.Needed ? "the cluster needs it" : "it is cut off, and old data and backups need it";
        return (
            Item(
                retired ? CmekRestoreAction.LeftRetired : CmekRestoreAction.GiveBack,
                from is null ? reason + "; no receipt has it as it was before the cut, so that it is given as a grant would" : reason,
                from,
                newcomers) with { Vouched = told },
            marks.Cuts);

        // What a revocation with -Permanent scheduled is rescued with the rest, for whomever; what was retired by anything else is not.
        async Task<bool> StaysRetiredAsync()
        {
            bool off = !key.Needed && await IsRetiredAsync(key.KeyUri, provider, op).ConfigureAwait(false);
            bool ours = off && RevocationMarks.ByRevocation(marks, key.KeyUri, op);
            target = ours ? target with { WasSwitchedOff = true } : target;
            return off && !ours;
        }

        // A receipt that was written when the cut was in force already does not say what was there before.
        (string Path, ReceiptAccess Access)? Good() => receipts.Where(
            r => !provider.WasCut(target, r.Access.Snapshot)).Select(r => ((string, ReceiptAccess)?)r).FirstOrDefault();

        RestoreItem Item(
            CmekRestoreAction action,
            string why,
            (string Path, ReceiptAccess Access)? source,
            IReadOnlyList<string>? newcomers = null) => new(
            key,
            target,
            source?.Access.Snapshot,
            new CmekRestorePlan
            {
                ClusterId = q.Cluster.Id,
                ClusterName = q.Cluster.Name,
                Region = key.Region,
                KeyUri = key.KeyUri,
                Place = key.Place,
                AuthPrincipal = q.Principal,
                Action = action,
                Reason = why,
                Newcomers = newcomers ?? [],
                ReceiptPath = source?.Path,
            })
        { Marked = marks.Retirement == RetirementMark.Revocation };
    }

    private static async Task<bool> IsRetiredAsync(string keyUri, IKeyProvider provider, Operation op) =>
        (await provider.ReadStateAsync(keyUri, op).ConfigureAwait(false)).LetsNobodyIn();

    private static async Task<IReadOnlyList<string>> NewcomersAsync(
        Question q, AccessTarget target, AccessSnapshot snapshot, DateTimeOffset since, IKeyProvider provider, Operation op)
    {
        try
        {
            Task<OtherAccess> other = provider.ReadOtherAccessAsync(target.KeyUri, op);
            IReadOnlyList<string> seen = await provider.ReadNewcomersAsync(target, snapshot, op).ConfigureAwait(false);

            // A grant lets its grantee in beside every policy.
            IEnumerable<string> grants = (await other.ConfigureAwait(false)).Grants
                .Where(g => g.Opens && g.CreatedAt > since)
                .Select(g => $"{g.Grantee} (the grant {g.GrantId} for {string.Join(", ", g.Operations)} on the key)");
            return [.. seen.Concat(grants).Where(n => !q.Keys.Principals.Any(p => n.StartsWith(p + " ", StringComparison.Ordinal)))];
        }
        catch (CmekException e) when (!e.IsSilence())
        {
            // A past key that is gone has nobody who came; of one that the cluster needs it is told.
            return q.Key.Needed ? [$"whoever came since (it could not be read: {e.Message})"] : [];
        }
    }
}
