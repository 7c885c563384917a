using System.Text.Json.Nodes;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;

namespace CmekTools.Engine.BreakGlass;

/// <summary>How telling the service went.</summary>
internal enum ServiceStage
{
    /// <summary>It has not been told.</summary>
    NotTold,

    /// <summary>There is nothing that it could revoke, or nobody wants it told.</summary>
    NotNeeded,

    /// <summary>It has taken the REVOKE, now or before.</summary>
    Told,

    /// <summary>It could not be told.</summary>
    Failed,
}

/// <summary>
/// The vendor's half of a revocation of one cluster: REVOKE, beside the cuts, and the wait for REVOKED. What goes wrong here keeps no
/// key open.
/// </summary>
internal sealed class ServiceRevocation(RevocationSubject subject, RevocationReport report, RevokeOptions options, Operation op)
{
    private const int Tells = 3;

    /// <summary>How far it is.</summary>
    public ServiceStage Stage { get; private set; }

    /// <summary>Whose.</summary>
    public RevocationSubject Subject { get; } = subject;

    /// <summary>Tells the service, again and again where it is busy. It never throws, but where the run is stopped.</summary>
    public async Task TellAsync()
    {
        if (!options.Tells || Subject.Unknown || !Subject.InUse)
        {
            Stage = ServiceStage.NotNeeded;
            string why = Subject.Unknown
                ? "the cluster is not known"
                : $"{Subject.Cluster.Name} uses no customer-managed key now ({Subject.Status})";
            await op.Host.VerboseAsync(
                options.Tells ? $"{why}: the service has nothing to revoke." : "The service is not told.").ConfigureAwait(false);
            return;
        }

        if (Subject.IsRevoking)
        {
            Stage = ServiceStage.Told;
            report.Unseen = false;
            report.Revoked = Subject.IsRevoked;
            await op.Host.VerboseAsync(
                $"{Subject.Cluster.Name} is {Subject.Status.State} already; REVOKE is not sent again.").ConfigureAwait(false);
            return;
        }

        op.About(Subject.Cluster);
        long start = op.Session.Time.GetTimestamp();
        while (true)
        {
            CmekException failure;
            try
            {
                JsonObject action = new() { ["action"] = "REVOKE" };
                bool sent = await op.ChangeAsync(
                    new PlannedChange(
                        "cmek:Revoke",
                        Subject.Cluster.ToString(),
                        "revoke CMEK at the service",
                        action.ToJsonString(),
                        After: action),
                    SendAsync).ConfigureAwait(false);
                if (sent)
                {
                    Stage = ServiceStage.Told;
                    report.Unseen = false;
                    await report.DoneAsync("Revoke", "the service has taken the REVOKE").ConfigureAwait(false);
                }

                return;
            }
            catch (Exception e) when (!op.Cancellation.IsCancellationRequested)
            {
                failure = e as CmekException ?? new CmekException(
                    "BreakGlassFault",
                    CmekErrorKind.InvalidData,
                    e.Message,
                    "Run the same command again.",
                    Subject.Cluster,
                    e);
            }

            if (await IsRevokingAsync(failure).ConfigureAwait(false))
            {
                Stage = ServiceStage.Told;
                report.Unseen = false;
                await report.DoneAsync("Revoke", "the service is revoking").ConfigureAwait(false);
                return;
            }

            if (op.Session.Time.GetElapsedTime(start) + op.Timings.StatusPoll >= Patience(failure))
            {
                Stage = ServiceStage.Failed;
                await op.Host.ErrorAsync(NotTold(failure)).ConfigureAwait(false);
                await report.DoneAsync("Revoke", $"NOT told: {failure.Message}").ConfigureAwait(false);
                return;
            }

            await op.Host.ProgressAsync(
                new OperationProgress(
                    "Break-glass",
                    $"{Subject.Cluster.Name}: REVOKE is asked for again: {failure.Message}")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.StatusPoll).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until every region that has a key says REVOKED. It never throws, but where the run is stopped.</summary>
    public async Task WaitAsync()
    {
        if (Stage != ServiceStage.Told || op.Host.WhatIf)
        {
            return;
        }

        try
        {
            IReadOnlyList<string> regions = Subject.RegionsInUse;
            if (regions.Count == 0)
            {
                CmekStatus now = await op.Session.Cloud.GetCmekAsync(Subject.Cluster, op.Cancellation).ConfigureAwait(false);
                regions = [.. now.Regions.Where(r => r.KeyUri is not null).Select(r => r.Region)];
            }

            if (regions.Count == 0)
            {
                return;
            }

            if (!report.Revoked && !await WatchAsync([.. regions]).ConfigureAwait(false))
            {
                return;
            }

            report.Revoked = true;
            await report.DoneAsync("Revoked", "every region says REVOKED").ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            await op.Host.ErrorAsync(e).ConfigureAwait(false);
            await report.DoneAsync("Revoked", $"NOT seen: {e.Message}").ConfigureAwait(false);
        }
    }

    // Another change of the cluster that was under way can go over the REVOKE: the service is told again then, and a third time at most.
    private async Task<bool> WatchAsync(IReadOnlyCollection<string> regions)
    {
        StatusGoal goal = StatusGoal.State("Revoking CMEK", regions, CmekState.REVOKED);
        for (int told = 1; ; told++)
        {
            bool last = told == Tells;
            StatusGoal now = last ? goal : goal with { Failed = r => r.State == CmekState.ENABLED || goal.Failed(r) };
            try
            {
                await StatusWatch.WaitAsync(Subject.Cluster, now, options.Limit, op).ConfigureAwait(false);
                return true;
            }
            catch (CmekException e) when (!last && e.ErrorId == "CmekOperationFailed"
                && !e.Message.Contains(nameof(CmekState.REVOKE_FAILED), StringComparison.Ordinal))
            {
                await op.Host.VerboseAsync($"{Subject.Cluster.Name} is told once more to let go of its keys: {e.Message}")
                    .ConfigureAwait(false);
            }

            await op.DelayAsync(op.Timings.StatusPoll).ConfigureAwait(false);
            await TellAsync().ConfigureAwait(false);
            if (Stage != ServiceStage.Told)
            {
                return false;
            }
        }
    }

    // Failures are tried again here, for as long as the user allows, and not a second time below this.
    private Task SendAsync(CancellationToken cancellation) => ShortPatience.TellAsync(
        op.Session.Cloud.Server,
        $"Revoking CMEK on {Subject.Cluster.Name}",
        options.Limit < op.Timings.ServicePatience
            ? op.Timings.ServicePatience
            : options.Limit < op.Timings.CallLimit ? options.Limit : op.Timings.CallLimit,
        op.Session.Time,
        token => op.Session.Cloud.RevokeCmekAsync(Subject.Cluster, token),
        cancellation);

    // An answer that was lost may have been a yes.
    private async Task<bool> IsRevokingAsync(CmekException failure)
    {
        if (op.Session.Offline is not null || failure.Kind is CmekErrorKind.PermissionDenied or CmekErrorKind.AuthenticationError)
        {
            return false;
        }

        try
        {
            CmekStatus now = await ShortPatience.AskAsync(
                op.Session.Cloud.Server,
                $"Reading the CMEK status of {Subject.Cluster.Name}",
                op.Timings.ServicePatience,
                op.Session.Time,
                token => op.Session.Cloud.GetCmekAsync(Subject.Cluster, token),
                op.Cancellation).ConfigureAwait(false);
            return RevocationSubject.IsAll(now, CmekState.REVOKED) || now.Regions.Any(r => r.State == CmekState.REVOKING);
        }
        catch (Exception e) when (e is CmekException || !op.Cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    // A busy cluster is asked for as long as the user allows; a service that is gone is not waited for long, and one that refuses not
    // at all.
    private TimeSpan Patience(CmekException failure) => failure.Kind switch
    {
        _ when op.Session.Offline is not null => TimeSpan.Zero,
        CmekErrorKind.ResourceUnavailable or CmekErrorKind.LimitsExceeded => options.Limit,
        CmekErrorKind.ConnectionError or CmekErrorKind.OperationTimeout => options.Limit < op.Timings.KeyPatience
            ? options.Limit
            : op.Timings.KeyPatience,
        _ => TimeSpan.Zero,
    };

    private CmekException NotTold(CmekException cause) => new(
        "RevokeNotSent",
        CmekErrorKind.ResourceUnavailable,
        $"{Subject.Cluster.Name} could not be revoked at the service: {cause.Message} What was done at the provider stands.",
        $"Connect again and run Revoke-CmekAccess -ClusterId {Subject.Cluster.Id} -ServiceOnly, or send the REVOKE by hand: "
        + $"curl -X PATCH {op.Session.Cloud.Server.GetLeftPart(UriPartial.Authority)}/api/v1/clusters/{Subject.Cluster.Id}/cmek "
        + "-H \"Authorization: Bearer $COCKROACH_API_KEY\" -H \"Cc-Version: 2024-09-16\" -d '{\"action\":\"REVOKE\"}'. The "
            + "vendor's support takes it too.",
        Subject.Cluster,
        cause);
}
