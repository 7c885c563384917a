using System.Globalization;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Aws;

/// <summary>New key material, and the end of a key and its rescue from it.</summary>
internal sealed class AwsKeyLife(AwsClients clients, AwsKeyReader reader)
{
    /// <summary>The kind of the change that completes a rotation.</summary>
    public const string RotationChange = "kms:RotateKeyOnDemand";

    /// <summary>On-demand rotations that KMS makes of one key; the quota cannot be raised.</summary>
    public const int RotationLimit = 25;

    private readonly OwnSwitchOffs _own = new();

    /// <summary>How many on-demand rotations the key has had; at the primary, for a replica.</summary>
    public async Task<RotationBudget> ReadRotationBudgetAsync(string keyUri, Operation op) =>
        await reader.RotationsAsync(AwsInput.ParseKey(keyUri), op).ConfigureAwait(false) is { } made
            ? new RotationBudget(true, made.Count(r => r.RotationType?.Value == "ON_DEMAND"), RotationLimit)
            : new RotationBudget(false, 0, RotationLimit);

    public static string MaterialOf(string keyUri) =>
            AwsInput.ParseKey(keyUri) is { MultiRegion: true } key ? $"{key.Account}/{key.KeyId}" : keyUri;

    public async Task<CmekKeyRotation?> RotateKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        KeyMetadata data = await reader.DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        CmekKey seen = AwsKeyReader.ToKey(data, null, null, null);
        AwsKeyReader.RequireUsable(seen);
        if (data.MultiRegionConfiguration is { MultiRegionKeyType.Value: "REPLICA", PrimaryKey.Arn: { } primary })
        {
            await op.Host.VerboseAsync($"{key.Text} is a replica; its material is rotated at {primary}.").ConfigureAwait(false);
            key = AwsInput.ParseKey(primary);
        }

        IReadOnlyList<RotationsListEntry>? before = await reader.RotationsAsync(key, op).ConfigureAwait(false);
        bool made;
        try
        {
            made = await op.ChangeAsync(
                new PlannedChange(RotationChange, key.Text, "make new key material (the ARN stays, older material goes on decrypting)"),
                cancellation => LostAnswerRetry.SendAsync<object>(
                    op,
                    $"the rotation of {key.Text}",
                    async token => await AwsErrors.CallOnceAsync(
                        "kms:RotateKeyOnDemand",
                        key.Text,
                        op,
                        ct => clients.KmsOnce(key.Region).RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Text }, ct),
                        token).ConfigureAwait(false),
                    async _ => before is not null && await reader.RotationsAsync(key, op).ConfigureAwait(false) is { } now
                        ? now.Count > before.Count ? now : null
                        : throw LostAnswerRetry.OutcomeUnknown($"the rotation of {key.Text}", null),
                    op.Timings.Visibility,
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

    public async Task<DateTimeOffset?> ScheduleDeletionAsync(string keyUri, int days, Operation op)
    {
        if (days is < 7 or > 30)
        {
            throw new CmekException(
                "DeletionDaysInvalid",
                CmekErrorKind.InvalidArgument,
                $"A key cannot be deleted after {days} days: KMS takes 7 to 30.",
                "Give -PendingWindowInDays from 7 to 30.",
                days);
        }

        KeyArn key = AwsInput.ParseKey(keyUri);
        KeyMetadata data = await reader.DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        if (AwsKeyReader.ToState(data) == CmekKeyState.PendingDeletion)
        {
            await op.Host.VerboseAsync($"{key.Text} is scheduled for deletion already.").ConfigureAwait(false);
            return AwsKeyReader.ToOffset(data.DeletionDate);
        }

        DateTimeOffset? when = null;
        await op.ChangeAsync(
            new PlannedChange(
                "kms:ScheduleKeyDeletion",
                key.Text,
                $"schedule the key's deletion for {op.Session.Time.GetUtcNow().AddDays(days):yyyy-MM-dd} (in {days} days); until then it "
                    + "can be rescued, afterwards nothing that it encrypted can be read",
                null,
                null,
                new System.Text.Json.Nodes.JsonObject { ["PendingWindowInDays"] = days }),
            async cancellation =>
            {
                ScheduleKeyDeletionResponse answer = await AwsErrors.CallAsync(
                    "kms:ScheduleKeyDeletion",
                    key.Text,
                    ct => clients.Kms(key.Region).ScheduleKeyDeletionAsync(
                        new ScheduleKeyDeletionRequest { KeyId = key.Text, PendingWindowInDays = days },
                        ct),
                    cancellation).ConfigureAwait(false);

                // A multi-region primary with copies gets no date: it goes when the last copy is gone.
                bool waits = answer.KeyState?.Value == "PendingReplicaDeletion"
                    || data.MultiRegionConfiguration is { MultiRegionKeyType.Value: "PRIMARY", ReplicaKeys.Count: > 0 };
                when = waits ? null : AwsKeyReader.ToOffset(answer.DeletionDate) ?? op.Session.Time.GetUtcNow().AddDays(days);
            },
            async cancellation =>
            {
                KeyMetadata now = await reader.DescribeAsync(key.Text, key.Region, cancellation).ConfigureAwait(false);
                when = AwsKeyReader.ToOffset(now.DeletionDate);
                return AwsKeyReader.ToState(now) == CmekKeyState.PendingDeletion;
            }).ConfigureAwait(false);
        return when;
    }

    public async Task DisableKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        KeyMetadata data = await reader.DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        if (AwsKeyReader.ToState(data) is CmekKeyState.Disabled or CmekKeyState.PendingDeletion)
        {
            return;
        }

        if (await op.ChangeAsync(
            new PlannedChange("kms:DisableKey", key.Text, "disable the key"),
            cancellation => AwsErrors.CallAsync(
                "kms:DisableKey",
                key.Text,
                ct => clients.Kms(key.Region).DisableKeyAsync(new DisableKeyRequest { KeyId = key.Text }, ct),
                cancellation),
            cancellation => IsAsync(key, s => s == CmekKeyState.Disabled, cancellation)).ConfigureAwait(false))
        {
            _own.Note(key.Text, op);
        }
    }

