using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using Amazon.KeyManagementService;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>Finding and making keys.</summary>
internal sealed class AwsKeyMaker(AwsClients clients, AwsKeyReader reader)
{
    // Enough to be quick in an account of hundreds of keys, few enough not to be throttled.
    private const int SearchWidth = 8;

    // An error names so many keys; more would hide what to do about them.
    private const int HiddenShown = 5;
    private const int DefaultRotationDays = 365;

    public async IAsyncEnumerable<CmekKey> FindKeysAsync(CmekCluster cluster, string? region, KeyOptions options, Operation op)
    {
        foreach (string place in region is null ? cluster.Regions.Select(r => r.Name) : [region])
        {
            if (await FindAsync(cluster, place, options, mustKnow: false, op).ConfigureAwait(false) is { } found)
            {
                yield return (
                    await reader.ReadKeyAsync(
                        AwsNames.TryParseKey(found.Arn)!,
                        op,
                        found).ConfigureAwait(false)) with { ClusterId = cluster.Id, ClusterName = cluster.Name, Region = place };
            }
        }
    }

    // A region that the SDK knows is there. Of another one (newer than the SDK, or misspelt) any answer is proof; it is asked once, since
    // where there is no such region there is no such host, and the usual tries would take half a minute.
    private async Task RequireThereAsync(string region, string alias, Operation op)
    {
        if (AwsNames.InSdk(region))
        {
            return;
        }

        try
        {
            await AwsErrors.CallAsync(
                "kms:DescribeKey",
                $"{alias} in {region}",
                ct => clients.KmsOnce(region).DescribeKeyAsync(new DescribeKeyRequest { KeyId = alias }, ct),
                op.Cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.ErrorId == "AwsUnreachable")
        {
            throw new CmekException(
                "RegionUnknown",
                CmekErrorKind.InvalidArgument,
                $"There seems to be no AWS region '{region}': this version of AWS's SDK does not know it, and its KMS cannot be reached "
                    + $"({e.InnerException?.Message.TrimEnd('.') ?? "no answer"}).{Names.DidYouMean(region, AwsNames.SdkRegions)} Nothing "
                    + "was made.",
                "Correct the name; `aws account list-regions` shows the regions there are. If it is right, look at the network and the "
                    + "proxy.",
                region,
                e);
        }
        catch (CmekServiceException e) when (e.StatusCode != 0)
        {
            await op.Host.VerboseAsync($"{region} is not in AWS's SDK, and its KMS answers.").ConfigureAwait(false);
        }
    }

    public async Task<CmekKey> EnsureKeyAsync(CmekCluster cluster, string region, KeyOptions options, Operation op)
    {
        if (options.RotationPeriodDays is < 90 or > 2560)
        {
            throw new CmekException(
                "RotationPeriodInvalid",
                CmekErrorKind.InvalidArgument,
                $"A rotation period of {options.RotationPeriodDays} days is not possible: KMS takes 90 to 2560.",
                "Give -RotationPeriod between 90 and 2560 days, for example 365.00:00:00.",
                options.RotationPeriodDays);
        }

        RequireTags(options);
        if (!AwsNames.IsRegion(region))
        {
            throw new CmekException(
                "RegionUnknown",
                CmekErrorKind.InvalidArgument,
                $"'{region}' has not the form of an AWS region. Nothing was made.",
                "Give a region such as eu-west-1; `aws account list-regions` shows them.",
                region);
        }

        string alias = AwsNames.Alias(cluster, region, options.AliasName, options.Generation);
        await RequireThereAsync(region, alias, op).ConfigureAwait(false);
        List<string> changes = [];
        KeyMetadata? found = await FindAsync(cluster, region, options, mustKnow: true, op).ConfigureAwait(false)
            ?? await LeftByEarlierRunAsync(cluster, region, options, op).ConfigureAwait(false);
        if (found is not null)
        {
            await SettleMadeAsync(cluster, region, op).ConfigureAwait(false);
        }

        bool made = found is null;
        if (found is null)
        {
            found = options.MultiRegion && await HomeAsync(cluster, region, options, op).ConfigureAwait(false) is { } home
                && home.Region != region
                ? await ReplicateAsync(cluster, region, home, options, op, changes).ConfigureAwait(false)
                : await CreateAsync(cluster, region, options, op, changes).ConfigureAwait(false);
        }
        else if (options.MultiRegion && found.MultiRegion != true)
        {
            await op.Host.WarningAsync(
                $"The key {found.Arn} for {cluster.Name}/{region} is there already and is a single-region key; that cannot be changed, "
                    + "so it is kept as it is.").ConfigureAwait(false);
        }

        if (found is null)
        {
            bool rotates = options.EnableRotation || options.RotateNew;
            await ShowRestAsync(cluster, region, alias, options, op).ConfigureAwait(false);
            return new CmekKey
            {
                Provider = CmekProvider.AWS,
                ClusterId = cluster.Id,
                ClusterName = cluster.Name,
                Region = region,
                Location = region,
                State = CmekKeyState.Planned,
                Alias = alias,
                MultiRegion = options.MultiRegion,
                KeySpec = "SYMMETRIC_DEFAULT",
                KeyUsage = "ENCRYPT_DECRYPT",
                RotationEnabled = rotates,
                RotationPeriodDays = rotates ? options.RotationPeriodDays ?? DefaultRotationDays : null,
                Tags = AllTags(cluster, region, options),
                Changes = changes,
            };
        }

        // What is there already is looked at like on Google Cloud: one that is being made is waited for, one that is off is not taken.
        found = await WhenMadeAsync(found, region, op).ConfigureAwait(false);
        AwsKeyReader.RequireUsable(AwsKeyReader.ToKey(found, null, null, alias));
        KeyArn arn = AwsNames.TryParseKey(found.Arn)!;
        CmekKey key = await reader.ReadKeyAsync(arn, op, found).ConfigureAwait(false);
        await CompleteTagsAsync(cluster, region, options, key, op, changes).ConfigureAwait(false);

        // The alias comes last: where it is missing, the run that made the key broke off, and the key is new still.
        bool named = await IsNamedAsync(arn, alias, op).ConfigureAwait(false);
        KeyOptions wanted = options with { EnableRotation = options.EnableRotation || (options.RotateNew && !named) };
        await CompleteRotationAsync(arn, found, key, wanted, op, changes).ConfigureAwait(false);
        if (!named)
        {
            await CompleteAliasAsync(arn, alias, op, changes).ConfigureAwait(false);
        }

        if (changes.Count > 0)
        {
            key = await reader.ReadKeyAsync(arn, op, found).ConfigureAwait(false);
        }

        return key with
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Region = region,
            Alias = key.Alias ?? alias,
            Changes = changes,
            Made = made,
        };
    }

