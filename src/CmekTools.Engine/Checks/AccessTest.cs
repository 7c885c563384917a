using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Checks;

/// <summary>What Test-CmekAccess looks at: the Cloud API's side, and through the providers the keys' side.</summary>
internal static class AccessTest
{
    private const string Role = "CloudApiRole";

    /// <summary>Every check of a cluster, for the accesses given, or for the keys that it uses.</summary>
    /// <param name="read">Reads the cluster; its failure is a check too.</param>
    /// <param name="name">The cluster as the user named it.</param>
    /// <param name="declared">The accesses to check; null: the ones that the service lists.</param>
    /// <param name="op">The run.</param>
    /// <param name="depth">Whether the clouds' own judges are asked too.</param>
    public static async IAsyncEnumerable<CmekCheck> RunAsync(
        Func<Task<CmekCluster>> read,
        string name,
        IReadOnlyList<CmekAccess>? declared,
        Operation op,
        CheckDepth depth = CheckDepth.Usual)
    {
        CmekCluster? cluster = null;
        CmekServiceException? refusal = null;
        try
        {
            cluster = await read().ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode is 401 or 403)
        {
            refusal = e;
        }

        if (cluster is null)
        {
            yield return new CmekCheck
            {
                Name = refusal!.StatusCode == 401 ? "CloudApiToken" : Role,
                Result = CmekCheckResult.Fail,
                Target = name,
                Seen = refusal.Message,
                Remedy = refusal.RecommendedAction,
            };
            yield break;
        }

        // The status and the providers' policies do not depend on each other where the accesses are given: they are read side by side.
        Task<CmekStatus> reading = op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation);
        declared = declared is null ? null : ClusterRequirements.InOwnSpelling(cluster, declared);
        IReadOnlyList<CmekAccess>? accesses = declared;
        Task<List<CmekCheck>>? providers = declared is null
            ? null
            : CollectAsync(Preflight.AccessesAsync(cluster, Complete(declared), op, depth));
        CmekStatus? status = null;
        CmekCheck? denied = null;
        try
        {
            status = await reading.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode is 401 or 403)
        {
            denied = Make(cluster, e.StatusCode == 401 ? "CloudApiToken" : Role, CmekCheckResult.Fail, e.Message, e.RecommendedAction);
        }

        if (denied is not null)
        {
            yield return denied;
        }
        else
        {
            yield return Make(
                cluster,
                "CloudApiToken",
                CmekCheckResult.Pass,
                $"The API key is accepted by {op.Session.Organization} and may read the cluster's CMEK.",
                null);
            yield return await RoleCheckAsync(cluster, op).ConfigureAwait(false);
        }

        foreach (CmekCheck check in OfCluster(cluster, status))
        {
            yield return check;
        }

        accesses ??= [.. (status?.Regions ?? []).Where(r => r.Current is not null).Select(r => Specs.ToAccess(cluster, r))];
        foreach (CmekCheck check in Coverage(cluster, accesses))
        {
            yield return check;
        }

        providers ??= CollectAsync(Preflight.AccessesAsync(cluster, Complete(accesses), op, depth));
        foreach (CmekCheck check in NotLookedInto(cluster, accesses))
        {
            yield return check;
        }

