using Amazon.KeyManagementService.Model;

namespace CmekTools.Engine.Aws;

/// <summary>Reading keys.</summary>
internal sealed partial class AwsKeyProvider
{
    /// <inheritdoc/>
    public async Task<CmekKey> GetKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = ParseKey(keyUri);
        return await ReadKeyAsync(key, op, null).ConfigureAwait(false);
    }

    // The parts of a key are read side by side; those that the caller may not see stay empty.
    private async Task<CmekKey> ReadKeyAsync(KeyArn key, Operation op, KeyMetadata? known)
    {
        Task<KeyMetadata> described = known is null ? DescribeAsync(key.Text, key.Region, op.Cancellation) : Task.FromResult(known);
        Task<IReadOnlyDictionary<string, string>?> tags = SeenAsync(TagsAsync(key.Text, key.Region, op.Cancellation));
        Task<GetKeyRotationStatusResponse?> rotation = SeenAsync(RotationAsync(key, op.Cancellation));
        Task<string?> alias = SeenAsync(AliasOfAsync(key, op.Cancellation));
        Task<IReadOnlyList<DateTime>?> rotations = RotationsAsync(key, op);
        await Task.WhenAll([described, tags, rotation, alias, rotations]).ConfigureAwait(false);
        CmekKey read = ToKey(await described.ConfigureAwait(false), await tags.ConfigureAwait(false), await rotation.ConfigureAwait(false), await alias.ConfigureAwait(false));
        DateTime[] dates = [.. await rotations.ConfigureAwait(false) ?? []];
        return dates.Length == 0 ? read : read with { LastRotation = ToOffset(dates.Max()) };
    }

    private async Task<KeyMetadata> DescribeAsync(string keyId, string region, CancellationToken cancellation)
    {
        DescribeKeyResponse answer = await AwsErrors.CallAsync(
            "kms:DescribeKey", keyId, ct => _clients.Kms(region).DescribeKeyAsync(new DescribeKeyRequest { KeyId = keyId }, ct), cancellation).ConfigureAwait(false);
        return answer.KeyMetadata;
    }

    private async Task<IReadOnlyDictionary<string, string>?> TagsAsync(string keyId, string region, CancellationToken cancellation)
    {
        Dictionary<string, string> tags = [];
        string? marker = null;
        do
        {
            ListResourceTagsResponse page = await AwsErrors.CallAsync(
                "kms:ListResourceTags",
                keyId,
                ct => _clients.Kms(region).ListResourceTagsAsync(new ListResourceTagsRequest { KeyId = keyId, Marker = marker }, ct),
                cancellation).ConfigureAwait(false);
            foreach (Tag tag in page.Tags ?? [])
            {
                tags[tag.TagKey] = tag.TagValue;
            }

            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return tags;
    }

    private async Task<GetKeyRotationStatusResponse?> RotationAsync(KeyArn key, CancellationToken cancellation) => await AwsErrors.CallAsync(
        "kms:GetKeyRotationStatus",
        key.Text,
        ct => _clients.Kms(key.Region).GetKeyRotationStatusAsync(new GetKeyRotationStatusRequest { KeyId = key.Text }, ct),
        cancellation).ConfigureAwait(false);

    private async Task<string?> AliasOfAsync(KeyArn key, CancellationToken cancellation)
    {
        ListAliasesResponse answer = await AwsErrors.CallAsync(
            "kms:ListAliases", key.Text, ct => _clients.Kms(key.Region).ListAliasesAsync(new ListAliasesRequest { KeyId = key.Text }, ct), cancellation).ConfigureAwait(false);
        List<string> names = [.. (answer.Aliases ?? []).Select(a => a.AliasName)];
        return names.FirstOrDefault(n => n.StartsWith("alias/cmektools-", StringComparison.Ordinal)) ?? names.FirstOrDefault();
    }

    // What is denied, not supported for this kind of key, or gone is "not seen"; the key itself is read by a call that does fail.
    private static async Task<T?> SeenAsync<T>(Task<T?> read)
        where T : class
    {
        try
        {
            return await read.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId is AwsErrors.AccessDenied or AwsErrors.KeyNotFound or "AwsUnsupported" or "KeyStateInvalid" or "KeyPendingDeletion" or "KeyDisabled" or "AwsError")
        {
            return null;
        }
    }

    private static CmekKey ToKey(KeyMetadata data, IReadOnlyDictionary<string, string>? tags, GetKeyRotationStatusResponse? rotation, string? alias)
    {
        KeyArn? arn = AwsNames.TryParseKey(data.Arn);
        tags ??= new Dictionary<string, string>();
        return new CmekKey
        {
            Provider = CmekProvider.AWS,
            ClusterId = tags.GetValueOrDefault(AwsNames.ClusterIdTag),
            ClusterName = tags.GetValueOrDefault(AwsNames.ClusterNameTag),
            Region = tags.GetValueOrDefault(AwsNames.RegionTag),
            KeyUri = data.Arn,
            Location = arn?.Region,
            State = ToState(data),
            DeletionDate = ToOffset(data.DeletionDate),
            ProtectionLevel = data.Origin?.Value,
            KeySpec = data.KeySpec?.Value,
            KeyUsage = data.KeyUsage?.Value,
            Alias = alias,
            MultiRegion = data.MultiRegion == true,
            RotationEnabled = rotation?.KeyRotationEnabled,
            RotationPeriodDays = rotation?.KeyRotationEnabled == true ? rotation.RotationPeriodInDays : null,
            NextRotation = ToOffset(rotation?.NextRotationDate),
            CreatedAt = ToOffset(data.CreationDate),
            Tags = tags,
        };
    }

    private static CmekKeyState ToState(KeyMetadata data) => data.KeyState?.Value switch
    {
        "Enabled" => CmekKeyState.Enabled,
        "Disabled" => CmekKeyState.Disabled,
        "PendingDeletion" or "PendingReplicaDeletion" => CmekKeyState.PendingDeletion,
        "Creating" or "Updating" => CmekKeyState.Creating,
        _ => CmekKeyState.Unknown,
    };

    private static DateTimeOffset? ToOffset(DateTime? time) => time is { } t && t != default ? new DateTimeOffset(t.ToUniversalTime()) : null;
}