    // What would follow the making of a key, which a -WhatIf run cannot come to; after a no to the key itself nothing more is asked.
    private static async Task ShowRestAsync(CmekCluster cluster, string region, string alias, KeyOptions options, Operation op)
    {
        if (!op.Host.WhatIf)
        {
            return;
        }

        string key = $"the key to be made for {cluster.Name}/{region}";
        await op.Host.ShouldProcessAsync(key, NameSummary(alias)).ConfigureAwait(false);
        if ((options.EnableRotation || options.RotateNew)
            && !(options.MultiRegion && cluster.Regions is [var first, ..] && first.Name != region))
        {
            await op.Host.ShouldProcessAsync(key, RotationSummary(options)).ConfigureAwait(false);
        }
    }

    private async Task<KeyMetadata> WhenMadeAsync(KeyMetadata key, string region, Operation op)
    {
        long start = op.Session.Time.GetTimestamp();
        KeyMetadata seen = key;
        while (AwsKeyReader.ToState(seen) == CmekKeyState.Creating)
        {
            if (op.Session.Time.GetElapsedTime(start) > op.Timings.PropagationLimit)
            {
                throw new CmekException(
                    "KeyNotReady",
                    CmekErrorKind.OperationTimeout,
                    $"{key.Arn} is still being made ({seen.KeyState}).",
                    "Run the command again: it goes on with this key.",
                    key.Arn);
            }

            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
            seen = await reader.DescribeAsync(key.Arn, region, op.Cancellation).ConfigureAwait(false);
        }

        return seen;
    }

    private static string NameSummary(string alias) => $"name the key {alias}";

    private static string RotationSummary(KeyOptions options) =>
        $"rotate the key every {options.RotationPeriodDays ?? DefaultRotationDays} days";

