using CmekTools.Engine.Text;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Makes and looks up keys.</summary>
internal static class Keys
{
    // More than anybody moves in a key's life; it ends a search that a fault would make endless.
    private const int GenerationLimit = 100;

    // Regions of one cluster at once; a cluster has few.
    private const int RegionsBeside = 8;

    /// <summary>One key for each region (or for those named); the failure of one region does not stop the next.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="regions">Only these; all where empty.</param>
    /// <param name="newRegions">They are still to be added to the cluster.</param>
    /// <param name="newGeneration">Make the next generation where the cluster has listed the last one.</param>
    /// <param name="options">How.</param>
    /// <param name="op">The run.</param>
    public static async Task MakeAsync(
        CmekCluster cluster,
        IReadOnlyList<string> regions,
        bool newRegions,
        bool newGeneration,
        KeyOptions options,
        Operation op)
    {
        op.About(cluster);
        ClusterLookup.RequireCmekPossible(cluster);
        ForeignOptions.Require(cluster, options);
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        if (options.KeyName is not null || options.AliasName is not null)
        {
            RequireOneRegion(cluster, regions, options);
        }

        string[] wanted = regions.Count == 0
            ? [.. cluster.Regions.Select(r => r.Name)]
            : [.. regions.Select(r => newRegions ? RequireNew(cluster, r) : ClusterLookup.RequireRegion(cluster, r)).Distinct()];
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, op).ConfigureAwait(false);
        // A key that has to do with another region's waits for it: copies for their primary, and one key ring for all of them is made once.
        // What is asked of a person, and what -WhatIf shows, comes in the order of the regions.
        bool beside = !options.MultiRegion && options.Location is null && op.Host is { WhatIf: false, AsksEach: false };
        using SemaphoreSlim turn = new(beside ? RegionsBeside : 1);
        Task<CmekKey>[] making = [.. wanted.Select(r => InTurnAsync(turn, () => OfRegionAsync(r, op.ForPart(cluster)), op))];
        await TellAsync(making, op).ConfigureAwait(false);

