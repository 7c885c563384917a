using CmekTools.Engine.Lifecycle;

namespace CmekTools.Engine.Checks;

/// <summary>What Test-CmekAccess looks at: the Cloud API's side, and through the providers the keys' side.</summary>
internal static class ClusterChecks
{
    /// <summary>Every check of a cluster, for the accesses given, or for the keys that it uses.</summary>
    /// <param name="read">Reads the cluster; its failure is a check too.</param>
    /// <param name="name">The cluster as the user named it.</param>
    /// <param name="declared">The accesses to check; null: the ones that the service lists.</param>
    /// <param name="op">The run.</param>
    public static async IAsyncEnumerable<CmekCheck> RunAsync(Func<Task<CmekCluster>> read, string name, IReadOnlyList<CmekAccess>? declared, Operation op)
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
                Name = refusal!.StatusCode == 401 ? "CloudApiToken" : "CloudApiRole",
                Result = CmekCheckResult.Fail,
                Target = name,
                Seen = refusal.Message,
                Remedy = refusal.RecommendedAction,
            };
            yield break;
        }

        // The status and the providers' policies do not depend on each other where the accesses are given: they are read side by side.
        Task<CmekStatus> reading = op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation);
        IReadOnlyList<CmekAccess>? accesses = declared;
        Task<List<CmekCheck>>? providers = declared is null ? null : CollectAsync(Preflight.AccessesAsync(cluster, Complete(declared), op));
        CmekStatus? status = null;
        CmekCheck? denied = null;
        try
        {
            status = await reading.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode is 401 or 403)
        {
            denied = Make(cluster, e.StatusCode == 401 ? "CloudApiToken" : "CloudApiRole", CmekCheckResult.Fail, e.Message, e.RecommendedAction);
        }

        if (denied is not null)
        {
            yield return denied;
        }
        else
        {
            yield return Make(cluster, "CloudApiToken", CmekCheckResult.Pass, $"The API key is accepted by {op.Session.Organization} and may read the cluster's CMEK. Whether it may change it shows only when it does.", null);
        }

        foreach (CmekCheck check in OfCluster(cluster, status))
        {
            yield return check;
        }

        accesses ??= [.. (status?.Regions ?? []).Where(r => r.Current is not null).Select(r => Updating.ToAccess(cluster, r))];
        foreach (CmekCheck check in Coverage(cluster, accesses))
        {
            yield return check;
        }

        providers ??= CollectAsync(Preflight.AccessesAsync(cluster, Complete(accesses), op));
        foreach (CmekCheck check in await providers.ConfigureAwait(false))
        {
            yield return check;
        }
    }

    private static IReadOnlyList<CmekAccess> Complete(IReadOnlyList<CmekAccess> accesses) => [.. accesses.Where(a => a.KeyUri is not null && a.AuthPrincipal is not null)];

    private static IEnumerable<CmekCheck> OfCluster(CmekCluster cluster, CmekStatus? status)
    {
        yield return cluster.SupportsCmek
            ? Make(cluster, "ClusterPlan", CmekCheckResult.Pass, $"The plan is {cluster.Plan}.", null)
            : Make(cluster, "ClusterPlan", CmekCheckResult.Fail, $"The plan is {cluster.Plan}; CMEK needs ADVANCED.", "New-CmekCluster makes a cluster that can have CMEK; a plan cannot be changed to it here.");
        yield return cluster.NetworkVisibility switch
        {
            "PRIVATE" => Make(cluster, "ClusterNetwork", CmekCheckResult.Pass, "The network visibility is PRIVATE.", null),
            "PUBLIC" => Make(cluster, "ClusterNetwork", CmekCheckResult.Fail, "The network visibility is PUBLIC; CMEK needs a private cluster, and visibility is set when a cluster is made.", "New-CmekCluster makes a private cluster."),
            _ => Make(cluster, "ClusterNetwork", CmekCheckResult.Unknown, "The Cloud API does not say whether the cluster is private.", "Look in the Cloud Console under Networking."),
        };
        yield return (cluster.State, cluster.OperationStatus) switch
        {
            ("CREATED", null) => Make(cluster, "ClusterState", CmekCheckResult.Pass, "The cluster is CREATED and no operation is running.", null),
            ("CREATED", { } operation) when operation.EndsWith("_FAILED", StringComparison.Ordinal) => Make(cluster, "ClusterState", CmekCheckResult.Warn, $"The last operation ended as {operation}.", $"Get-CmekStatus {cluster.Name} | Format-List shows the service's message."),
            (_, var operation) => Make(cluster, "ClusterState", CmekCheckResult.Fail, $"The cluster is {cluster.State}{(operation is null ? string.Empty : " and busy with " + operation)}.", $"Wait until Get-CmekCluster {cluster.Name} shows CREATED and no operation."),
        };
        foreach (CmekRegionStatus region in (status?.Regions ?? []).Where(r => r.State is CmekState.REVOKED or CmekState.REVOKING or CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED))
        {
            yield return Make(cluster, "CmekStatus", CmekCheckResult.Warn, $"The service says {region.State}{(region.UserMessage is null ? string.Empty : ": " + region.UserMessage)}.", region.State is CmekState.REVOKED or CmekState.REVOKING ? $"Restore-CmekAccess -ClusterName {cluster.Name}" : null) with { Region = region.Region };
        }
    }

    private static IEnumerable<CmekCheck> Coverage(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses)
    {
        foreach (string region in cluster.Regions.Select(r => r.Name))
        {
            CmekAccess[] given = [.. accesses.Where(a => string.Equals(a.Region, region, StringComparison.OrdinalIgnoreCase))];
            yield return given.Length switch
            {
                1 => Make(cluster, "RegionCovered", CmekCheckResult.Pass, $"There is a key: {given[0].KeyUri}", null) with { Region = region },
                0 => Make(cluster, "RegionCovered", CmekCheckResult.Fail, "There is no key for this region; CMEK is enabled for all regions or none.", $"Get-CmekCluster {cluster.Name} | New-CmekKey -Region {region} | Grant-CmekAccess") with { Region = region },
                _ => Make(cluster, "RegionCovered", CmekCheckResult.Fail, $"There are {given.Length} keys for this region.", "Give each region one.") with { Region = region },
            };
        }

        foreach (CmekAccess access in accesses.Where(a => !cluster.Regions.Any(r => string.Equals(r.Name, a.Region, StringComparison.OrdinalIgnoreCase))))
        {
            CmekException unknown = ClusterLookup.RegionUnknown(cluster, access.Region);
            yield return Make(cluster, "RegionKnown", CmekCheckResult.Fail, unknown.Message, unknown.RecommendedAction) with { Region = access.Region };
        }
    }

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