    // By the alias, which is one call; and where it is absent by the tags, for a run that stopped between CreateKey and CreateAlias.
    // Who is to make a key where there is none must know that there is none; who only looks takes what can be seen.
    private async Task<KeyMetadata?> FindAsync(CmekCluster cluster, string region, KeyOptions options, bool mustKnow, Operation op)
    {
        string alias = AwsNames.Alias(cluster, region, options.AliasName, options.Generation);
        try
        {
            KeyMetadata named = await reader.DescribeAsync(alias, region, op.Cancellation).ConfigureAwait(false);
            IReadOnlyDictionary<string, string>? tags = await reader.TagsAsync(named.Arn, region, op.Cancellation).ConfigureAwait(false);
            if (!IsOurs(tags, cluster, region))
            {
                throw new CmekException(
                    "AliasTaken",
                    CmekErrorKind.ResourceExists,
                    $"The alias {alias} in {region} belongs to the key {named.Arn}, which does not carry the tags of "
                        + $"{cluster.Name}/{region}. Nothing was changed.",
                    $"Give -AliasName another name, or use that key as it is: Grant-CmekAccess -KeyUri {named.Arn}",
                    alias);
            }

            return named;
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.KeyNotFound && options.ByName)
        {
            return null;
        }
        catch (CmekServiceException e) when (e.ErrorId == AwsErrors.KeyNotFound)
        {
            await op.Host.VerboseAsync(
                $"There is no {alias} in {region}; looking for a key with the tags of {cluster.Name}/{region}.").ConfigureAwait(false);
        }

        return await FindTaggedAsync(cluster, region, options, mustKnow, op).ConfigureAwait(false);
    }

    private async Task<KeyMetadata?> FindTaggedAsync(
        CmekCluster cluster, string region, KeyOptions options, bool mustKnow, Operation op)
    {
        List<KeyMetadata> ours = [];
        List<string> hidden = [];
        foreach (MarkedKey look in await SearchByTagsAsync(cluster, region, op).ConfigureAwait(false))
        {
            if (look.Mark == KeyMark.Hidden)
            {
                hidden.Add(look.Arn);
                continue;
            }

            KeyMetadata key = await reader.DescribeAsync(look.Arn, region, op.Cancellation).ConfigureAwait(false);

            // A new alias by name asks for a new key: only one that an interrupted run has left without any alias is taken for it.
            if (AwsKeyReader.ToState(key) is not CmekKeyState.PendingDeletion
                && (!AsksForAnother(options) || !await HasAliasAsync(key.Arn, region, op).ConfigureAwait(false)))
            {
                ours.Add(key);
            }
        }

        if (ours.Count == 0 && mustKnow && hidden.Count > 0)
        {
            await RequireOthersAsync(cluster, region, options, hidden, op).ConfigureAwait(false);
        }

        if (ours.Count > 1)
        {
            await op.Host.WarningAsync(
                $"{ours.Count} keys carry the tags of {cluster.Name}/{region}: {string.Join(", ", ours.Select(k => k.Arn))}. The oldest "
                    + "is taken.").ConfigureAwait(false);
        }

        return ours.OrderBy(k => k.CreationDate).FirstOrDefault();
    }

    private static bool AsksForAnother(KeyOptions options) => options.AliasName is not null || options.Generation > 1;

    private async Task<bool> HasAliasAsync(string arn, string region, Operation op) =>
        (await reader.AliasesAsync(arn, region, op.Cancellation).ConfigureAwait(false)).Count > 0;

    // A key whose tags are hidden may be the cluster's own. What it is for is said by its description too; who may not see that either
    // has only the names: a run that broke off leaves a key without any.
    private async Task RequireOthersAsync(
        CmekCluster cluster, string region, KeyOptions options, IReadOnlyList<string> hidden, Operation op)
    {
        string[] perhaps = [.. (await SideBySideAsync(hidden, MayBeOursAsync, op).ConfigureAwait(false)).OfType<string>()];
        if (perhaps.Length == 0)
        {
            return;
        }

        string more = perhaps.Length > HiddenShown ? $" and {perhaps.Length - HiddenShown} more" : string.Empty;
        throw new CmekException(
            "KeyTagsUnread",
            CmekErrorKind.PermissionDenied,
            $"Whether {cluster.Name}/{region} has a key already cannot be told: there is none with its alias, and the tags of "
                + $"{string.Join(", ", perhaps.Take(HiddenShown))}{more} cannot be read, which may be it. No key was made.",
            "Allow kms:ListResourceTags and kms:DescribeKey on it and run the command again; or use a key that you know by its ARN: "
                + $"Grant-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} -Region {PowerShellText.Quote(region)} -KeyUri ARN",
            cluster);

        async Task<string?> MayBeOursAsync(string arn)
        {
            Evidence<KeyMetadata> seen = await AwsEvidence.TryReadAsync(
                reader.DescribeAsync(arn, region, op.Cancellation)).ConfigureAwait(false);
            if (seen.Missing || (seen.Value is { } key && IsAnothers(key, cluster, region)))
            {
                return null;
            }

            bool described = seen.Value is not null && !string.IsNullOrEmpty(seen.Value.Description);
            if (described && !AsksForAnother(options))
            {
                return arn;
            }

            Evidence<IReadOnlyList<string>> names = await AwsEvidence.TryReadAsync(
                reader.AliasesAsync(arn, region, op.Cancellation)).ConfigureAwait(false);
            return names.Value is { Count: > 0 } ? null : arn;
        }
    }

