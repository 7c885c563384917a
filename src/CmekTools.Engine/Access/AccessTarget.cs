namespace CmekTools.Engine.Access;

/// <summary>One region's key and principal, with what the provider needs to know of the cluster.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="OrganizationId">The external ID of the AWS trust.</param>
/// <param name="Region">The cluster's region.</param>
/// <param name="KeyUri">The key.</param>
/// <param name="AuthPrincipal">The role's ARN or the service account's email.</param>
internal sealed record AccessTarget(CmekCluster Cluster, string OrganizationId, string Region, string KeyUri, string AuthPrincipal)
{
    /// <summary>A check of this access.</summary>
    /// <param name="name">The check's stable name.</param>
    /// <param name="result">How it came out.</param>
    /// <param name="on">What was looked at.</param>
    /// <param name="seen">What was seen.</param>
    /// <param name="remedy">What to do, or null.</param>
    public CmekCheck Check(string name, CmekCheckResult result, string on, string seen, string? remedy = null) => new()
    {
        Name = name,
        Result = result,
        ClusterId = Cluster.Id,
        ClusterName = Cluster.Name,
        Region = Region,
        Target = on,
        Seen = seen,
        Remedy = remedy,
    };

    /// <summary>The account of a cluster of which only a key and a principal are known.</summary>
    public const string UnknownAccount = "unknown";

    /// <summary>False where nobody knows here which account at the provider is the cluster's own.</summary>
    public bool KnowsAccount => Cluster.AccountId is { Length: > 0 } and not UnknownAccount;

    /// <summary>False for a past key: it is given back as it was, and is not made usable where it was not.</summary>
    public bool InUse { get; init; } = true;

    /// <summary>True for a past key that a revocation switched off, and that a restore is to bring back.</summary>
    public bool WasSwitchedOff { get; init; }

    /// <summary>How far a restore brings the key back.</summary>
    public Revival Revival => InUse ? Revival.ForUse : WasSwitchedOff ? Revival.AsItWas : Revival.None;

    /// <summary>What tells accesses apart: a region's current and past keys each are one.</summary>
    public string Identity => IdentityOf(KeyUri, AuthPrincipal);

    /// <summary>The identity of the access of a principal to a key.</summary>
    public static string IdentityOf(string keyUri, string principal) => $"{keyUri}\n{principal}";

    /// <summary>The cluster and region, for messages.</summary>
    public override string ToString() => $"{Cluster.Name}/{Region}";
}
