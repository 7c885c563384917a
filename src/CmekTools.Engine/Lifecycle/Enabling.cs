using CmekTools.Engine.Clusters;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Lifecycle;

/// <summary>How a command that switches a cluster is to go about it.</summary>
/// <param name="Wait">Until the goal is seen.</param>
/// <param name="Limit">How long.</param>
/// <param name="SkipPreflight">Do not look for reasons to fail first.</param>
internal sealed record SwitchOptions(bool Wait, TimeSpan Limit, bool SkipPreflight);

/// <summary>Switches a cluster to the customer's keys.</summary>
internal static class Enabling
{
    /// <summary>Enables CMEK, or goes on with an enabling that was begun.</summary>
    public static async Task<CmekStatus> EnableAsync(
        CmekCluster cluster,
        IEnumerable<CmekAccess> accesses,
        SwitchOptions options,
        Operation op)
    {
        op.About(cluster);
        ClusterRequirements.RequireCmekPossible(cluster);
        SortedDictionary<string, CmekAccess> wanted = Specs.Validate(cluster, accesses, allRegions: true, newRegions: false, op);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        await Updating.RequireNotLeftBehindAsync(cluster, status, wanted.Values, allow: false, op).ConfigureAwait(false);
        bool changed = false;
        switch (Judge(status, wanted))
        {
            case Step.Done:
                await op.Host.VerboseAsync(
                    $"{cluster.Name} is ENABLED with these keys already; nothing was changed.").ConfigureAwait(false);
                return status;
            case Step.Watch:
                await op.Host.VerboseAsync(
                    $"{cluster.Name} is being enabled with these keys already; nothing was sent again.").ConfigureAwait(false);
                break;
            case Step.Refuse:
                throw Refusal(cluster, status, wanted);
            default:
                if (!options.SkipPreflight)
                {
                    await Checks.Preflight.RequireAsync(cluster, wanted.Values, op).ConfigureAwait(false);
                }

                CmekSpecWire body = Specs.ToWire(cluster, wanted.Values);
                PlannedChange change = new(
                    "cmek:Enable",
                    cluster.ToString(),
                    $"enable CMEK in {string.Join(", ", wanted.Keys)}",
                    Specs.ToText(body),
                    After: Specs.ToNode(body));
                changed = await op.ChangeAsync(change, async token =>
                    status = await SpreadAsync(cluster, wanted.Values, c => LostAnswerRetry.SendAsync(
                        op,
                        $"the enabling of {cluster.Name}",
                        t => op.Session.Cloud.EnableCmekAsync(cluster, body, t),
                        t => SeenAsync(
                            cluster,
                            r => wanted.TryGetValue(r.Region, out CmekAccess? access) && IsOnItsWay(r, access),
                            wanted.Keys,
                            op,
                            t),
                        TimeSpan.Zero,
                        c), op, token).ConfigureAwait(false)).ConfigureAwait(false);
                if (!changed)
                {
                    return status;
                }

                break;
        }

        if (options.Wait)
        {
            status = await StatusWatch.WaitAsync(
                cluster,
                StatusGoal.Keys("Enabling CMEK", wanted),
                options.Limit,
                op,
                status).ConfigureAwait(false);
        }

        return status with { Changed = changed };
    }

