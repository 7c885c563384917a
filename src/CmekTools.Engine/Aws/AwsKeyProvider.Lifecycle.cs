using System.Globalization;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>New key material, and the end of a key.</summary>
internal sealed partial class AwsKeyProvider
{
    /// <inheritdoc/>
    public string RotationChange => "kms:RotateKeyOnDemand";

    /// <inheritdoc/>
    public string MaterialOf(string keyUri) => ParseKey(keyUri) is { MultiRegion: true } key ? $"{key.Account}/{key.KeyId}" : keyUri;

    /// <inheritdoc/>
    public Task<KeyIdentity> IdentifyAsync(string keyUri, Operation op) => Task.FromResult(new KeyIdentity(ParseKey(keyUri).Text, MaterialOf(keyUri)));

    /// <inheritdoc/>
    public async Task<KeyReach> ReadReachAsync(string keyUri, Operation op)
    {
        KeyArn key = ParseKey(keyUri);
        Seen<KeyMetadata> data = await LookAsync(DescribeAsync(key.Text, key.Region, op.Cancellation)).ConfigureAwait(false);
        if (data.Value is not { } found)
        {
            return new KeyReach([], [], [$"{key.Text}: {data.Why}"]);
        }

        MultiRegionKey? primary = found.MultiRegionConfiguration?.PrimaryKey;
        IEnumerable<MultiRegionKey> copies = found.MultiRegionConfiguration?.ReplicaKeys ?? [];
        KeyReplica[] replicas = primary is null ? [] : [new KeyReplica(primary.Arn, true), .. copies.Select(c => new KeyReplica(c.Arn, false))];
        return new KeyReach(replicas, [], [$"the grants on {key.Text} were not looked at"]) { State = ToState(found) };
    }

    /// <inheritdoc/>
    public async Task RevokeGrantAsync(KeyGrant grant, Operation op)
    {
        KeyArn key = ParseKey(grant.KeyUri);
        await op.ChangeAsync(
            new PlannedChange("kms:RevokeGrant", key.Text, $"revoke the grant {grant.GrantId} to {grant.Grantee}"),
            cancellation => AwsErrors.CallAsync(
                "kms:RevokeGrant",
                key.Text,
                ct => _clients.Kms(key.Region).RevokeGrantAsync(new RevokeGrantRequest { KeyId = key.Text, GrantId = grant.GrantId }, ct),
                cancellation)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task DisableKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = ParseKey(keyUri);
        KeyMetadata data = await DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        if (ToState(data) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion)
        {
            return;
        }

        await op.ChangeAsync(
            new PlannedChange("kms:DisableKey", key.Text, "disable the key"),
            cancellation => AwsErrors.CallAsync(
                "kms:DisableKey", key.Text, ct => _clients.Kms(key.Region).DisableKeyAsync(new DisableKeyRequest { KeyId = key.Text }, ct), cancellation)).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async Task<string?> RotateKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = ParseKey(keyUri);
        KeyMetadata data = await DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        CmekKey seen = ToKey(data, null, null, null);
        RequireUsable(seen);
        if (data.MultiRegionConfiguration is { MultiRegionKeyType.Value: "REPLICA", PrimaryKey.Arn: { } primary })
        {
            await op.Host.VerboseAsync($"{key.Text} is a replica; its material is rotated at {primary}.").ConfigureAwait(false);
            key = ParseKey(primary);
        }

        IReadOnlyList<DateTime>? before = await RotationsAsync(key, op).ConfigureAwait(false);
        bool made;
        try
        {
            made = await op.ChangeAsync(
                new PlannedChange(RotationChange, key.Text, "make new key material (the ARN stays, older material goes on decrypting)"),
                cancellation => AwsErrors.CallAsync(
                    "kms:RotateKeyOnDemand",
                    key.Text,
                    ct => _clients.KmsOnce(key.Region).RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Text }, ct),
                    cancellation)).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == "AwsUnsupported")
        {
            throw new CmekServiceException(
                e.Service,
                "KeyRotationUnsupported",
                CmekErrorKind.InvalidOperation,
                $"The key {key.Text} cannot be rotated ({data.Origin?.Value} material): {e.Message}",
                e.StatusCode,
                e.Code,
                e.RequestId,
                "Make a new key with New-CmekKey and move the cluster to it with Update-CmekCluster.",
                key.Text,
                e);
        }
        catch (CmekServiceException e) when (e.ErrorId == "AwsConflict")
        {
            await op.Host.WarningAsync($"A rotation of {key.Text} is going on already; waiting for that one.").ConfigureAwait(false);
            made = true;
        }