    private static bool IsAnothers(KeyMetadata key, CmekCluster cluster, string region) =>
        key.KeyManager == KeyManagerType.AWS
        || AwsKeyReader.ToState(key) is CmekKeyState.PendingDeletion
        || key.KeyUsage != KeyUsageType.ENCRYPT_DECRYPT
        || (!string.IsNullOrEmpty(key.Description) && key.Description != Description(cluster, region)
            && key.Description != UnnumberedDescription(cluster, region));

    private static string Description(CmekCluster cluster, string region) =>
        $"CMEK of the CockroachDB Cloud cluster {cluster.Name} ({cluster.Id}), region {region}";

    // What keys were described by before the cluster's id was in it.
    private static string UnnumberedDescription(CmekCluster cluster, string region) =>
        $"CMEK of the CockroachDB Cloud cluster {cluster.Name}, region {region}";

    private async Task<IReadOnlyList<MarkedKey>> SearchByTagsAsync(CmekCluster cluster, string region, Operation op)
    {
        List<string> arns = [];
        await foreach (IReadOnlyList<string> page in reader.ListAsync(region, op.Cancellation).ConfigureAwait(false))
        {
            arns.AddRange(page);
        }

        return [.. (await SideBySideAsync(arns, MarkAsync, op).ConfigureAwait(false)).Where(k => k.Mark != KeyMark.Anothers)];

        async Task<MarkedKey> MarkAsync(string arn) => new(
            arn,
            await AwsEvidence.ReadOrNullAsync(reader.TagsAsync(arn, region, op.Cancellation)).ConfigureAwait(false) is not { } tags
                ? KeyMark.Hidden
                : IsOurs(tags, cluster, region) ? KeyMark.Ours : KeyMark.Anothers);
    }

    private static async Task<T[]> SideBySideAsync<T>(IReadOnlyList<string> arns, Func<string, Task<T>> look, Operation op)
    {
        using SemaphoreSlim gate = new(SearchWidth);
        return await Task.WhenAll(arns.Select(InTurnAsync)).ConfigureAwait(false);

        async Task<T> InTurnAsync(string arn)
        {
            await gate.WaitAsync(op.Cancellation).ConfigureAwait(false);
            try
            {
                return await look(arn).ConfigureAwait(false);
            }
            finally
            {
                gate.Release();
            }
        }
    }

    private enum KeyMark
    {
        Ours,
        Anothers,

        /// <summary>Its tags cannot be read.</summary>
        Hidden,
    }

    private sealed record MarkedKey(string Arn, KeyMark Mark);

    private static bool IsOurs(IReadOnlyDictionary<string, string>? tags, CmekCluster cluster, string region) =>
        tags is not null && tags.GetValueOrDefault(AwsNames.ClusterIdTag) == cluster.Id
            && tags.GetValueOrDefault(AwsNames.RegionTag) == region;