    private async Task<bool> IsAsync(KeyArn key, Func<CmekKeyState, bool> wanted, CancellationToken cancellation) =>
        wanted(AwsKeyReader.ToState(await reader.DescribeAsync(key.Text, key.Region, cancellation).ConfigureAwait(false)));

    public async Task ReviveKeyAsync(string keyUri, Revival how, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        KeyMetadata data = await reader.DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false);
        CmekKeyState state = AwsKeyReader.ToState(data);
        if (state == CmekKeyState.PendingDeletion)
        {
            bool made = await op.ChangeAsync(
                new PlannedChange("kms:CancelKeyDeletion", key.Text, "cancel the key's scheduled deletion"),
                cancellation => AwsErrors.CallAsync(
                    "kms:CancelKeyDeletion",
                    key.Text,
                    ct => clients.Kms(key.Region).CancelKeyDeletionAsync(new CancelKeyDeletionRequest { KeyId = key.Text }, ct),
                    cancellation),
                cancellation => IsAsync(key, s => s is CmekKeyState.Disabled or CmekKeyState.Enabled, cancellation)).ConfigureAwait(false);
            if (!made && !op.Host.WhatIf)
            {
                return;
            }

            // A key that was rescued is disabled.
            state = CmekKeyState.Disabled;
        }

