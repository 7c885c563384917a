using System.Runtime.CompilerServices;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>Reading keys, their policies and the roles that use them. Sends no write.</summary>
internal sealed class AwsKeyReader(AwsClients clients)
{
    public async Task<CmekKey> GetKeyAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        return await ReadKeyAsync(key, op, null).ConfigureAwait(false);
    }

    // The parts of a key are read side by side; those that the caller may not see stay empty.
    public async Task<CmekKey> ReadKeyAsync(KeyArn key, Operation op, KeyMetadata? known)
    {
        Task<KeyMetadata> described = known is null ? DescribeAsync(key.Text, key.Region, op.Cancellation) : Task.FromResult(known);
        Task<IReadOnlyDictionary<string, string>?> tags = AwsEvidence.ReadOrNullAsync(TagsAsync(key.Text, key.Region, op.Cancellation));
        Task<GetKeyRotationStatusResponse?> rotation = AwsEvidence.ReadOrNullAsync(RotationAsync(key, op.Cancellation));
        Task<string?> alias = AwsEvidence.ReadOrNullAsync(AliasOfAsync(key, op.Cancellation));
        Task<IReadOnlyList<RotationsListEntry>?> rotations = RotationsAsync(key, op);
        await Task.WhenAll([described, tags, rotation, alias, rotations]).ConfigureAwait(false);
        CmekKey read = ToKey(
            await described.ConfigureAwait(false),
            await tags.ConfigureAwait(false),
            await rotation.ConfigureAwait(false),
            await alias.ConfigureAwait(false));
        return read with { LastRotation = ToOffset((await rotations.ConfigureAwait(false))?.Max(r => r.RotationDate)) };
    }

    public async Task<KeyMetadata> DescribeAsync(string keyId, string region, CancellationToken cancellation)
    {
        DescribeKeyResponse answer = await AwsErrors.CallAsync(
            "kms:DescribeKey",
            keyId,
            ct => clients.Kms(region).DescribeKeyAsync(new DescribeKeyRequest { KeyId = keyId }, ct),
            cancellation).ConfigureAwait(false);
        return answer.KeyMetadata;
    }

    public async Task<IReadOnlyDictionary<string, string>?> TagsAsync(string keyId, string region, CancellationToken cancellation)
    {
        Dictionary<string, string> tags = [];
        string? marker = null;
        do
        {
            ListResourceTagsResponse page = await AwsErrors.CallAsync(
                "kms:ListResourceTags",
                keyId,
                ct => clients.Kms(region).ListResourceTagsAsync(new ListResourceTagsRequest { KeyId = keyId, Marker = marker }, ct),
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

    private async Task<GetKeyRotationStatusResponse?> RotationAsync(KeyArn key, CancellationToken cancellation) =>
        await AwsErrors.CallAsync(
        "kms:GetKeyRotationStatus",
        key.Text,
        ct => clients.Kms(key.Region).GetKeyRotationStatusAsync(new GetKeyRotationStatusRequest { KeyId = key.Text }, ct),
        cancellation).ConfigureAwait(false);

    public async Task<GetKeyRotationStatusResponse> RotationStatusAsync(KeyArn key, CancellationToken cancellation) =>
        (await RotationAsync(key, cancellation).ConfigureAwait(false))!;

    /// <summary>Every rotation that a key has had, all pages; null where they cannot be seen.</summary>
    public async Task<IReadOnlyList<RotationsListEntry>?> RotationsAsync(KeyArn key, Operation op)
    {
        List<RotationsListEntry> rotations = [];
        string? marker = null;
        do
        {
            string? from = marker;
            Task<ListKeyRotationsResponse> reading = AwsErrors.CallAsync(
                "kms:ListKeyRotations",
                key.Text,
                ct => clients.Kms(key.Region).ListKeyRotationsAsync(
                    new ListKeyRotationsRequest { KeyId = key.Text, Marker = from },
                    ct),
                op.Cancellation);
            if (await AwsEvidence.ReadOrNullAsync<ListKeyRotationsResponse>(reading!).ConfigureAwait(false) is not { } page)
            {
                return null;
            }

            rotations.AddRange(page.Rotations ?? []);
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return rotations;
    }

    private async Task<string?> AliasOfAsync(KeyArn key, CancellationToken cancellation)
    {
        IReadOnlyList<string> names = await AliasesAsync(key.Text, key.Region, cancellation).ConfigureAwait(false);
        return names.FirstOrDefault(n => n.StartsWith("alias/cmektools-", StringComparison.Ordinal)) ?? (names.Count > 0 ? names[0] : null);
    }

    /// <summary>The names of a key, all pages.</summary>
    public async Task<IReadOnlyList<string>> AliasesAsync(string arn, string region, CancellationToken cancellation)
    {
        List<string> names = [];
        string? marker = null;
        do
        {
            string? from = marker;
            ListAliasesResponse page = await AwsErrors.CallAsync(
                "kms:ListAliases",
                arn,
                ct => clients.Kms(region).ListAliasesAsync(new ListAliasesRequest { KeyId = arn, Marker = from }, ct),
                cancellation).ConfigureAwait(false);
            names.AddRange((page.Aliases ?? []).Select(a => a.AliasName));
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return names;
    }

    /// <summary>The one name that a key policy can have.</summary>
    public const string PolicyName = "default";

    public async Task<string> PolicyTextAsync(KeyArn key, CancellationToken cancellation)
    {
        GetKeyPolicyResponse answer = await AwsErrors.CallAsync(
            "kms:GetKeyPolicy",
            key.Text,
            ct => clients.Kms(key.Region).GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key.Text, PolicyName = PolicyName }, ct),
            cancellation).ConfigureAwait(false);
        return answer.Policy;
    }

    /// <summary>
    /// Tells a key of another account apart before anything is read or written: its policy can be read and written from its own
    /// account only.
    /// </summary>
    /// <exception cref="CmekException"><c>KeyInOtherAccount</c>.</exception>
    public async Task RequireOwnAccountAsync(KeyArn key, CancellationToken cancellation)
    {
        AwsCaller caller = await clients.CallerAsync(key.Region, cancellation).ConfigureAwait(false);
        if (caller.Account != key.Account)
        {
            throw new CmekException(
                "KeyInOtherAccount",
                CmekErrorKind.InvalidOperation,
                $"The key {key.Text} is in the account {key.Account}, the credentials are those of {caller.Arn} in the "
                    + $"account {caller.Account}: "
                    + "a key's policy can be read and changed from the key's own account only. Nothing was changed.",
                $"Connect with credentials of the account {key.Account} (-ProfileName); a role of another account is given with -RoleArn.",
                key.Text);
        }
    }

    /// <summary>The ARNs of every key of a region, a page at a time.</summary>
    public async IAsyncEnumerable<IReadOnlyList<string>> ListAsync(
        string region,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? marker = null;
        do
        {
            string? from = marker;
            ListKeysResponse page = await AwsErrors.CallAsync(
                "kms:ListKeys",
                region,
                ct => clients.Kms(region).ListKeysAsync(new ListKeysRequest { Marker = from }, ct),
                cancellation).ConfigureAwait(false);
            yield return [.. (page.Keys ?? []).Select(k => k.KeyArn)];
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
    }

    public async Task<PolicyDocument> PolicyAsync(KeyArn key, CancellationToken cancellation) =>
        PolicyDocument.Parse(await PolicyTextAsync(key, cancellation).ConfigureAwait(false), key.Text);

    public static CmekKey ToKey(
        KeyMetadata data,
        IReadOnlyDictionary<string, string>? tags,
        GetKeyRotationStatusResponse? rotation,
        string? alias)
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

    public static CmekKeyState ToState(KeyMetadata data) => data.KeyState?.Value switch
    {
        "Enabled" => CmekKeyState.Enabled,
        "Disabled" => CmekKeyState.Disabled,
        "PendingDeletion" or "PendingReplicaDeletion" => CmekKeyState.PendingDeletion,
        // A primary that is being moved works.
        "Updating" => CmekKeyState.Enabled,
        "Creating" => CmekKeyState.Creating,
        _ => CmekKeyState.Unknown,
    };

    public static DateTimeOffset? ToOffset(DateTime? time) =>
        time is { } t && t != default ? new DateTimeOffset(t.ToUniversalTime()) : null;

    /// <summary>Throws where the key cannot be a CMEK.</summary>
    public static void RequireUsable(CmekKey key)
    {
        string uri = key.KeyUri ?? key.ToString();
        if (key.KeySpec is not (null or "SYMMETRIC_DEFAULT") || key.KeyUsage is not (null or "ENCRYPT_DECRYPT"))
        {
            throw new CmekException(
                "KeyNotSymmetric",
                CmekErrorKind.InvalidArgument,
                $"The key {uri} is {key.KeySpec} for {key.KeyUsage}; a cluster needs a symmetric key (SYMMETRIC_DEFAULT) for "
                    + "ENCRYPT_DECRYPT. A key's kind cannot be changed.",
                "Make another key with New-CmekKey, or give the ARN of a symmetric one.",
                key);
        }

        KeyStates.RequireOn(key, state => state switch
        {
            CmekKeyState.PendingDeletion => new KeyRefusal(
                $"The key {uri} is scheduled for "
                    + $"deletion{(key.DeletionDate is { } date ? $" on {date:yyyy-MM-dd}" : string.Empty)}: nothing can be "
                    + "encrypted or decrypted with it.",
                "Rescue it first: " + AwsErrors.CancelDeletionCommand(uri)),
            CmekKeyState.Disabled => new KeyRefusal(
                $"The key {uri} is disabled: nothing can be encrypted or decrypted with it.",
                "Enable it first: " + AwsErrors.EnableCommand(uri)),
            CmekKeyState.Creating => new KeyRefusal($"The key {uri} is still being made.", "Run the command again in a minute."),
            _ => new KeyRefusal(
                $"The key {uri} cannot be used in the state that it is in (imported material missing, a key store out of reach, or "
                    + "a state that this version does not know).",
                "See the key's state in the AWS console, or make another key with New-CmekKey."),
        });
    }
}