    private async Task<KeyMetadata?> CreateAsync(CmekCluster cluster, string region, KeyOptions options, Operation op, List<string> changes)
    {
        AwsCaller caller = await clients.CallerAsync(region, op.Cancellation).ConfigureAwait(false);
        IReadOnlyDictionary<string, string> tags = AllTags(cluster, region, options);
        PolicyDocument policy = PolicyDocument.Create(OurStatements.Root(caller.Partition, caller.Account));
        string description = Description(cluster, region);
        JsonObject request = new()
        {
            ["Description"] = description,
            ["KeySpec"] = "SYMMETRIC_DEFAULT",
            ["KeyUsage"] = "ENCRYPT_DECRYPT",
            ["MultiRegion"] = options.MultiRegion,
            ["Policy"] = policy.Root.DeepClone(),
            ["Tags"] = AwsChanges.ToJson(tags),
        };
        KeyMetadata? made = null;
        PlannedChange change = new(
            "kms:CreateKey",
            $"{cluster.Name}/{region}",
            $"make a {(options.MultiRegion ? "multi-region " : string.Empty)}KMS key in {region}, account {caller.Account}",
            PolicyJson.Indented(request),
            null,
            request);
        await AwsChanges.ChangeAsync(op, changes, change, async cancellation =>
        {
            CreateKeyRequest create = new()
            {
                Description = description,
                KeySpec = KeySpec.SYMMETRIC_DEFAULT,
                KeyUsage = KeyUsageType.ENCRYPT_DECRYPT,
                MultiRegion = options.MultiRegion,
                Policy = policy.Text(),
                Tags = ToTags(tags),
            };
            made = await LostAnswerRetry.SendAsync(
                op,
                $"the key for {cluster.Name}/{region}",
                async token => (await AwsErrors.CallOnceAsync(
                    "kms:CreateKey",
                    region,
                    op,
                    ct => clients.KmsOnce(region).CreateKeyAsync(create, ct),
                    token).ConfigureAwait(false)).KeyMetadata,
                _ => FindTaggedAsync(cluster, region, options, mustKnow: true, op),
                op.Timings.Visibility,
                cancellation).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return made;
    }

    // A key of an earlier run whose outcome nobody knows: before another one is made, it is looked for until it would be visible.
    private async Task<KeyMetadata?> LeftByEarlierRunAsync(CmekCluster cluster, string region, KeyOptions options, Operation op)
    {
        foreach (CmekJournalEntry entry in op.Unsettled().Where(e => e.Kind == "kms:CreateKey" && e.Target == $"{cluster.Name}/{region}"))
        {
            TimeSpan left = entry.Time + op.Timings.Visibility - op.Session.Time.GetUtcNow();
            KeyMetadata? found = await LostAnswerRetry.LookAsync(
                op,
                $"the key for {cluster.Name}/{region} of {entry.Time:u}",
                _ => FindTaggedAsync(cluster, region, options, mustKnow: true, op),
                left > TimeSpan.Zero && !op.Host.WhatIf ? left : TimeSpan.Zero,
                op.Cancellation).ConfigureAwait(false);
            if (found is not null)
            {
                return found;
            }

            await op.SettleAsync(entry, "not made", "was not made: no key with the cluster's tags came to sight").ConfigureAwait(false);
        }

        return null;
    }

    private static async Task SettleMadeAsync(CmekCluster cluster, string region, Operation op)
    {
        foreach (CmekJournalEntry entry in op.Unsettled().Where(e => e.Kind == "kms:CreateKey" && e.Target == $"{cluster.Name}/{region}"))
        {
            await op.SettleAsync(entry, "done", "was made after all: a later command saw it").ConfigureAwait(false);
        }
    }

    // Where the primary is, which may have been moved since the first key was made; where there is none yet, the cluster's first region.
    private async Task<PrimaryPlace?> HomeAsync(CmekCluster cluster, string region, KeyOptions options, Operation op)
    {
        foreach (string place in cluster.Regions.Select(r => r.Name).Where(r => r != region))
        {
            KeyMetadata? found = await FindAsync(cluster, place, options, mustKnow: true, op).ConfigureAwait(false);
            if (found?.MultiRegionConfiguration?.PrimaryKey is { Arn: { } arn, Region: { } at })
            {
                return new PrimaryPlace(at, arn);
            }
        }

        return cluster.Regions is [var first, ..] ? new PrimaryPlace(first.Name, null) : null;
    }

    private sealed record PrimaryPlace(string Region, string? Arn);

    private async Task<KeyMetadata?> ReplicateAsync(
        CmekCluster cluster, string region, PrimaryPlace place, KeyOptions options, Operation op, List<string> changes)
    {
        string home = place.Region;
        CmekKey primary = place.Arn is { } there
            ? await reader.GetKeyAsync(there, op).ConfigureAwait(false)
            : await EnsureKeyAsync(cluster, home, options, op).ConfigureAwait(false);
        changes.AddRange(primary.Changes);
        if (primary.KeyUri is not null && !primary.MultiRegion)
        {
            throw new CmekException(
                "KeyNotMultiRegion",
                CmekErrorKind.InvalidOperation,
                $"The key {primary.KeyUri} for {cluster.Name}/{home} is a single-region key, so it has no replica for {region}.",
                $"Make a key of its own for the region: New-CmekKey -ClusterName {PowerShellText.Quote(cluster.Name)} -Region "
                    + $"{PowerShellText.Quote(region)}",
                primary);
        }

        AwsCaller caller = await clients.CallerAsync(region, op.Cancellation).ConfigureAwait(false);
        IReadOnlyDictionary<string, string> tags = AllTags(cluster, region, options);
        PolicyDocument policy = PolicyDocument.Create(OurStatements.Root(caller.Partition, caller.Account));
        JsonObject request = new()
        {
            ["KeyId"] = primary.KeyUri,
            ["ReplicaRegion"] = region,
            ["Description"] = Description(cluster, region),
            ["Policy"] = policy.Root.DeepClone(),
            ["Tags"] = AwsChanges.ToJson(tags),
        };
        KeyMetadata? made = null;
        PlannedChange change = new(
            "kms:ReplicateKey",
            primary.KeyUri ?? $"{cluster.Name}/{home}",
            $"make a replica of {cluster.Name}'s key in {region}",
            PolicyJson.Indented(request),
            null,
            request);
        await AwsChanges.ChangeAsync(op, changes, change, async cancellation =>
        {
            ReplicateKeyResponse answer = await AwsErrors.CallOnceAsync(
                "kms:ReplicateKey",
                primary.KeyUri!,
                op,
                ct => clients.KmsOnce(home).ReplicateKeyAsync(
                    new ReplicateKeyRequest
                    {
                        KeyId = AwsInput.ParseKey(primary.KeyUri!).KeyId,
                        ReplicaRegion = region,
                        Description = Description(cluster, region),
                        Policy = policy.Text(),
                        Tags = ToTags(tags),
                    },
                    ct),
                cancellation).ConfigureAwait(false);
            made = answer.ReplicaKeyMetadata;
        }, async cancellation =>
        {
            made = (await AwsEvidence.ReadAsync(reader.DescribeAsync(
                primary.KeyUri!.Replace($":kms:{home}:", $":kms:{region}:", StringComparison.Ordinal),
                region,
                cancellation)).ConfigureAwait(false)).Value;
            return made is not null;
        }).ConfigureAwait(false);
        return made is null ? null : await WaitUntilMadeAsync(made, region, op).ConfigureAwait(false);
    }

    private async Task<KeyMetadata> WaitUntilMadeAsync(KeyMetadata key, string region, Operation op)
    {
        DateTimeOffset end = op.Session.Time.GetUtcNow() + op.Timings.PropagationLimit;
        while (true)
        {
            try
            {
                key = await reader.DescribeAsync(key.Arn, region, op.Cancellation).ConfigureAwait(false);
            }
            catch (CmekServiceException e) when (e.ErrorId == AwsErrors.KeyNotFound && op.Session.Time.GetUtcNow() < end)
            {
                await op.Host.VerboseAsync($"{region} does not show the replica yet.").ConfigureAwait(false);
            }

            if (AwsKeyReader.ToState(key) is not CmekKeyState.Creating || op.Session.Time.GetUtcNow() >= end)
            {
                return key;
            }

            await op.Host.ProgressAsync(new OperationProgress("Making a replica", $"{key.Arn} is being made")).ConfigureAwait(false);
            await op.DelayAsync(op.Timings.PropagationPoll).ConfigureAwait(false);
        }
    }

    private async Task CompleteTagsAsync(
        CmekCluster cluster,
        string region,
        KeyOptions options,
        CmekKey key,
        Operation op,
        List<string> changes)
    {
        IReadOnlyDictionary<string, string> wanted = AllTags(cluster, region, options);
        Dictionary<string, string> missing = wanted.Where(
            t => key.Tags.GetValueOrDefault(t.Key) != t.Value).ToDictionary(t => t.Key, t => t.Value);
        if (missing.Count == 0)
        {
            return;
        }

        await AwsChanges.ChangeAsync(
            op,
            changes,
            new PlannedChange(
                "kms:TagResource",
                key.KeyUri!,
                $"tag the key with {string.Join(", ", missing.Keys)}",
                PolicyJson.Indented(AwsChanges.ToJson(missing)),
                AwsChanges.ToJson(key.Tags),
                AwsChanges.ToJson(missing)),
            cancellation => AwsErrors.CallAsync(
                "kms:TagResource",
                key.KeyUri!,
                ct => clients.Kms(key.Location!).TagResourceAsync(
                    new TagResourceRequest { KeyId = key.KeyUri, Tags = ToTags(missing) },
                    ct),
                cancellation),
            async cancellation => await reader.TagsAsync(key.KeyUri!, key.Location!, cancellation).ConfigureAwait(false) is { } tags
                && missing.All(t => tags.GetValueOrDefault(t.Key) == t.Value)).ConfigureAwait(false);
    }

    private async Task<bool> IsNamedAsync(KeyArn key, string alias, Operation op) =>
        (await reader.AliasesAsync(key.Text, key.Region, op.Cancellation).ConfigureAwait(false)).Contains(alias);

    private async Task CompleteAliasAsync(KeyArn key, string alias, Operation op, List<string> changes)
    {
        await AwsChanges.ChangeAsync(
            op,
            changes,
            new PlannedChange(
                "kms:CreateAlias",
                key.Text,
                NameSummary(alias),
                null,
                null,
                new JsonObject { ["AliasName"] = alias, ["TargetKeyId"] = key.Text }),
            cancellation => AwsErrors.CallAsync(
                "kms:CreateAlias",
                key.Text,
                ct => clients.Kms(key.Region).CreateAliasAsync(new CreateAliasRequest { AliasName = alias, TargetKeyId = key.Text }, ct),
                cancellation),
            async cancellation =>
                (
                    await reader.AliasesAsync(
                        key.Text,
                        key.Region,
                        cancellation).ConfigureAwait(false)).Contains(alias)).ConfigureAwait(false);
    }

    private async Task CompleteRotationAsync(
        KeyArn arn,
        KeyMetadata data,
        CmekKey key,
        KeyOptions options,
        Operation op,
        List<string> changes)
    {
        // A replica's rotation is the primary's.
        bool replica = data.MultiRegionConfiguration?.MultiRegionKeyType == MultiRegionKeyType.REPLICA;
        bool asWanted = key.RotationEnabled == true
            && (
                options.RotationPeriodDays is null || key.RotationPeriodDays is null
                    || key.RotationPeriodDays == options.RotationPeriodDays);
        if (!options.EnableRotation || replica || asWanted)
        {
            return;
        }

        int days = options.RotationPeriodDays ?? DefaultRotationDays;
        await AwsChanges.ChangeAsync(
            op,
            changes,
            new PlannedChange(
                "kms:EnableKeyRotation",
                arn.Text,
                RotationSummary(options),
                null,
                key.RotationPeriodDays,
                new JsonObject { ["RotationPeriodInDays"] = days }),
            cancellation => AwsErrors.CallAsync(
                "kms:EnableKeyRotation",
                arn.Text,
                ct => clients.Kms(arn.Region).EnableKeyRotationAsync(
                    new EnableKeyRotationRequest { KeyId = arn.Text, RotationPeriodInDays = days },
                    ct),
                cancellation)).ConfigureAwait(false);
    }

    // By our own tags a key is found again and a revocation known: nobody else gives them a value.
    private static void RequireTags(KeyOptions options)
    {
        foreach ((string name, string value) in options.Tags)
        {
            if (name.StartsWith(AwsNames.TagHead, StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("aws:", StringComparison.OrdinalIgnoreCase)
                || name.Length is 0 or > 128
                || value.Length > 256)
            {
                throw new CmekException(
                    "TagInvalid",
                    CmekErrorKind.InvalidArgument,
                    $"'{name}={value}' cannot be a tag here: a name has 1 to 128 characters, a value at most 256, and names that begin "
                        + $"with aws: or {AwsNames.TagHead} are taken.",
                    "Choose another -Tag.",
                    name);
            }
        }
    }

    private static Dictionary<string, string> AllTags(CmekCluster cluster, string region, KeyOptions options)
    {
        Dictionary<string, string> tags = new(options.Tags);
        foreach ((string name, string value) in AwsNames.Tags(cluster, region))
        {
            tags[name] = value;
        }

        return tags;
    }

    private static List<Tag> ToTags(IReadOnlyDictionary<string, string> tags) =>
        [.. tags.Select(t => new Tag { TagKey = t.Key, TagValue = t.Value })];
}