        foreach (CmekCheck check in await providers.ConfigureAwait(false))
        {
            CmekRegion? region = cluster.Regions.FirstOrDefault(r => r.Name == check.Region);
            if (region is null && check is { Name: "AwsKeyRegion" or "GcpKeyLocation", Result: CmekCheckResult.Warn })
            {
                // How far a key is from a region that the cluster does not have says nothing; RegionKnown has told it.
                continue;
            }

            // A grant by hand would give back what a revocation took, past its receipt.
            bool revoked = status?.Regions.Any(r => r.Region == check.Region && r.State is CmekState.REVOKED or CmekState.REVOKING) == true;
            yield return revoked && check.Remedy?.StartsWith("Grant-CmekAccess", StringComparison.Ordinal) == true
                ? check with { Remedy = Restore(cluster) }
                : check;
        }
    }

    // The Cloud API has no call that says which role a key has: only a change that was tried tells, now or as the journal has it. Where
    // none was, that is a warning and no unknown answer: nothing that could be looked at is left out.
    internal static async Task<CmekCheck> RoleCheckAsync(CmekCluster cluster, Operation op)
    {
        string remedy = "In the Cloud Console (Access Management) give the API key's service account the role CLUSTER_ADMIN or "
            + $"CLUSTER_OPERATOR_WRITER on {cluster.Name}.";
        switch (op.Session.Cloud.RightToChange(cluster.Id))
        {
            case ChangeRight.Allowed:
                return Make(cluster, Role, CmekCheckResult.Pass, "The API key has changed this cluster in this session.", null);
            case ChangeRight.Refused:
                return Make(
                    cluster,
                    Role,
                    CmekCheckResult.Fail,
                    "The API key was refused a change of this cluster in this session: it has neither CLUSTER_ADMIN nor "
                        + "CLUSTER_OPERATOR_WRITER.",
                    remedy);
        }

        IReadOnlyDictionary<string, CmekJournalEntry> taken =
            await op.Session.ChangesTakenAsync(op.Cancellation).ConfigureAwait(false);
        return taken.TryGetValue(cluster.Id, out CmekJournalEntry? change)
            ? Make(
                cluster,
                Role,
                CmekCheckResult.Pass,
                $"The journal has a change of the cluster that the service took from this API key ({change.Kind}, {change.Time:u}).",
                null)
            : Make(
                cluster,
                Role,
                CmekCheckResult.Warn,
                "Whether the API key may change the cluster (CLUSTER_ADMIN or CLUSTER_OPERATOR_WRITER) no call of the Cloud API tells; "
                    + "it shows with the first change.",
                remedy);
    }

    // What CmekTools does not look into is not passed over in silence.
    private static IEnumerable<CmekCheck> NotLookedInto(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses) =>
        cluster.Provider is CmekProvider.AWS or CmekProvider.GCP
        ? []
        : Complete(accesses).Select(
            a => Make(
                cluster,
                "KeyAccess",
                CmekCheckResult.Unknown,
                $"CmekTools does not look into keys on {cluster.Provider}: whether {a.AuthPrincipal} may use the key "
                    + "shows when CMEK is enabled.",
                $"Look at {a.KeyUri} in the {cluster.Provider} portal.") with { Region = a.Region, Target = a.KeyUri });

    /// <summary>The accesses that have both a key and a principal.</summary>
    internal static IReadOnlyList<CmekAccess> Complete(IReadOnlyList<CmekAccess> accesses) =>
        [.. accesses.Where(a => a.KeyUri is not null && a.AuthPrincipal is not null)];

    private static IEnumerable<CmekCheck> OfCluster(CmekCluster cluster, CmekStatus? status)
    {
        yield return cluster.SupportsCmek
            ? Make(cluster, "ClusterPlan", CmekCheckResult.Pass, $"The plan is {cluster.Plan}.", null)
            : Make(
                cluster,
                "ClusterPlan",
                CmekCheckResult.Fail,
                $"The plan is {cluster.Plan}; CMEK needs ADVANCED.",
                "New-CmekCluster makes a cluster that can have CMEK; a plan cannot be changed to it here.");
        yield return cluster.NetworkVisibility switch
        {
            // Only clusters of the plan ADVANCED have it: one defect, one check.
            null when !cluster.SupportsCmek => Make(
                cluster,
                "ClusterNetwork",
                CmekCheckResult.Pass,
                "Networks are a matter of the plan ADVANCED.",
                null),
            "PRIVATE" => Make(cluster, "ClusterNetwork", CmekCheckResult.Pass, "The network visibility is PRIVATE.", null),
            "PUBLIC" => Make(
                cluster,
                "ClusterNetwork",
                CmekCheckResult.Fail,
                "The network visibility is PUBLIC; CMEK needs a private cluster, and visibility is set when a cluster is made.",
                "New-CmekCluster makes a private cluster."),
            _ => Make(
                cluster,
                "ClusterNetwork",
                CmekCheckResult.Unknown,
                "The Cloud API does not say whether the cluster is private.",
                "Look in the Cloud Console under Networking."),
        };
        yield return (cluster.State, cluster.OperationStatus) switch
        {
            ("CREATED", null) => Make(
                cluster,
                "ClusterState",
                CmekCheckResult.Pass,
                "The cluster is CREATED and no operation is running.",
                null),
            ("CREATED", { } operation) when operation.EndsWith("_FAILED", StringComparison.Ordinal) => Make(
                cluster,
                "ClusterState",
                CmekCheckResult.Warn,
                $"The last operation ended as {operation}.",
                $"Get-CmekStatus {PowerShellText.Quote(cluster.Name)} | Format-List shows the service's message."),
            (_, var operation) => Make(
                cluster,
                "ClusterState",
                CmekCheckResult.Fail,
                $"The cluster is {cluster.State}{(operation is null ? string.Empty : " and busy with " + operation)}.",
                $"Wait until Get-CmekCluster {PowerShellText.Quote(cluster.Name)} shows CREATED and no operation."),
        };
        foreach (
            CmekRegionStatus region in (status?.Regions ?? []).Where(
                r => r.State is CmekState.REVOKED or CmekState.REVOKING or CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED))
        {
            yield return Make(
                cluster,
                "CmekStatus",
                CmekCheckResult.Warn,
                $"The service says {region.State}{(region.UserMessage is null ? string.Empty : ": " + region.UserMessage)}.",
                region.State is CmekState.REVOKED or CmekState.REVOKING ? Restore(cluster) : null) with { Region = region.Region };
        }
    }

    private static IEnumerable<CmekCheck> Coverage(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses)
    {
        foreach (string region in cluster.Regions.Select(r => r.Name))
        {
            CmekAccess[] given = [.. accesses.Where(a => string.Equals(a.Region, region, StringComparison.OrdinalIgnoreCase))];
            yield return given.Length switch
            {
                1 => Make(
                    cluster,
                    "RegionCovered",
                    CmekCheckResult.Pass,
                    $"There is a key: {given[0].KeyUri}",
                    null) with { Region = region },
                0 => Make(
                    cluster,
                    "RegionCovered",
                    CmekCheckResult.Fail,
                    "There is no key for this region; CMEK is enabled for all regions or none.",
                    $"Get-CmekCluster {PowerShellText.Quote(cluster.Name)} | New-CmekKey -Region "
                        + $"{PowerShellText.Quote(region)} | Grant-CmekAccess") with { Region = region },
                _ => Make(
                    cluster,
                    "RegionCovered",
                    CmekCheckResult.Fail,
                    $"There are {given.Length} keys for this region.",
                    "Give each region one: Get-CmekCluster "
                        + $"{PowerShellText.Quote(cluster.Name)} shows its regions.") with { Region = region },
            };
        }

        foreach (
            CmekAccess access in accesses.Where(
                a => !cluster.Regions.Any(r => string.Equals(r.Name, a.Region, StringComparison.OrdinalIgnoreCase))))
        {
            CmekException unknown = ClusterRequirements.RegionUnknown(cluster, access.Region);
            yield return Make(
                cluster,
                "RegionKnown",
                CmekCheckResult.Fail,
                unknown.Message,
                unknown.RecommendedAction) with { Region = access.Region };
        }
    }

    private static string Restore(CmekCluster cluster) => $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)}";

    private static CmekCheck Make(CmekCluster cluster, string name, CmekCheckResult result, string seen, string? remedy) => new()
    {
        Name = name,
        Result = result,
        ClusterId = cluster.Id,
        ClusterName = cluster.Name,
        Target = cluster.ToString(),
        Seen = seen,
        Remedy = remedy,
    };

    private static async Task<List<CmekCheck>> CollectAsync(IAsyncEnumerable<CmekCheck> checks)
    {
        List<CmekCheck> all = [];
        await foreach (CmekCheck check in checks.ConfigureAwait(false))
        {
            all.Add(check);
        }

        return all;
    }
}
