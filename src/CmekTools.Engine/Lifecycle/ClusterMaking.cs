using CmekTools.Engine.Clusters;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.CloudApi;

namespace CmekTools.Engine.Lifecycle;

/// <summary>What a new cluster is to be.</summary>
internal sealed record ClusterPlan(
    string Name,
    CmekProvider Provider,
    IReadOnlyDictionary<string, int> RegionNodes,
    int VirtualCpus,
    int StorageGib,
    string? Version,
    string? CidrRange);

/// <summary>Makes a cluster that can have CMEK: Advanced and private.</summary>
internal static class ClusterMaking
{
    /// <summary>Makes the cluster, or finds the one that an earlier run made.</summary>
    public static async Task<CmekCluster?> MakeAsync(ClusterPlan plan, bool wait, TimeSpan limit, Operation op)
    {
        CmekCluster? cluster = await FindAsync(plan.Name, op, op.Cancellation).ConfigureAwait(false);
        if (cluster is not null)
        {
            RequireSame(plan, cluster);
            await op.Host.VerboseAsync($"{cluster} is there already; nothing was changed.").ConfigureAwait(false);
        }
        else
        {
            ClusterCreateWire body = new(plan.Name, plan.Provider.ToString(), new ClusterSpecWire(
                new DedicatedCreateWire(
                    new SortedDictionary<string, int>(plan.RegionNodes.ToDictionary(), StringComparer.Ordinal),
                    new HardwareWire(new MachineSpecWire(plan.VirtualCpus), plan.StorageGib),
                    "PRIVATE",
                    plan.Version,
                    plan.CidrRange),
                "ADVANCED"));
            JsonNode json = JsonSerializer.SerializeToNode(body, WireJson.Default.ClusterCreateWire)!;
            bool made = await op.ChangeAsync(
                new PlannedChange(
                    "cluster:Create",
                    plan.Name,
                    $"make an Advanced private cluster on {plan.Provider}: "
                        + string.Join(
                            ", ",
                            plan.RegionNodes.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Value} nodes in {r.Key}"))
                        + $", {plan.VirtualCpus} vCPU and {plan.StorageGib} GiB a node",
                    Specs.ToText(json),
                    After: json),
                async token => cluster = await LostAnswerRetry.SendAsync(
                    op,
                    $"the cluster {plan.Name}",
                    t => op.Session.Cloud.CreateClusterAsync(body, t),
                    t => FindAsync(plan.Name, op, t),
                    op.Timings.CallLimit,
                    token).ConfigureAwait(false)).ConfigureAwait(false);
            if (!made)
            {
                return null;
            }
        }

        return wait ? await WaitAsync(cluster!, limit, op).ConfigureAwait(false) : cluster;
    }

    private static async Task<CmekCluster?> FindAsync(string name, Operation op, CancellationToken cancellation)
    {
        CmekCluster? found = null;
        await foreach (CmekCluster known in ClusterListing.ListAsync(op.Session, cancellation).ConfigureAwait(false))
        {
            if (string.Equals(known.Name, name, StringComparison.OrdinalIgnoreCase))
            {
                found = known;
            }
        }

        return found;
    }

    private static void RequireSame(ClusterPlan plan, CmekCluster cluster)
    {
        bool same = cluster.Provider == plan.Provider
            && cluster.Regions.Select(r => r.Name).Order(StringComparer.Ordinal).SequenceEqual(
                plan.RegionNodes.Keys.Order(StringComparer.Ordinal));
        if (!same)
        {
            throw new CmekException(
                "ClusterExists",
                CmekErrorKind.ResourceExists,
                $"There is a cluster '{cluster.Name}' already, and it is another one: {cluster.Provider}, "
                    + $"{string.Join(", ", cluster.Regions.Select(r => r.Name))}.",
                "Choose another name; a cluster is never changed by New-CmekCluster.",
                cluster);
        }
    }

    private static async Task<CmekCluster> WaitAsync(CmekCluster cluster, TimeSpan limit, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        string activity = $"Making {cluster.Name}";
        while (true)
        {
            cluster = await op.Session.Cloud.GetClusterAsync(cluster.Id, op.Cancellation).ConfigureAwait(false);
            switch (cluster.State)
            {
                case "CREATED":
                    await op.Host.ProgressAsync(new OperationProgress(activity, string.Empty, 100, Completed: true)).ConfigureAwait(false);
                    return cluster;
                case "CREATION_FAILED" or "DELETED":
                    throw new CmekException(
                        "ClusterCreationFailed",
                        CmekErrorKind.InvalidOperation,
                        $"Making {cluster.Name} ended as {cluster.State}.",
                        "The Cloud Console says why.",
                        cluster);
            }

            if (op.Session.Time.GetElapsedTime(start) > limit)
            {
                throw new CmekException(
                    "StatusTimeout",
                    CmekErrorKind.OperationTimeout,
                    $"{cluster.Name} was {cluster.State} after {limit.TotalSeconds:0} s.",
                    "Nothing was undone: the service goes on. Run the same command again to go on waiting.",
                    cluster);
            }

            await op.Host.ProgressAsync(new OperationProgress(activity, cluster.State)).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.StatusPoll).ConfigureAwait(false);
        }
    }
}
