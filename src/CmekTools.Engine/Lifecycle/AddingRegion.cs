using CmekTools.Engine.Clusters;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.CloudApi;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Adds regions with their keys to an encrypted cluster.</summary>
internal static class AddingRegion
{
    /// <summary>Adds the regions of the accesses with so many nodes each; the other regions are named as they are.</summary>
    public static async Task<CmekStatus> AddAsync(
        CmekCluster cluster,
        IEnumerable<CmekAccess> accesses,
        int nodeCount,
        SwitchOptions options,
        Operation op)
    {
        op.About(cluster);
        ClusterRequirements.RequireCmekPossible(cluster);
        SortedDictionary<string, CmekAccess> wanted = Specs.Validate(cluster, accesses, allRegions: false, newRegions: true, op);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        foreach (CmekAccess access in wanted.Values)
        {
            CmekRegionStatus? there = status.Regions.FirstOrDefault(r => r.Region == access.Region);
            if (there is not null && (there.Goal() is not { } goal || !Specs.Matches(goal, access)))
            {
                throw new CmekException(
                    "RegionExists",
                    CmekErrorKind.ResourceExists,
                    $"{cluster.Name} has the region {access.Region} already ({there.State}, {there.KeyUri ?? "no key"}).",
                    "Update-CmekCluster moves a region to another key.",
                    there);
            }
        }

        CmekAccess[] pending = [.. wanted.Values.Where(a => status.Regions.All(r => r.Region != a.Region))];
        bool changed = false;
        if (pending.Length > 0)
        {
            foreach (CmekRegionStatus region in status.Regions)
            {
                if (WaysOut.Of(region.State, SwitchCommand.AddRegion) is not Way.Go and var way)
                {
                    throw WaysOut.Refuse(cluster, status, region.Region, way);
                }
            }

            if (!options.SkipPreflight)
            {
                await Checks.Preflight.RequireAsync(cluster, pending, op).ConfigureAwait(false);
            }

            SortedDictionary<string, int> nodes = new(StringComparer.Ordinal);
            foreach (CmekRegion region in cluster.Regions)
            {
                nodes[region.Name] = region.NodeCount;
            }

            foreach (CmekAccess access in pending)
            {
                nodes[access.Region] = nodeCount;
            }

            ClusterUpdateWire body = new(new DedicatedUpdateWire(nodes, Specs.ToWire(cluster, pending).RegionSpecs));
            JsonNode json = JsonSerializer.SerializeToNode(body, WireJson.Default.ClusterUpdateWire)!;
            changed = await op.ChangeAsync(
                new PlannedChange(
                    "cluster:Update",
                    cluster.ToString(),
                    $"add {string.Join(", ", pending.Select(p => $"{p.Region} ({nodeCount} nodes)"))}",
                    Specs.ToText(json),
                    After: json),
                async token =>
                {
                    // The request carries every region's number of nodes: what others changed since it was shown must not be set back.
                    CmekCluster fresh = await op.Session.Cloud.GetClusterAsync(cluster.Id, token).ConfigureAwait(false);
                    if (fresh.Regions.Count != cluster.Regions.Count
                        || cluster.Regions.Any(
                            r => r.NodeCount < 1 || fresh.Regions.FirstOrDefault(f => f.Name == r.Name)?.NodeCount != r.NodeCount))
                    {
                        throw new CmekException(
                            "ClusterChanged",
                            CmekErrorKind.InvalidOperation,
                            $"The regions or numbers of nodes of {cluster.Name} changed meanwhile, or are not known. Nothing was sent.",
                            "Run the command again: it reads them anew.",
                            cluster);
                    }

                    await Enabling.SpreadAsync(cluster, pending, c => LostAnswerRetry.SendAsync(
                        op,
                        $"the new regions of {cluster.Name}",
                        t => op.Session.Cloud.UpdateClusterAsync(cluster, body, t),
                        async t => await op.Session.Cloud.GetClusterAsync(cluster.Id, t).ConfigureAwait(false) is var now
                            && pending.All(p => now.Regions.Any(r => r.Name == p.Region)) ? now : null,
                        TimeSpan.Zero,
                        c), op, token).ConfigureAwait(false);
                }).ConfigureAwait(false);
            if (!changed)
            {
                return status;
            }
        }
        else
        {
            await op.Host.VerboseAsync(
                $"{cluster.Name} has these regions with these keys already; nothing was changed.").ConfigureAwait(false);
        }

        CmekCluster now = await op.Session.Cloud.GetClusterAsync(cluster.Id, op.Cancellation).ConfigureAwait(false);
        status = options.Wait
            ? await StatusWatch.WaitAsync(now, StatusGoal.Keys("Adding regions", wanted), options.Limit, op).ConfigureAwait(false)
            : await op.Session.Cloud.GetCmekAsync(now, op.Cancellation).ConfigureAwait(false);
        return status with { Changed = changed };
    }
}
