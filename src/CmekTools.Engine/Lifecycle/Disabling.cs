using CmekTools.Engine.Clusters;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Moves a cluster back to CockroachDB-managed encryption.</summary>
internal static class Disabling
{
    /// <summary>Sends NULL_KMS for every region and waits for DISABLED. Keys and grants are left alone.</summary>
    public static async Task<CmekStatus> DisableAsync(CmekCluster cluster, SwitchOptions options, Operation op)
    {
        op.About(cluster);
        CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
        string[] regions = [.. status.Regions.Select(r => r.Region)];
        if (status.State == CmekState.DISABLED && status.Regions.All(r => r.State == CmekState.DISABLED))
        {
            await op.Host.VerboseAsync($"{cluster.Name} is DISABLED already; nothing was changed.").ConfigureAwait(false);
            return status;
        }

        bool changed = false;
        string[] pending = [.. status.Regions.Where(r => r.State is not (CmekState.DISABLED or CmekState.DISABLING)).Select(r => r.Region)];
        if (pending.Length > 0)
        {
            await RequireWorkingAsync(cluster, status, pending, options, op).ConfigureAwait(false);
            CmekSpecWire body = new(
                [.. pending.Select(r => new RegionSpecWire(r, new KeySpecWire("NULL_KMS", string.Empty, string.Empty)))]);
            CmekSpecWire was = Specs.ToWire(
                cluster,
                status.Regions.Where(r => r.Current is not null).Select(r => Specs.ToAccess(cluster, r)));
            try
            {
                changed = await op.ChangeAsync(
                    new PlannedChange(
                        "cmek:Disable",
                        cluster.ToString(),
                        $"move {string.Join(", ", pending)} back to CockroachDB-managed encryption",
                        Specs.ToText(body),
                        Specs.ToNode(was),
                        Specs.ToNode(body)),
                    async token => status = await LostAnswerRetry.SendAsync(
                        op,
                        $"the disabling of {cluster.Name}",
                        t => op.Session.Cloud.UpdateCmekAsync(cluster, body, t),
                        t => Enabling.SeenAsync(cluster, r => r.State is CmekState.DISABLING or CmekState.DISABLED, pending, op, t),
                        TimeSpan.Zero,
                        token).ConfigureAwait(false)).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (
                e.StatusCode is 400 or 404 or 405 or 501 && e.ErrorId is not ("ClusterBusy" or "KeyAccessDenied"))
            {
                throw Refused(e, cluster, status, op);
            }

            if (!changed)
            {
                return status;
            }
        }

        if (options.Wait)
        {
            status = await StatusWatch.WaitAsync(
                cluster,
                StatusGoal.State("Disabling CMEK", regions, CmekState.DISABLED),
                options.Limit,
                op).ConfigureAwait(false);
        }

        await op.Host.WarningAsync(
            $"Keys and grants of {cluster.Name} were left as they are: data and managed backups written under the keys still need them. "
                + "Remove-CmekKey refuses for as long as a cluster lists a key.").ConfigureAwait(false);
        return status with { Changed = changed };
    }

    private static async Task RequireWorkingAsync(
        CmekCluster cluster,
        CmekStatus status,
        string[] pending,
        SwitchOptions options,
        Operation op)
    {
        foreach (CmekRegionStatus region in status.Regions.Where(r => pending.Contains(r.Region)))
        {
            if (WaysOut.Of(region.State, SwitchCommand.Disable) is not (Way.Go or Way.Done) and var way)
            {
                throw WaysOut.Refuse(cluster, status, region.Region, way);
            }
        }

        if (options.SkipPreflight || cluster.Provider is not (CmekProvider.AWS or CmekProvider.GCP))
        {
            return;
        }

        IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
        foreach (
            CmekRegionStatus region in status.Regions.Where(
                r => pending.Contains(r.Region) && r.Current is { KeyUri: not null, AuthPrincipal: not null, Place: CmekKeyPlace.InUse }))
        {
            AccessDecision verdict = await provider.EvaluateAsync(
                new AccessTarget(cluster, op.Session.Organization.Id, region.Region, region.KeyUri!, region.AuthPrincipal!),
                op).ConfigureAwait(false);
            if (verdict.Use is Decision.Denied or Decision.Missing)
            {
                throw new CmekException(
                    "KeyAccessBroken",
                    CmekErrorKind.InvalidOperation,
                    $"{cluster.Name}/{region.Region} cannot use its key now, and has to read the data once more to move it: "
                        + $"{string.Join("; ", verdict.Reasons)}",
                    $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)}, then run the command again.",
                    region);
            }
        }
    }

    private static CmekServiceException Refused(CmekServiceException refusal, CmekCluster cluster, CmekStatus status, Operation op)
    {
        CmekSupportRequest request = SupportRequests.Write(
            CmekSupportPurpose.Disable,
            op.Session.Organization,
            status,
            ["The public API refused it."],
            [$"PUT with NULL_KMS for every region was refused: {refusal.Message}"],
            op.Session.Time.GetUtcNow());
        return new CmekServiceException(
            CloudApiErrors.Service,
            "DisableUnsupported",
            CmekErrorKind.InvalidOperation,
            $"The service has no public call that moves {cluster.Name} back to CockroachDB-managed encryption, and refused NULL_KMS; "
                + $"nothing was changed. {refusal.Message}",
            refusal.StatusCode,
            refusal.Code,
            refusal.RequestId,
            $"Send this to {request.Address}{Environment.NewLine}{request}",
            cluster,
            refusal);
    }
}
