namespace CmekTools.Sandbox.CloudApi;

/// <summary>
/// Moves clusters through their encryption states. Nothing runs by itself: what the clock has made due is done when somebody looks.
/// </summary>
internal sealed class CmekEngine(KeyAccess access, Func<SandboxOptions> options)
{
    /// <summary>Brings a cluster up to the present.</summary>
    public void Advance(CloudCluster cluster, DateTimeOffset now)
    {
        foreach (CloudRegion region in cluster.Regions)
        {
            if (region.Operation is { } operation && operation.Since + options().StateTime <= now)
            {
                Finish(cluster, region, operation, operation.Since + options().StateTime);
            }
        }

        if (cluster.CreatingSince + options().CreateTime <= now)
        {
            cluster.CreatingSince = null;
        }

        if (cluster.ScalingSince + options().StateTime <= now)
        {
            cluster.ScalingSince = null;
        }

        if (!LooksCut(cluster) && cluster.CutSeen && options().VendorRecovers)
        {
            Recover(cluster, now);
        }
    }

    /// <summary>Enables, rotates or wraps again: the region's data is to hang on this key.</summary>
    public static void Use(CloudCluster cluster, CloudRegion region, KeySpec spec, DateTimeOffset now)
    {
        bool enabling = region.Current is null;
        CloudKey key = region.Current?.Spec == spec ? region.Current : Listed(region, spec, now);
        cluster.EverEncrypted = true;
        Begin(
            region,
            key,
            enabling ? CmekState.ENABLING : CmekState.ROTATING,
            CmekState.ENABLED,
            enabling ? CmekState.ENABLE_FAILED : CmekState.ROTATE_FAILED,
            now);
    }

    /// <summary>Goes back to the service's own key.</summary>
    public static void Disable(CloudRegion region, DateTimeOffset now)
    {
        if (region.Current is { } key)
        {
            Begin(region, key, CmekState.DISABLING, CmekState.DISABLED, CmekState.DISABLE_FAILED, now);
        }
        else
        {
            region.Status = CmekState.DISABLED;
        }
    }

    /// <summary>Cuts the cluster off from its keys.</summary>
    public void Revoke(CloudCluster cluster, DateTimeOffset now)
    {
        cluster.CutSeen = false;
        foreach (CloudRegion region in cluster.Regions)
        {
            if (region.Current is not { } key)
            {
                region.Status = CmekState.DISABLED;
            }
            else if (region.Status != CmekState.REVOKED)
            {
                Begin(
                    region,
                    key,
                    CmekState.REVOKING,
                    options().RevokeFails ? CmekState.REVOKE_FAILED : CmekState.REVOKED,
                    CmekState.REVOKED,
                    now);
            }
        }

        LooksCut(cluster);
    }

    /// <summary>What the vendor's support does after a ticket. False where no region is revoked.</summary>
    public static bool Recover(CloudCluster cluster, DateTimeOffset now)
    {
        IReadOnlyList<CloudRegion> revoked = Revoked(cluster);
        foreach (CloudRegion region in revoked)
        {
            Begin(region, region.Current!, CmekState.ENABLING, CmekState.ENABLED, CmekState.REVOKED, now);
        }

        return revoked.Count > 0;
    }

    private static IReadOnlyList<CloudRegion> Revoked(CloudCluster cluster) =>
        [.. cluster.Regions.Where(r => r is { Status: CmekState.REVOKED or CmekState.REVOKE_FAILED, Current: not null, Operation: null })];

    // Also remembers it. A REVOKE whose key stays within reach must not heal at once, so recovery waits until a cut has been seen.
    private bool LooksCut(CloudCluster cluster)
    {
        bool cut = cluster.Regions.Any(
            r => r is { Status: CmekState.REVOKING or CmekState.REVOKED or CmekState.REVOKE_FAILED, Current: { } key }
                && access.Refusal(cluster, key.Spec) is not null);
        cluster.CutSeen |= cut;
        return cut;
    }

    // A key that failed just before is tried again under its own entry; anything else is a new entry, and the history stays.
    private static CloudKey Listed(CloudRegion region, KeySpec spec, DateTimeOffset now)
    {
        if (region.Keys.FirstOrDefault() is { } newest && newest.Spec == spec && CmekStates.IsFailed(newest.Status))
        {
            return newest;
        }

        CloudKey key = new(spec, CmekState.ENABLING, now);
        region.Keys.Insert(0, key);
        return key;
    }

    private static void Begin(CloudRegion region, CloudKey key, CmekState during, CmekState goal, CmekState otherwise, DateTimeOffset now)
    {
        key.Set(during, now);
        region.Status = during;
        region.Operation = new CmekOperation(key, goal, otherwise, now);
    }

    private void Finish(CloudCluster cluster, CloudRegion region, CmekOperation operation, DateTimeOffset at)
    {
        CloudKey key = operation.Key;
        region.Operation = null;
        cluster.UpdatedAt = at;
        if (operation.Goal is not (CmekState.REVOKED or CmekState.REVOKE_FAILED) && access.Refusal(cluster, key.Spec) is { } refusal)
        {
            key.Set(operation.Otherwise, at, refusal);
            region.Status = operation.Otherwise;
            return;
        }

        if (operation.Goal == CmekState.ENABLED)
        {
            Settle(region, key, at);
        }
        else if (operation.Goal == CmekState.DISABLED)
        {
            region.Current = null;
        }

        region.Sealed = operation.Goal == CmekState.REVOKED;
        region.Status = operation.Goal;
        key.Set(operation.Goal, at, operation.Goal == CmekState.REVOKE_FAILED ? "a node could not be reached" : string.Empty);
    }

    private static void Settle(CloudRegion region, CloudKey key, DateTimeOffset at)
    {
        if (region.Current is { } before && before != key)
        {
            before.Set(CmekState.DISABLED, at);
        }

        // Moving to a key and using the same one anew both wrap the store key; enabling and recovering do not.
        region.Rewraps += region.Status == CmekState.ROTATING ? 1 : 0;
        region.Current = key;
        region.NodesDown = false;
    }
}
