using CmekTools.Engine.Access;
using CmekTools.Engine.Checks;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// Could we cut now? What Revoke-CmekAccess would need is looked at in the way in which it would be needed: the keys that it would find,
/// the right to write each
/// policy, room in it, the ways to each endpoint, the places where it writes things down. Reads only, but for a file that is written into
/// the state folder and
/// taken away again.
/// </summary>
internal sealed class Readiness(bool keyOnly, Operation op)
{
    private static readonly TimeSpan s_old = TimeSpan.FromDays(7);
    private readonly Dictionary<CmekProvider, Task<CmekCheck>> _callers = [];

    /// <summary>The checks that belong to no cluster.</summary>
    public CmekCheck OfStateFolder()
    {
        string folder = op.Session.Journal.Folder;
        try
        {
            // As a receipt is written, beside where receipts lie.
            string path = Path.Combine(folder, "receipts", $"readiness-{Guid.NewGuid():N}.tmp");
            StateFiles.WriteWhole(path, "Test-CmekBreakGlass writes this and takes it away again.\n");
            File.Delete(path);
            if (Directory.Exists(op.Session.Journal.FilePath))
            {
                throw new IOException($"{op.Session.Journal.FilePath} is a folder.");
            }

            return Plain("StateFolder", CmekCheckResult.Pass, folder, "A receipt can be written.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.SecurityException)
        {
            return Plain(
                "StateFolder",
                CmekCheckResult.Fail,
                folder,
                $"A receipt cannot be written: {e.Message} A cut would go on and put it into the folder for temporary files; with "
                    + "-RequireReceipt it would not.",
                "Mend what the message names, or give Connect-CmekCloud another -StateFolder.");
        }
    }

    /// <summary>Why the service does not answer as it should, asked now; null where it does.</summary>
    public async Task<CmekException?> AskServiceAsync()
    {
        if (op.Session.Offline is { } offline)
        {
            return offline;
        }

        try
        {
            await ShortPatience.AskAsync(
                op.Session.Cloud.Server,
                "Reading the organization",
                op.Timings.ServicePatience,
                op.Session.Time,
                op.Session.Cloud.GetOrganizationAsync,
                op.Cancellation).ConfigureAwait(false);
            return null;
        }
        catch (CmekException e)
        {
            return e;
        }
    }

    /// <summary>The service: whether it could be told.</summary>
    /// <param name="silent">Why it does not answer; null where it does.</param>
    public CmekCheck OfService(CmekException? silent) => silent is not null
        ? Plain(
            "CloudApi",
            CmekCheckResult.Fail,
            op.Session.Cloud.Server.ToString(),
            $"The service cannot be told to revoke: {silent.Message} Keys can be cut all the same.",
            silent.RecommendedAction)
        : Plain(
            "CloudApi",
            CmekCheckResult.Pass,
            op.Session.Cloud.Server.ToString(),
            $"The service answers, for {op.Session.Organization}.");

    /// <summary>Every check of one cluster. A failure of any of them is a row, and none is thrown but the end of the run.</summary>
    public async Task<IReadOnlyList<CmekCheck>> OfClusterAsync(ClusterRef named)
    {
        RevocationSubject subject;
        try
        {
            subject = await SubjectFinder.FindOneAsync(named, op).ConfigureAwait(false);
        }
        catch (Exception e) when (!op.Cancellation.IsCancellationRequested)
        {
            return [
                Plain(
                    "CutKeys",
                    CmekCheckResult.Fail,
                    named.ToString(),
                    $"The cluster's keys are not known: {e.Message}",
                    (e as CmekException)?.RecommendedAction),
            ];
        }

        if (subject.Targets.Count == 0)
        {
            return
            [
                Of(
                    subject,
                    "CutKeys",
                    CmekCheckResult.Fail,
                    $"No customer-managed key of {subject.Cluster.Name} is known "
                        + $"({(subject.Silent is null ? subject.Status : subject.Silent.Message)}): there is nothing that could be cut.",
                    "Get-CmekStatus shows its keys; Revoke-CmekAccess -KeyUri cuts keys that are given by hand."),
            ];
        }

        List<CmekCheck> checks = [KeysKnown(subject), InventoryAge(subject)];
        if (!keyOnly && subject.Silent is null)
        {
            // Where the service is silent, what an earlier change showed of the role does not say that the next one would get through.
            checks.Add(await AccessTest.RoleCheckAsync(subject.Cluster, op).ConfigureAwait(false));
        }

        Task<IReadOnlyList<CmekCheck>>[] keys = [.. subject.Targets.GroupBy(t => t.KeyUri).Select(g => OfKeyAsync(subject, [.. g]))];
        checks.Add(await CallerAsync(subject).ConfigureAwait(false));
        foreach (Task<IReadOnlyList<CmekCheck>> key in keys)
        {
            checks.AddRange(await key.ConfigureAwait(false));
        }

        return checks;
    }

    private CmekCheck KeysKnown(RevocationSubject subject)
    {
        int keys = subject.Keys.All.Count;
        string those = $"{keys} {(keys == 1 ? "key" : "keys")} with {subject.Keys.Principals.Count} "
            + $"{(subject.Keys.Principals.Count == 1 ? "principal" : "principals")}";
        DateTimeOffset? cut = ClusterKeys.Receipts(subject.Cluster, op).FirstOrDefault(r => r.Document.IsOpen)?.Document.CreatedAt;
        string seen = cut is { } since
            ? $"{those} are known, and a cut of {since.UtcDateTime:yyyy-MM-dd HH:mm}Z stands by its receipt; what is open again would "
                + "be cut"
            : subject.IsRevoked ? $"{those} are known, and the service says REVOKED; what is open would be cut" : $"{those} would be cut";
        return subject.Silent is null
            ? Of(subject, "CutKeys", CmekCheckResult.Pass, $"{seen}, by the service, the inventory and receipts.")
            : Of(
                subject,
                "CutKeys",
                CmekCheckResult.Warn,
                $"{seen}, by the inventory and receipts alone: {subject.Silent.Message}",
                "Connect when the service answers, and read the status, so that what changed since is known.");
    }

    // Without the service the cut goes by this alone.
    private CmekCheck InventoryAge(RevocationSubject subject)
    {
        if (op.Session.Inventory.Find(subject.Cluster.Id) is not { Keys.Count: > 0 } entry)
        {
            return Of(
                subject,
                "Inventory",
                CmekCheckResult.Fail,
                $"Nothing is kept of the cluster's keys in {op.Session.Inventory.Folder}: without the service nothing could be cut by "
                    + "name.",
                $"Get-CmekStatus {PowerShellText.Quote(subject.Cluster.Name)} keeps them, where the state folder can be written.");
        }

        bool old = op.Session.Time.GetUtcNow() - entry.SeenAt > s_old;
        return Of(
            subject,
            "Inventory",
            old ? CmekCheckResult.Warn : CmekCheckResult.Pass,
            $"The cluster's keys were last seen {op.Session.Inventory.Age(entry.SeenAt)}.",
            old ? $"Get-CmekStatus {PowerShellText.Quote(subject.Cluster.Name)} reads them anew." : null);
    }

    private async Task<CmekCheck> CallerAsync(RevocationSubject subject)
    {
        Task<CmekCheck>? asking;
        lock (_callers)
        {
            if (!_callers.TryGetValue(subject.Cluster.Provider, out asking))
            {
                _callers[subject.Cluster.Provider] = asking = AskAsync();
            }
        }

        return (await asking.ConfigureAwait(false)) with { ClusterId = subject.Cluster.Id, ClusterName = subject.Cluster.Name };

        async Task<CmekCheck> AskAsync()
        {
            // Whichever region answers: the credentials are the same.
            CmekCheck? last = null;
            foreach (string uri in subject.Targets.Where(t => t.InUse).Concat(subject.Targets).Select(t => t.KeyUri).Distinct())
            {
                (CallerStanding? caller, CmekCheck? failure) = await TryAsync(
                    subject,
                    "CutCredentials",
                    uri,
                    part => op.Session.GetProvider(subject.Cluster.Provider).ReadCallerAsync(uri, part)).ConfigureAwait(false);
                if (caller is not null)
                {
                    return Of(subject, "CutCredentials", caller.Result, caller.Seen, caller.Remedy) with { Target = caller.Who };
                }

                last = failure;
            }

            return last!;
        }
    }

    private async Task<IReadOnlyList<CmekCheck>> OfKeyAsync(RevocationSubject subject, AccessTarget[] targets)
    {
        (IReadOnlyList<CmekCheck>? checks, CmekCheck? failure) = await TryAsync(
            subject,
            "CutEndpoint",
            targets[0].KeyUri,
            part => op.Session.GetProvider(subject.Cluster.Provider).CheckCutAsync(targets, part)).ConfigureAwait(false);
        return checks ?? [failure! with { Region = targets[0].Region }];
    }

    // Each with a budget of its own, so that an endpoint that is gone holds nothing up but its own row.
    private async Task<Tried<T>> TryAsync<T>(RevocationSubject subject, string name, string target, Func<Operation, Task<T>> work)
        where T : class
    {
        T? value = null;
        if (await TimeBudget.RunAsideAsync(
            op,
            op.Timings.KeyTry,
            async part => value = await work(part).ConfigureAwait(false)).ConfigureAwait(false) is not { } failure)
        {
            return new Tried<T>(value, null);
        }

        string remedy = (failure as CmekException)?.RecommendedAction ?? "Look at the way to the provider's endpoint of that region.";
        return new Tried<T>(null, Of(subject, name, CmekCheckResult.Fail, failure.Message, remedy) with { Target = target });
    }

    private static CmekCheck Of(RevocationSubject subject, string name, CmekCheckResult result, string seen, string? remedy = null) =>
        Plain(name, result, subject.Cluster.Name, seen, remedy) with { ClusterId = subject.Cluster.Id, ClusterName = subject.Cluster.Name };

    private static CmekCheck Plain(string name, CmekCheckResult result, string? target, string seen, string? remedy = null) =>
        new() { Name = name, Result = result, Target = target, Seen = seen, Remedy = remedy };

    private sealed record Tried<T>(T? Value, CmekCheck? Failure)
        where T : class;
}
