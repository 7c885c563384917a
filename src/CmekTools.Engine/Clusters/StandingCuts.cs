using CmekTools.Engine.Access;

namespace CmekTools.Engine.Clusters;

/// <summary>Whom a revocation of a cluster has cut off and nobody has let in again, as the cluster's keys say it themselves.</summary>
internal static class StandingCuts
{
    /// <summary>
    /// The key from which a principal of the cluster is cut off, or null where it is cut off from none. Of the principal that the
    /// cluster acts as only the keys that it needs are asked, for a past key that could not be given back makes nobody burnt; where it
    /// needs none (DISABLED), the past ones that are switched on.
    /// </summary>
    /// <param name="keys">The cluster's keys.</param>
    /// <param name="principal">The principal.</param>
    /// <param name="op">The run.</param>
    public static async Task<ClusterKey?> FromAsync(ClusterKeys keys, string principal, Operation op)
    {
        IKeyProvider provider = op.Session.GetProvider(keys.Cluster.Provider);
        bool acts = keys.Acting.Contains(principal);
        bool needs = keys.Needed.Any();
        foreach (ClusterKey key in keys.All.Where(k => k.Principals.Contains(principal) && (!acts || !needs || k.Needed)))
        {
            KeyMarks marks = await provider.ReadMarksAsync(key.KeyUri, op).ConfigureAwait(false);
            if (marks.Cuts.Any(c => c.Principal == principal && c.IsOf(keys.Cluster.Id))
                    ? !acts || needs || await IsOnAsync(key, provider, op).ConfigureAwait(false)
                    : !acts && !provider.CutLeavesMark && await IsDeniedAsync(keys, key, principal, provider, op).ConfigureAwait(false))
            {
                return key;
            }
        }

        return null;
    }

    private static async Task<bool> IsOnAsync(ClusterKey key, IKeyProvider provider, Operation op)
    {
        try
        {
            return (await provider.GetKeyAsync(key.KeyUri, op).ConfigureAwait(false)).State == CmekKeyState.Enabled;
        }
        catch (CmekException)
        {
            // A past key that is gone stops nobody.
            return false;
        }
    }

    // Where the mark could not be put on, a replaced principal that cannot use the key has been cut off from it.
    private static async Task<bool> IsDeniedAsync(
        ClusterKeys keys,
        ClusterKey key,
        string principal,
        IKeyProvider provider,
        Operation op) => (
            await provider.EvaluateAsync(
                new AccessTarget(keys.Cluster, keys.OrganizationId, key.Region, key.KeyUri, principal),
                op).ConfigureAwait(false)).Use == Decision.Denied;
}
