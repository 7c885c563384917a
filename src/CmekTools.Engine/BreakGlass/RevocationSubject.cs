using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>One cluster of a revocation, with everything that is known of its keys from wherever it is known.</summary>
internal sealed class RevocationSubject
{
    /// <summary>The cluster.</summary>
    public required CmekCluster Cluster { get; init; }

    /// <summary>Its keys, by the service, the inventory and the receipts.</summary>
    public required ClusterKeys Keys { get; init; }

    /// <summary>Every key with every principal that is known for the cluster.</summary>
    public required IReadOnlyList<AccessTarget> Targets { get; init; }

    /// <summary>The service's failure where it did not say what it lists; null where it did.</summary>
    public CmekException? Silent { get; init; }

    /// <summary>True where keys were given by hand and no cluster is known for them: the service cannot be told.</summary>
    public bool Unknown { get; init; }

    /// <summary>
    /// Keys of the cluster that were found and of which nobody knows who is to be cut off: as long as there is one, the cluster is not
    /// known to be cut.
    /// </summary>
    public IReadOnlyList<CmekKey> Uncut { get; init; } = [];

    /// <summary>
    /// True where the service has just said which keys the cluster has and as whom it acts; else the cluster may act as somebody that
    /// is not known here.
    /// </summary>
    public bool Vouched => !Unknown && Silent is null && Status.State != CmekState.UNKNOWN;

    /// <summary>What the service said last.</summary>
    public CmekStatus Status => Keys.Status;

    /// <summary>True where a key is in use, or where that is not known: what is not known is revoked rather than left.</summary>
    public bool InUse => Status.Regions.Count == 0 || Status.Regions.Any(r => r.KeyUri is not null || r.State == CmekState.UNKNOWN);

    /// <summary>True where the service says REVOKED everywhere.</summary>
    public bool IsRevoked => IsAll(Status, CmekState.REVOKED);

    /// <summary>True where it is on its way there or is there.</summary>
    public bool IsRevoking => Status.Regions.Any(r => r.KeyUri is not null)
        && Status.Regions.Where(r => r.KeyUri is not null).All(r => r.State is CmekState.REVOKED or CmekState.REVOKING);

    /// <summary>The regions that REVOKED is waited for: one without a key of ours has nothing to revoke.</summary>
    public IReadOnlyList<string> RegionsInUse => [.. Status.Regions.Where(r => r.KeyUri is not null).Select(r => r.Region)];

    /// <summary>Every region that has a key in use is in a state.</summary>
    public static bool IsAll(CmekStatus status, CmekState state) =>
        status.Regions.Any(r => r.State == state)
            && status.Regions.Where(r => r.KeyUri is not null || r.State == state).All(r => r.State == state);

    /// <inheritdoc/>
    public override string ToString() => Cluster.ToString();

    /// <summary>
    /// Every key × every principal that is known for the cluster, the pairs that were seen together first: a principal of one key may
    /// have been let in at another one by anybody since.
    /// </summary>
    public static IReadOnlyList<AccessTarget> AllPairs(CmekCluster cluster, ClusterKeys keys, Operation op)
    {
        IReadOnlyList<string> principals = keys.Principals;
        return
        [
            .. keys.All
                .SelectMany(k => k.Principals.Concat(principals).Distinct(StringComparer.Ordinal).Select(p => (Key: k, Principal: p)))
                .Select(p => new AccessTarget(cluster, op.Session.Organization.Id, p.Key.Region, p.Key.KeyUri, p.Principal)
                {
                    InUse = p.Key.Needed && p.Principal == p.Key.Principal,
                })
                .DistinctBy(t => (t.KeyUri, t.AuthPrincipal)),
        ];
    }
}