    /// <summary>
    /// Sends a request that makes the service use the keys. "No access to the key" is waited out where the policies do give it (IAM has not
    /// spread them yet), and is final where they do not.
    /// </summary>
    public static async Task<T> SpreadAsync<T>(
        CmekCluster cluster,
        IEnumerable<CmekAccess> accesses,
        Func<CancellationToken, Task<T>> send,
        Operation op,
        CancellationToken cancellation)
    {
        op.About(cluster);
        long start = op.Session.Time.GetTimestamp();
        string activity = $"Waiting for {cluster.Provider} to spread the grant";
        bool shown = false;
        try
        {
            while (true)
            {
                try
                {
                    return await send(cancellation).ConfigureAwait(false);
                }
                catch (CmekServiceException e) when (e.ErrorId == "KeyAccessDenied"
                    && op.Session.Time.GetElapsedTime(start) < op.Timings.PropagationLimit)
                {
                    if (!await GrantedAsync(cluster, accesses, op).ConfigureAwait(false))
                    {
                        throw;
                    }

                    shown = true;
                    await op.Host.ProgressAsync(new OperationProgress(activity, e.Message)).ConfigureAwait(false);
                    await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            if (shown && !op.Cancellation.IsCancellationRequested)
            {
                await op.Host.ProgressAsync(new OperationProgress(activity, string.Empty, 100, Completed: true)).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The status, where every named region is as a request was to make it; else null.</summary>
    public static async Task<CmekStatus?> SeenAsync(
        CmekCluster cluster, Func<CmekRegionStatus, bool> made, IEnumerable<string> regions, Operation op, CancellationToken cancellation)
    {
        CmekStatus now = await op.Session.Cloud.GetCmekAsync(cluster, cancellation).ConfigureAwait(false);
        return regions.All(name => now.Regions.FirstOrDefault(r => r.Region == name) is { } region && made(region)) ? now : null;
    }

    /// <summary>Has a region the key, or is it getting it?</summary>
    public static bool IsOnItsWay(CmekRegionStatus region, CmekAccess access) =>
        region.State is CmekState.ENABLED or CmekState.ENABLING or CmekState.ROTATING && region.Goal() is { } goal
            && Specs.Matches(goal, access);

    private enum Step
    {
        Send,
        Watch,
        Done,
        Refuse,
    }

    private static Step Judge(CmekStatus status, SortedDictionary<string, CmekAccess> wanted)
    {
        CmekRegionStatus[] regions = [.. status.Regions.Where(r => wanted.ContainsKey(r.Region))];
        bool sameKeys = regions.Length == wanted.Count && regions.All(r => r.Goal() is { } goal && Specs.Matches(goal, wanted[r.Region]));
        if (sameKeys && regions.All(r => r.State == CmekState.ENABLED))
        {
            return Step.Done;
        }

        if (sameKeys && regions.All(r => r.State is CmekState.ENABLED or CmekState.ENABLING))
        {
            return Step.Watch;
        }

        // An enabling that failed in some regions is gone on with: those that have their key already come along with it.
        return regions.All(r => WaysOut.Of(r.State, SwitchCommand.Enable) == Way.Go || IsThere(r, wanted)) && regions.Length > 0
            ? Step.Send
            : Step.Refuse;
    }

    private static bool IsThere(CmekRegionStatus region, SortedDictionary<string, CmekAccess> wanted) =>
        region.State is CmekState.ENABLED && region.Current is { } current && Specs.Matches(current, wanted[region.Region]);

    private static CmekException Refusal(CmekCluster cluster, CmekStatus status, SortedDictionary<string, CmekAccess> wanted)
    {
        // What is in the way of the whole comes first: a revocation, something that goes on, something that failed.
        CmekRegionStatus region = status.Regions
            .Where(r => wanted.ContainsKey(r.Region) && !IsThere(r, wanted))
            .OrderByDescending(
                r => WaysOut.Of(r.State, SwitchCommand.Enable) switch
                {
                    Way.UseRestore => 3,
                    Way.Wait => 2,
                    Way.UseRewrap => 1,
                    Way.UseUpdate => 0,
                    _ => -1,
                })
            .First();
        Way way = WaysOut.Of(region.State, SwitchCommand.Enable);
        bool partial = way == Way.UseUpdate && status.Regions.Any(r => r.State is CmekState.DISABLED or CmekState.ENABLE_FAILED);
        CmekException refusal = WaysOut.Refuse(cluster, status, region.Region, way);
        return partial
            ? new CmekException(
                refusal.ErrorId,
                refusal.Kind,
                refusal.Message,
                $"Name for {region.Region} the key that it has ({region.KeyUri} as {region.AuthPrincipal}): Enable-CmekCluster then "
                    + $"goes on with the other regions. Update-CmekCluster moves {region.Region} afterwards.",
                status)
            : refusal;
    }

    private static async Task<bool> GrantedAsync(CmekCluster cluster, IEnumerable<CmekAccess> accesses, Operation op)
    {
        if (cluster.Provider is not (CmekProvider.AWS or CmekProvider.GCP))
        {
            return false;
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        AccessDecision[] verdicts = await Task.WhenAll(accesses.Select(a => provider.EvaluateAsync(
            new AccessTarget(cluster, op.Session.Organization.Id, a.Region, a.KeyUri!, a.AuthPrincipal!), op))).ConfigureAwait(false);
        // What limits it may be beyond this caller's sight (deny policies of an organization): then waiting is right all the same.
        if (verdicts.Any(v => v.Use is not (Decision.Allowed or Decision.Unread)))
        {
            return false;
        }

        // A verdict is about the key. What else stops a cluster, a role's trust first of all, does not heal by waiting either.
        await foreach (CmekCheck check in Checks.Preflight.AccessesAsync(cluster, [.. accesses], op).ConfigureAwait(false))
        {
            if (check.Result == CmekCheckResult.Fail)
            {
                return false;
            }
        }

        return true;
    }
}