        return made ? await WaitForRotationAsync(key, before, op).ConfigureAwait(false) : null;
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op)
    {
        if (days is < 7 or > 30)
        {
            throw new CmekException(
                "DeletionDaysInvalid", CmekErrorKind.InvalidArgument, $"A key cannot be deleted after {days} days: KMS takes 7 to 30.", "Give -PendingWindowInDays from 7 to 30.", days);
        }

        KeyArn key = ParseKey(keyUri);
        KeyMetadata data = await DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        if (ToState(data) == CmekKeyState.PendingDeletion)
        {
            await op.Host.VerboseAsync($"{key.Text} is scheduled for deletion already.").ConfigureAwait(false);
            return ToOffset(data.DeletionDate);
        }

        DateTimeOffset? when = null;
        await op.ChangeAsync(
            new PlannedChange(
                "kms:ScheduleKeyDeletion", key.Text, $"schedule the key's deletion in {days} days; until then it can be rescued, afterwards nothing that it encrypted can be read", null, null, new System.Text.Json.Nodes.JsonObject { ["PendingWindowInDays"] = days }),
            async cancellation =>
            {
                ScheduleKeyDeletionResponse answer = await AwsErrors.CallAsync(
                    "kms:ScheduleKeyDeletion",
                    key.Text,
                    ct => _clients.Kms(key.Region).ScheduleKeyDeletionAsync(new ScheduleKeyDeletionRequest { KeyId = key.Text, PendingWindowInDays = days }, ct),
                    cancellation).ConfigureAwait(false);
                when = ToOffset(answer.DeletionDate) ?? op.Session.Time.GetUtcNow().AddDays(days);
            }).ConfigureAwait(false);
        return when;
    }

    private async Task<string?> WaitForRotationAsync(KeyArn key, IReadOnlyList<DateTime>? before, Operation op)
    {
        DateTimeOffset end = op.Session.Time.GetUtcNow() + op.Timings.PropagationLimit;
        while (true)
        {
            IReadOnlyList<DateTime>? now = await RotationsAsync(key, op).ConfigureAwait(false);
            if (now is null || before is null)
            {
                await op.Host.WarningAsync($"Whether the rotation of {key.Text} has ended cannot be seen: that takes the permission kms:ListKeyRotations.").ConfigureAwait(false);
                return null;
            }

            if (now.Count > before.Count)
            {
                await op.Host.ProgressAsync(new OperationProgress("Rotating the key", "done", 100, Completed: true)).ConfigureAwait(false);
                return now.Max().ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            }

            if (op.Session.Time.GetUtcNow() >= end)
            {
                throw new CmekException(
                    "RotationNotSeen", CmekErrorKind.OperationTimeout, $"KMS took the rotation of {key.Text}, but does not list it yet.", $"See it with: aws kms list-key-rotations --key-id {key.Text} --region {key.Region}", key.Text);
            }

            await op.Host.ProgressAsync(new OperationProgress("Rotating the key", $"KMS is making new material for {key.Text}")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    // Null where it cannot be seen.
    private async Task<IReadOnlyList<DateTime>?> RotationsAsync(KeyArn key, Operation op)
    {
        List<DateTime> dates = [];
        string? marker = null;
        do
        {
            string? from = marker;
            ListKeyRotationsResponse? page = await SeenAsync<ListKeyRotationsResponse>(AwsErrors.CallAsync<ListKeyRotationsResponse?>(
                "kms:ListKeyRotations",
                key.Text,
                async ct => await _clients.Kms(key.Region).ListKeyRotationsAsync(new ListKeyRotationsRequest { KeyId = key.Text, Marker = from }, ct).ConfigureAwait(false),
                op.Cancellation)).ConfigureAwait(false);
            if (page is null)
            {
                return null;
            }

            dates.AddRange((page.Rotations ?? []).Select(r => r.RotationDate).OfType<DateTime>());
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return dates;
    }
}
