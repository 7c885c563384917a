namespace CmekTools.Sandbox.CloudApi;

/// <summary>What the states of the regions say together.</summary>
internal static class CmekStates
{
    // What goes on is said first, then what went wrong, then what stops the cluster.
    private static readonly CmekState[] Order =
    [
        CmekState.REVOKING, CmekState.DISABLING, CmekState.ROTATING, CmekState.ENABLING,
        CmekState.REVOKE_FAILED, CmekState.DISABLE_FAILED, CmekState.ROTATE_FAILED, CmekState.ENABLE_FAILED,
        CmekState.REVOKED, CmekState.ENABLED, CmekState.DISABLED,
    ];

    /// <summary>The cluster's state.</summary>
    public static CmekState Of(CloudCluster cluster) =>
        Order.First(state => state == CmekState.DISABLED || cluster.Regions.Any(r => r.Status == state));

    /// <summary>True for the states that only another request leaves.</summary>
    public static bool IsFailed(CmekState state) =>
        state is CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED or CmekState.DISABLE_FAILED or CmekState.REVOKE_FAILED;
}
