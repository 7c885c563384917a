using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Aws.Policies;

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
        Task<IReadOnlyDictionary<string, string>?> tags = SeenAsync(TagsAsync(key.Text, key.Region, op.Cancellation));
        Task<GetKeyRotationStatusResponse?> rotation = SeenAsync(RotationAsync(key, op.Cancellation));
        Task<string?> alias = SeenAsync(AliasOfAsync(key, op.Cancellation));
        Task<IReadOnlyList<DateTime>?> rotations = RotationsAsync(key, op);
        await Task.WhenAll([described, tags, rotation, alias, rotations]).ConfigureAwait(false);
        CmekKey read = ToKey(
            await described.ConfigureAwait(false),
            await tags.ConfigureAwait(false),
            await rotation.ConfigureAwait(false),
            await alias.ConfigureAwait(false));
        DateTime[] dates = [.. await rotations.ConfigureAwait(false) ?? []];
        return dates.Length == 0 ? read : read with { LastRotation = ToOffset(dates.Max()) };
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

    // Null where it cannot be seen.
    public async Task<IReadOnlyList<DateTime>?> RotationsAsync(KeyArn key, Operation op)
    {
        List<DateTime> dates = [];
        string? marker = null;
        do
        {
            string? from = marker;
            ListKeyRotationsResponse? page = await SeenAsync<ListKeyRotationsResponse>(AwsErrors.CallAsync<ListKeyRotationsResponse?>(
                "kms:ListKeyRotations",
                key.Text,
                async ct =>
                    await clients.Kms(key.Region).ListKeyRotationsAsync(
                        new ListKeyRotationsRequest { KeyId = key.Text, Marker = from },
                        ct).ConfigureAwait(false),
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

    private async Task<string?> AliasOfAsync(KeyArn key, CancellationToken cancellation)
    {
        ListAliasesResponse answer = await AwsErrors.CallAsync(
            "kms:ListAliases",
            key.Text,
            ct => clients.Kms(key.Region).ListAliasesAsync(new ListAliasesRequest { KeyId = key.Text }, ct),
            cancellation).ConfigureAwait(false);
        List<string> names = [.. (answer.Aliases ?? []).Select(a => a.AliasName)];
        return names.FirstOrDefault(n => n.StartsWith("alias/cmektools-", StringComparison.Ordinal)) ?? names.FirstOrDefault();
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

    public async Task<PolicyDocument> PolicyAsync(KeyArn key, CancellationToken cancellation) =>
        PolicyDocument.Parse(await PolicyTextAsync(key, cancellation).ConfigureAwait(false), key.Text);

    public async Task<IamRole?> FindRoleAsync(string name, string partition, CancellationToken cancellation)
    {
        try
        {
            return await AwsErrors.CallAsync(
                "iam:GetRole",
                name,
                ct => clients.Iam(partition).GetRoleAsync(name, ct),
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == "RoleNotFound")
        {
            return null;
        }
    }

    // IAM takes a name and looks in the caller's account; a role of that name there is not the one of another account.
    public async Task<IamRole> RoleAsync(RoleArn role, Operation op)
    {
        Task<AwsCaller> asking = clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation);
        Task<Seen<IamRole>> reading = LookAsync(
            AwsErrors.CallAsync("iam:GetRole", role.Text, ct => clients.Iam(role.Partition).GetRoleAsync(role.Name, ct), op.Cancellation));
        await Task.WhenAll(asking, reading).ConfigureAwait(false);
        AwsCaller caller = await asking.ConfigureAwait(false);
        Seen<IamRole> seen = await reading.ConfigureAwait(false);
        if (caller.Account != role.Account)
        {
            throw new CmekException(
                "RoleNotSeen",
                CmekErrorKind.PermissionDenied,
                $"The role {role.Text} is in the account {role.Account}; the caller's is {caller.Account}, from where it cannot be seen.",
                $"Run this with credentials of the account {role.Account}.",
                role.Text);
        }

        if (seen.Value is { } found && found.Arn == role.Text)
        {
            return found;
        }

        throw seen.Missing || seen.Value is not null
            ? new CmekServiceException(
                "AWS IAM",
                "RoleNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no role {role.Text}{(seen.Value is { } other ? $"; the role of that name is {other.Arn}" : string.Empty)}.",
                404,
                "NoSuchEntity",
                null,
                null,
                role.Text)
            : new CmekException(
                "RoleNotSeen",
                CmekErrorKind.PermissionDenied,
                seen.Why!,
                $"Have iam:GetRole on {role.Text} granted to whoever runs this.",
                role.Text);
    }

    // Known only once the role is: null where it has no boundary.
    public async Task<Seen<PolicyDocument>?> BoundaryAsync(Task<Seen<IamRole>> reading, RoleArn role, Operation op)
    {
        if ((await reading.ConfigureAwait(false)).Value?.BoundaryArn is not { } arn)
        {
            return null;
        }

        return await LookAsync(ReadAsync()).ConfigureAwait(false);

        async Task<PolicyDocument> ReadAsync() => PolicyDocument.Parse(
            await AwsErrors.CallAsync(
                "iam:GetPolicyVersion",
                arn,
                ct => clients.Iam(role.Partition).GetManagedPolicyAsync(arn, ct),
                op.Cancellation).ConfigureAwait(false),
            arn);
    }

    public async Task<RolePolicies> RolePoliciesAsync(RoleArn role, Operation op)
    {
        IIamService iam = clients.Iam(role.Partition);
        Task<AwsCaller> asking = clients.CallerAsync(AwsNames.IamRegion(role.Partition), op.Cancellation);
        Task<Seen<IReadOnlyList<string>>> inline = LookAsync(
            AwsErrors.CallAsync("iam:ListRolePolicies", role.Text, ct => iam.ListRolePoliciesAsync(role.Name, ct), op.Cancellation));
        Task<Seen<IReadOnlyList<string>>> attached = LookAsync(
            AwsErrors.CallAsync(
                "iam:ListAttachedRolePolicies",
                role.Text,
                ct => iam.ListAttachedRolePoliciesAsync(role.Name, ct),
                op.Cancellation));
        await Task.WhenAll(asking, inline, attached).ConfigureAwait(false);
        if ((await asking.ConfigureAwait(false)).Account != role.Account)
        {
            return new RolePolicies([], $"the role is in the account {role.Account}");
        }

        Seen<IReadOnlyList<string>> names = await inline.ConfigureAwait(false);
        Seen<IReadOnlyList<string>> arns = await attached.ConfigureAwait(false);
        string? unseen = names.Missing || arns.Missing ? null : names.Why ?? arns.Why;
        List<(string Name, Task<Seen<PolicyDocument>> Read)> reads =
        [
            .. (names.Value ?? []).Select(
                n => (n, LookAsync(ReadAsync("iam:GetRolePolicy", n, ct => iam.GetRolePolicyAsync(role.Name, n, ct))))),
            .. (arns.Value ?? []).Select(a => (a, LookAsync(ReadAsync("iam:GetPolicyVersion", a, ct => iam.GetManagedPolicyAsync(a, ct))))),
        ];
        List<(string, PolicyDocument)> policies = [];
        foreach ((string name, Task<Seen<PolicyDocument>> read) in reads)
        {
            Seen<PolicyDocument> document = await read.ConfigureAwait(false);
            if (document.Value is not null)
            {
                policies.Add((name, document.Value));
            }
            else
            {
                unseen ??= document.Why;
            }
        }

        return new RolePolicies(policies, unseen);

        async Task<PolicyDocument> ReadAsync(string permission, string name, Func<CancellationToken, Task<string>> read) =>
            PolicyDocument.Parse(await AwsErrors.CallAsync(permission, name, read, op.Cancellation).ConfigureAwait(false), name);
    }

    public static async Task<Seen<T>> LookAsync<T>(Task<T> read)
        where T : class
    {
        try
        {
            return new Seen<T>(await read.ConfigureAwait(false), false, null);
        }
        catch (CmekServiceException e) when (e.ErrorId is AwsErrors.KeyNotFound or "RoleNotFound")
        {
            return new Seen<T>(null, true, e.Message);
        }
        catch (CmekException e) when (
            e.Kind is CmekErrorKind.PermissionDenied or CmekErrorKind.InvalidOperation or CmekErrorKind.InvalidData)
        {
            return new Seen<T>(null, false, e.Message);
        }
    }

    // What is denied, not supported for this kind of key, or gone is "not seen"; the key itself is read by a call that does fail.
    public static async Task<T?> SeenAsync<T>(Task<T?> read)
        where T : class
    {
        try
        {
            return await read.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (
            e.ErrorId is AwsErrors.AccessDenied or AwsErrors.KeyNotFound or "AwsUnsupported" or "AwsError"
                or "KeyStateInvalid" or "KeyPendingDeletion" or "KeyDisabled")
        {
            return null;
        }
    }

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
        "Creating" or "Updating" => CmekKeyState.Creating,
        _ => CmekKeyState.Unknown,
    };

    public static DateTimeOffset? ToOffset(DateTime? time) =>
        time is { } t && t != default ? new DateTimeOffset(t.ToUniversalTime()) : null;
}