        if (state == CmekKeyState.Disabled && (how == Revival.ForUse || !await WasOffAsync(key, op).ConfigureAwait(false)))
        {
            await op.ChangeAsync(
                new PlannedChange("kms:EnableKey", key.Text, "enable the key"),
                cancellation => AwsErrors.CallAsync(
                    "kms:EnableKey",
                    key.Text,
                    ct => clients.Kms(key.Region).EnableKeyAsync(new EnableKeyRequest { KeyId = key.Text }, ct),
                    cancellation),
                cancellation => IsAsync(key, s => s == CmekKeyState.Enabled, cancellation)).ConfigureAwait(false);
        }
    }

    private async Task<bool> WasOffAsync(KeyArn key, Operation op) =>
        RevokedTag.Read(await TagsAsync(key, op).ConfigureAwait(false))?.WasOff == true;

    public async Task MarkRevokedAsync(string keyUri, IReadOnlyList<CmekCluster> clusters, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        if (await TagsAsync(key, op).ConfigureAwait(false) is not { } tags)
        {
            return;
        }

        RevokedTag? there = RevokedTag.Read(tags);
        RevokedTag wanted =
            (there ?? new RevokedTag([], await IsOffOfOthersAsync().ConfigureAwait(false))).With(clusters);
        await KeyMarks.TellNoRoomAsync(key.Text, clusters.Where(c => !wanted.Names(c)), op).ConfigureAwait(false);
        if (wanted.ClusterIds.Count == there?.ClusterIds.Count)
        {
            return;
        }

        string value = wanted.ToString();
        await op.ChangeAsync(
            new PlannedChange(
                "kms:TagResource",
                key.Text,
                $"tag the key with {AwsNames.RevokedTag}: a revocation of "
                    + $"{string.Join(", ", clusters.Select(c => c.Name))} switches it off",
                null,
                there is null ? [] : new System.Text.Json.Nodes.JsonObject { [AwsNames.RevokedTag] = tags[AwsNames.RevokedTag] },
                new System.Text.Json.Nodes.JsonObject { [AwsNames.RevokedTag] = value }),
            cancellation => AwsErrors.CallAsync(
                "kms:TagResource",
                key.Text,
                ct => clients.Kms(key.Region).TagResourceAsync(
                    new TagResourceRequest { KeyId = key.Text, Tags = [new Tag { TagKey = AwsNames.RevokedTag, TagValue = value }] },
                    ct),
                cancellation)).ConfigureAwait(false);

        async Task<bool> IsOffOfOthersAsync() =>
            AwsKeyReader.ToState(await reader.DescribeAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false))
                == CmekKeyState.Disabled && !_own.Read(op).Contains(key.Text);
    }

    public async Task UnmarkRevokedAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        if ((await TagsAsync(key, op).ConfigureAwait(false))?.GetValueOrDefault(AwsNames.RevokedTag) is not { } id)
        {
            return;
        }

        await op.ChangeAsync(
            new PlannedChange(
                "kms:UntagResource",
                key.Text,
                $"take the tag {AwsNames.RevokedTag} off the key",
                null,
                new System.Text.Json.Nodes.JsonObject { [AwsNames.RevokedTag] = id },
                new System.Text.Json.Nodes.JsonObject()),
            cancellation => AwsErrors.CallAsync(
                "kms:UntagResource",
                key.Text,
                ct => clients.Kms(key.Region).UntagResourceAsync(
                    new UntagResourceRequest { KeyId = key.Text, TagKeys = [AwsNames.RevokedTag] },
                    ct),
                cancellation)).ConfigureAwait(false);
    }

    private Task<IReadOnlyDictionary<string, string>?> TagsAsync(KeyArn key, Operation op) =>
        reader.TagsAsync(key.Text, key.Region, op.Cancellation);

    private async Task<CmekKeyRotation?> WaitForRotationAsync(KeyArn key, IReadOnlyList<RotationsListEntry>? before, Operation op)
    {
        DateTimeOffset end = op.Session.Time.GetUtcNow() + op.Timings.PropagationLimit;
        while (true)
        {
            IReadOnlyList<RotationsListEntry>? now = await reader.RotationsAsync(key, op).ConfigureAwait(false);
            if (now is null || before is null)
            {
                await op.Host.WarningAsync(
                    $"Whether the rotation of {key.Text} has ended cannot be seen: that takes the permission "
                        + "kms:ListKeyRotations.").ConfigureAwait(false);
                return Rotation(key, before, null, op);
            }

            if (now.Count > before.Count)
            {
                await op.Host.ProgressAsync(new OperationProgress("Rotating the key", "done", 100, Completed: true)).ConfigureAwait(false);
                return Rotation(key, before, now, op);
            }

            if (op.Session.Time.GetUtcNow() >= end)
            {
                throw new CmekException(
                    "RotationNotSeen",
                    CmekErrorKind.OperationTimeout,
                    $"KMS took the rotation of {key.Text}, but does not list it yet.",
                    $"See it with: aws kms list-key-rotations --key-id {key.Text} --region {key.Region}",
                    key.Text);
            }

            await op.Host.ProgressAsync(
                new OperationProgress("Rotating the key", $"KMS is making new material for {key.Text}")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    // KMS has no numbers for its versions: the times at which they came tell them apart.
    private static CmekKeyRotation Rotation(
        KeyArn key,
        IReadOnlyList<RotationsListEntry>? before,
        IReadOnlyList<RotationsListEntry>? now,
        Operation op) => new()
    {
        KeyUri = key.Text,
        Before = Text(before),
        After = Text(now),
        At = op.Session.Time.GetUtcNow(),
    };

    // Rotations within one second are told apart by how many there were.
    private static string? Text(IReadOnlyList<RotationsListEntry>? rotations)
    {
        IGrouping<string, string>? last = rotations?.Select(r => r.RotationDate).OfType<DateTime>()
            .Select(d => d.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture))
            .GroupBy(t => t, StringComparer.Ordinal).MaxBy(g => g.Key, StringComparer.Ordinal);
        return last?.Count() is { } same and > 1 ? string.Create(CultureInfo.InvariantCulture, $"{last.Key} ({same})") : last?.Key;
    }
}