        async Task<CmekKey> OfRegionAsync(string region, Operation part)
        {
            KeyOptions exact = newGeneration ? await NextAsync(keys, region, options, provider, part).ConfigureAwait(false) : options;
            if (!newGeneration)
            {
                await RequireNotLeftBehindAsync(keys, region, options, provider, part).ConfigureAwait(false);
            }

            CmekKey key = await provider.EnsureKeyAsync(cluster, region, exact, part).ConfigureAwait(false);
            if (!key.Changed && key.State != CmekKeyState.Planned)
            {
                await part.Host.VerboseAsync(
                    $"{cluster.Name}/{region}: {key.KeyUri} is as it should be; nothing was changed.").ConfigureAwait(false);
            }

            return key.Made && status is { State: CmekState.DISABLED } && status.Regions.All(r => r.Keys.Count == 0)
                ? key with { KeylessBefore = status }
                : key;
        }
    }

    /// <summary>
    /// Every key of a cluster: what the service lists, what receipts name, and what our tags mark; the ones in use first.
    /// </summary>
    public static async Task ListAsync(CmekCluster cluster, KeyOptions options, Operation op)
    {
        ForeignOptions.Require(cluster, options);
        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        List<KeyEntry> tagged = [];
        foreach (CmekRegion region in cluster.Regions)
        {
            // Generation after generation, as long as there is one: a key of a later one is no less the cluster's.
            for (int generation = 1, before = -1; generation < GenerationLimit && before < tagged.Count; generation++)
            {
                before = tagged.Count;
                await foreach (
                    CmekKey found in provider.FindKeysAsync(
                        cluster,
                        region.Name,
                        options with { Generation = generation },
                        op).ConfigureAwait(false))
                {
                    tagged.Add(new KeyEntry(region.Name, found.KeyUri!, null, CmekKeyPlace.Unused, KeySources.Tag));
                }
            }
        }

        ClusterKeys keys = await ClusterKeys.ReadAsync(cluster, status, tagged, op).ConfigureAwait(false);
        using SemaphoreSlim turn = new(RegionsBeside);
        Task<CmekKey>[] reading = [.. keys.All.ToArray().Select(k => InTurnAsync(turn, () => ReadAsync(k), op))];
        await TellAsync(reading, op).ConfigureAwait(false);

        async Task<CmekKey> ReadAsync(ClusterKey known) => await provider.GetKeyAsync(known.KeyUri, op).ConfigureAwait(false) with
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Region = known.Region,
            Place = known.Place,
            RetiredAt = known.RetiredAt,
            AuthPrincipals = known.Principals,
        };
    }

    // Each in its order as soon as it is there. None goes on when its record has ended.
    private static async Task TellAsync(IReadOnlyList<Task<CmekKey>> keys, Operation op)
    {
        try
        {
            foreach (Task<CmekKey> key in keys)
            {
                try
                {
                    await op.Host.OutputAsync(await key.ConfigureAwait(false)).ConfigureAwait(false);
                }
                catch (CmekException e)
                {
                    await op.Host.ErrorAsync(e).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            await Task.WhenAll((IEnumerable<Task>)keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Begins in the order in which they are asked for.
    private static async Task<CmekKey> InTurnAsync(SemaphoreSlim turn, Func<Task<CmekKey>> work, Operation op)
    {
        await turn.WaitAsync(op.Cancellation).ConfigureAwait(false);
        try
        {
            return await work().ConfigureAwait(false);
        }
        finally
        {
            turn.Release();
        }
    }

    // The newest generation that the cluster has never listed, or the one after the last: a run that was interrupted goes on with the
    // key that it made.
    private static async Task<KeyOptions> NextAsync(
        ClusterKeys keys,
        string region,
        KeyOptions options,
        IKeyProvider provider,
        Operation op)
    {
        if (options.AliasName is not null || options.KeyName is not null)
        {
            throw new CmekException(
                "GenerationNamed",
                CmekErrorKind.InvalidArgument,
                "-NewGeneration derives the key's name; -AliasName and -KeyName give one.",
                "Give one of them.",
                keys.Cluster);
        }

        for (int generation = 1; generation < GenerationLimit; generation++)
        {
            KeyOptions next = options with { Generation = generation };
            CmekKey? there = null;
            await foreach (CmekKey found in provider.FindKeysAsync(keys.Cluster, region, next, op).ConfigureAwait(false))
            {
                there = found;
            }

            if (there is null)
            {
                return next;
            }

            bool listed = keys.Find(await provider.IdentifyAsync(there.KeyUri!, op).ConfigureAwait(false)) is { } known
                && known.Sources.HasFlag(KeySources.Service);
            if (!listed && there.State is CmekKeyState.Enabled or CmekKeyState.Creating)
            {
                return next;
            }
        }

        throw new CmekException(
            "GenerationLimit",
            CmekErrorKind.LimitsExceeded,
            $"{keys.Cluster.Name}/{region} has {GenerationLimit} generations of keys already.",
            "Give -AliasName or -KeyName.",
            region);
    }

    // The idempotent pipeline finds the key that it made first; where the region has moved on, going back to it may be going back to a
    // compromised key.
    private static async Task RequireNotLeftBehindAsync(
        ClusterKeys keys,
        string region,
        KeyOptions options,
        IKeyProvider provider,
        Operation op)
    {
        if (!keys.All.Any(k => k.Region == region && keys.IsLeftBehind(k)))
        {
            return;
        }

        await foreach (CmekKey found in provider.FindKeysAsync(keys.Cluster, region, options, op).ConfigureAwait(false))
        {
            KeyIdentity identity = await provider.IdentifyAsync(found.KeyUri!, op).ConfigureAwait(false);
            if (keys.All.FirstOrDefault(k => k.Region == region && k.Identity.Uri == identity.Uri) is { } known && keys.IsLeftBehind(known))
            {
                throw LeftBehind(keys, known);
            }
        }
    }

    /// <summary>The error for a key that a region has moved away from.</summary>
    public static CmekException LeftBehind(ClusterKeys keys, ClusterKey key)
    {
        string now = keys.All.FirstOrDefault(k => k.Region == key.Region && k.Needed)?.KeyUri ?? "no key";
        string when = key.RetiredAt is { } retired ? $", retired {retired.UtcDateTime:u}" : string.Empty;
        return new CmekException(
            "KeyLeftBehind",
            CmekErrorKind.InvalidOperation,
            $"{key.KeyUri} is a {KeyPlaceText.Of(key.Place)} key of {keys.Cluster.Name}/{key.Region}{when}; in use is {now}. Nothing "
                + "was changed, and nothing goes back to it by itself.",
            $"Get-CmekKey -ClusterName {PowerShellText.Quote(keys.Cluster.Name)} shows every key. New-CmekKey -NewGeneration makes the "
                + "next one. To go back on purpose: Update-CmekCluster -AllowPastKey.",
            key.KeyUri);
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
        return region.Length > 0
            && !near.Any(
                n => string.Equals(
                    n.Replace("-", null, StringComparison.Ordinal),
                    region.Replace("-", null, StringComparison.Ordinal),
                    StringComparison.OrdinalIgnoreCase))
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
