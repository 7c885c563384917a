namespace CmekTools.Sandbox.CloudApi;

/// <summary>How the service refuses to change a cluster that is busy. Both ways have been seen.</summary>
internal enum BusyAnswer
{
    /// <summary>503.</summary>
    Unavailable,

    /// <summary>400 whose message says "cluster is locked".</summary>
    Locked,
}

/// <summary>One change of a cluster at a time.</summary>
internal sealed class ClusterLock
{
    public BusyAnswer Answer { get; set; } = BusyAnswer.Unavailable;

    /// <summary>Passes where the cluster can be changed.</summary>
    /// <exception cref="CloudApiFault">It is busy, or gone.</exception>
    public void RequireFree(CloudCluster cluster)
    {
        string state = cluster.State;
        if (state is "DELETED" or "CREATION_FAILED")
        {
            throw CloudApiFault.Precondition($"the cluster cannot be changed: its state is {state}");
        }

        string operation = cluster.OperationStatus;
        string? reason = state != "CREATED" ? $"its state is {state}"
            : operation.EndsWith("_RUNNING", StringComparison.Ordinal) ? $"{operation} has not finished"
            : null;
        if (reason is not null)
        {
            string message = "cluster is locked: " + reason;
            throw Answer == BusyAnswer.Unavailable ? new CloudApiFault(503, 14, message) : CloudApiFault.Precondition(message);
        }
    }
}
