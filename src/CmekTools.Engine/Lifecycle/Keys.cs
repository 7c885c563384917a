using CmekTools.Engine.Clusters;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Makes and looks up keys.</summary>
internal static class Keys
{
    /// <summary>One key for each region (or for those named); the failure of one region does not stop the next.</summary>
    public static async Task MakeAsync(CmekCluster cluster, IReadOnlyList<string> regions, bool newRegions, KeyOptions options, Operation op)
    {
        op.About(cluster);
        ClusterLookup.RequireCmekPossible(cluster);
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        if (options.KeyName is not null || options.AliasName is not null)
        {
            RequireOneRegion(cluster, regions, options);
        }

        string[] wanted = regions.Count == 0
            ? [.. cluster.Regions.Select(r => r.Name)]
            : [.. regions.Select(r => newRegions ? RequireNew(cluster, r) : ClusterLookup.RequireRegion(cluster, r)).Distinct()];
        foreach (string region in wanted)
        {
            try
            {
                CmekKey key = await provider.EnsureKeyAsync(cluster, region, options, op).ConfigureAwait(false);
                if (!key.Changed && key.State != CmekKeyState.Planned)
                {
                    await op.Host.VerboseAsync($"{cluster.Name}/{region}: {key.KeyUri} is as it should be; nothing was changed.").ConfigureAwait(false);
                }

                await op.Host.OutputAsync(key).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await op.Host.ErrorAsync(e).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Any key by its URI.</summary>
    public static async Task<CmekKey> GetAsync(string keyUri, Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(KeyProviders.FromKeyUri(keyUri));
        provider.ValidateKeyUri(keyUri);
        return await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false);
    }

    private static string RequireNew(CmekCluster cluster, string region)
    {
        // A region that the cluster has already is no mistake: an interrupted Add-CmekRegion is being run again.
        string[] near = [.. cluster.Regions.Select(r => r.Name).Where(n => !string.Equals(n, region, StringComparison.OrdinalIgnoreCase))];
        return region.Length > 0 && !near.Any(n => string.Equals(n.Replace("-", null, StringComparison.Ordinal), region.Replace("-", null, StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase))
            ? region.ToLowerInvariant()
            : throw ClusterLookup.RegionUnknown(cluster, region);
    }

    private static void RequireOneRegion(CmekCluster cluster, IReadOnlyList<string> regions, KeyOptions options)
    {
        int count = regions.Count == 0 ? cluster.Regions.Count : regions.Count;
        bool sharedName = cluster.Provider == CmekProvider.AWS; // An alias may be the same in two AWS regions.
        if (count > 1 && !sharedName && options.Location is null)
        {
            return;
        }

        if (count > 1 && !sharedName)
        {
            throw new CmekException(
                "KeyNameShared",
                CmekErrorKind.InvalidArgument,
                $"{cluster.Name} has {count} regions; one -KeyName in one -Location would be one key for all of them.",
                "Name one region with -Region, or leave -KeyName away: the names are then derived from cluster and region.",
                cluster);
        }
    }
}
