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
            if (marks.HasCut(principal, keys.Cluster.Id)
                    ? !acts || needs || await IsOnAsync(key).ConfigureAwait(false)
                    : await IsOffForItAsync(key, marks).ConfigureAwait(false)
                        || (!acts && !provider.CutStandsInPolicy && await IsDeniedAsync(Target(key), provider, op).ConfigureAwait(false)))
            {
                return key;
            }
        }

        return null;

        // Where the policy could not be written the key was switched off in place of a cut: nobody's cut is in it.
        async Task<bool> IsOffForItAsync(ClusterKey key, KeyMarks marks) =>
            (!acts || needs) && marks.IsRevokedFor(keys.Cluster.Id)
                && (await provider.ReadStateAsync(key.KeyUri, op).ConfigureAwait(false)).LetsNobodyIn();

        async Task<bool> IsOnAsync(ClusterKey key) =>
            await provider.ReadStateAsync(key.KeyUri, op).ConfigureAwait(false) == CmekKeyState.Enabled;

        AccessTarget Target(ClusterKey key) => new(keys.Cluster, keys.OrganizationId, key.Region, key.KeyUri, principal);
    }

    /// <summary>
    /// Is the principal of an access to a past key cut off from it? Where a cut leaves a mark, the mark tells. Where it does not, a past
    /// key that the acting principal cannot use any more has been cut, for it must stay usable; one that is off, gone or not read has
    /// nothing to be given back.
    /// </summary>
    /// <param name="target">The access.</param>
    /// <param name="marks">What the key says of itself.</param>
    /// <param name="provider">The key's provider.</param>
    /// <param name="op">The run.</param>
    public static async Task<bool> IsFromAsync(AccessTarget target, KeyMarks marks, IKeyProvider provider, Operation op)
    {
        if (marks.HasCut(target.AuthPrincipal, target.Cluster.Id) || provider.CutStandsInPolicy)
        {
            return marks.HasCut(target.AuthPrincipal, target.Cluster.Id);
        }

        try
        {
            return await provider.ReadStateAsync(target.KeyUri, op).ConfigureAwait(false) == CmekKeyState.Enabled
                && await IsDeniedAsync(target, provider, op).ConfigureAwait(false);
        }
        catch (CmekException)
        {
            return false;
        }
    }

    // Where the mark could not be put on, a principal that cannot use the key has been cut off from it.
    private static async Task<bool> IsDeniedAsync(AccessTarget target, IKeyProvider provider, Operation op) =>
        (await provider.EvaluateAsync(target, op).ConfigureAwait(false)).Use == Decision.Denied;
}
