using System.Globalization;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>What is waited for.</summary>
/// <param name="Activity">In words.</param>
/// <param name="Regions">The regions that must get there.</param>
/// <param name="Reached">Is a region there?</param>
/// <param name="Failed">Can a region no longer get there by itself?</param>
internal sealed record StatusGoal(
    string Activity,
    IReadOnlyCollection<string> Regions,
    Func<CmekRegionStatus, bool> Reached,
    Func<CmekRegionStatus, bool> Failed)
{
    /// <summary>Every named region in a state.</summary>
    public static StatusGoal State(string activity, IReadOnlyCollection<string> regions, CmekState wanted) => new(
        activity,
        regions,
        r => r.State == wanted,
        r => r.State != wanted && IsDeadEnd(r.State, wanted));

    /// <summary>Every named region ENABLED with its key and principal.</summary>
    /// <param name="activity">In words.</param>
    /// <param name="wanted">Key and principal by region.</param>
    /// <param name="recovers">
    /// The vendor mends what was revoked; else a revocation that came in between ends the wait.
    /// </param>
    public static StatusGoal Keys(string activity, IReadOnlyDictionary<string, CmekAccess> wanted, bool recovers = false) => new(
        activity,
        [.. wanted.Keys],
        r => r.State == CmekState.ENABLED && r.Current is { } current && Specs.Matches(current, wanted[r.Region])
            && current.State is CmekState.ENABLED,
        r => IsDeadEnd(r.State, CmekState.ENABLED) || (!recovers && r.State is (CmekState.REVOKED or CmekState.REVOKING)));

    private static bool IsDeadEnd(CmekState state, CmekState wanted) => state switch
    {
        CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED or CmekState.DISABLE_FAILED or CmekState.REVOKE_FAILED => true,
        // A revocation under way never ends in ENABLED or DISABLED by itself; one that is over may be mended by the vendor.
        CmekState.REVOKING => wanted == CmekState.DISABLED,
        _ => false,
    };
}

/// <summary>Waits for a goal, not for quiet.</summary>
internal static class StatusWatch
{
    /// <summary>The vendor's provider allows two hours; so does the default here.</summary>
    public static TimeSpan DefaultLimit { get; } = TimeSpan.FromHours(2);

    /// <summary>Looks until every region is where it should be, in one watch with all others of the session.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="goal">What is waited for.</param>
    /// <param name="limit">How long.</param>
    /// <param name="op">The run.</param>
    /// <param name="seen">What the service has just said (the answer to the request that began it), so that it is not asked again at
    /// once.</param>
    /// <exception cref="CmekException"><c>CmekOperationFailed</c> or <c>StatusTimeout</c>.</exception>
    public static async Task<CmekStatus> WaitAsync(
        CmekCluster cluster,
        StatusGoal goal,
        TimeSpan limit,
        Operation op,
        CmekStatus? seen = null)
    {
        op.Host.BeginsToWait();
        using SharedWatch.Watched watched = SharedWatch.Of(op.Session).Begin();
        long start = op.Session.Time.GetTimestamp();
        int failedLooks = 0;
        bool warned = false;
        string last = "nothing seen yet";
        string activity = $"{goal.Activity} on {cluster.Name}";
        try
        {
            while (true)
            {
                CmekStatus? status = seen;
                seen = null;
                try
                {
                    status ??= (await watched.LookAsync(cluster, op).ConfigureAwait(false)).Status;
                }
                catch (CmekServiceException e) when (e.MayHeal())
                {
                    // The cluster goes on without us; a gap in the view does not end the watch.
                    last = e.Message;
                    if (!warned)
                    {
                        warned = true;
                        await op.Host.WarningAsync($"{e.Message} Still watching.").ConfigureAwait(false);
                    }
                }

                if (status is not null)
                {
                    CmekRegionStatus[] regions =
                    [
                        .. goal.Regions.Select(
                            name => status.Regions.FirstOrDefault(r => r.Region == name) ?? new CmekRegionStatus
                            {
                                ClusterId = cluster.Id,
                                Region = name,
                            }),
                    ];
                    int there = regions.Count(goal.Reached);
                    if (there == regions.Length && regions.Length > 0)
                    {
                        return status;
                    }

                    last = string.Join(", ", regions.Select(Describe));
                    await op.Host.ProgressAsync(new OperationProgress(
                        activity,
                        $"{last}, {Elapsed(op.Session.Time.GetElapsedTime(start))}",
                        100 * there / Math.Max(1, regions.Length),
                        State: status.State.ToString())).ConfigureAwait(false);

                    // One look may still show the state from before the request; two in a row do not.
                    failedLooks = regions.Any(goal.Failed) ? failedLooks + 1 : 0;
                    if (failedLooks >= 2)
                    {
                        throw new CmekException(
                            "CmekOperationFailed",
                            CmekErrorKind.InvalidOperation,
                            $"{goal.Activity} failed on {cluster.Name}: {last}",
                            $"Test-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} says what stops it. After mending it "
                                + "run the same command again.",
                            status);
                    }
                }

                if (op.Session.Time.GetElapsedTime(start) + op.Timings.StatusPoll > limit)
                {
                    throw new CmekException(
                        "StatusTimeout",
                        CmekErrorKind.OperationTimeout,
                        $"{cluster.Name} had not got there after {limit.TotalSeconds:0} s: {last}",
                        "Nothing was undone: the service goes on. Watch with Wait-CmekStatus -ClusterName "
                            + $"{PowerShellText.Quote(cluster.Name)}, or run the same command again.",
                        cluster);
                }

                await watched.PauseAsync(op).ConfigureAwait(false);
            }
        }
        finally
        {
            if (!op.Cancellation.IsCancellationRequested)
            {
                await op.Host.ProgressAsync(new OperationProgress(activity, string.Empty, 100, Completed: true)).ConfigureAwait(false);
            }
        }
    }

    // Hours where there are any: a recovery goes through a ticket and may take days.
    private static string Elapsed(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time:mm\\:ss} h")
        : string.Create(CultureInfo.InvariantCulture, $"{time:m\\:ss} min");

    private static string Describe(CmekRegionStatus region) =>
        region.UserMessage is null ? region.ToString() : $"{region} ({region.UserMessage})";
}
