using System.Globalization;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Keys, their names, tags, rotation and end, through AWS's SDK.</summary>
public sealed class AwsKeyTests
{
    [Fact]
    public async Task AKeyIsFoundByAllItsNames()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = (
            await wire.Kms.CreateKeyAsync(
                new CreateKeyRequest { Description = "store", Tags = [new Tag { TagKey = "cluster", TagValue = "shop" }] },
                AwsWire.Cancel)).KeyMetadata;
        Assert.Equal($"arn:aws:kms:us-east-1:{AwsWire.Account}:key/{key.KeyId}", key.Arn);
        Assert.Equal(
            (KeyState.Enabled, KeyUsageType.ENCRYPT_DECRYPT, KeySpec.SYMMETRIC_DEFAULT, OriginType.AWS_KMS, false),
            (key.KeyState, key.KeyUsage, key.KeySpec, key.Origin, key.MultiRegion));
        await wire.Kms.CreateAliasAsync("alias/shop", key.KeyId, AwsWire.Cancel);
        foreach (string name in (string[])[key.KeyId, key.Arn, "alias/shop", $"arn:aws:kms:us-east-1:{AwsWire.Account}:alias/shop"])
        {
            Assert.Equal(key.Arn, (await wire.Kms.DescribeKeyAsync(name, AwsWire.Cancel)).KeyMetadata.Arn);
        }

        NotFoundException missing = await Assert.ThrowsAsync<NotFoundException>(
            () => wire.Kms.DescribeKeyAsync("8d1a2f3e-0000-4000-8000-000000000000", AwsWire.Cancel));
        Assert.Equal(
            $"Key 'arn:aws:kms:us-east-1:{AwsWire.Account}:key/8d1a2f3e-0000-4000-8000-000000000000' does not exist",
            missing.Message);
        await Assert.ThrowsAsync<NotFoundException>(
            () => wire.KmsAs(wire.Aws.Admin, "eu-west-1").DescribeKeyAsync(key.KeyId, AwsWire.Cancel));
        Assert.Equal(
            "Invalid arn us-east-1",
            (
                await Assert.ThrowsAsync<NotFoundException>(
                    () => wire.KmsAs(wire.Aws.Admin, "eu-west-1").DescribeKeyAsync(key.Arn, AwsWire.Cancel))).Message);
        await Assert.ThrowsAsync<InvalidArnException>(() => wire.Kms.DescribeKeyAsync("arn:aws:s3:::bucket", AwsWire.Cancel));
        await Assert.ThrowsAsync<AlreadyExistsException>(() => wire.Kms.CreateAliasAsync("alias/shop", key.KeyId, AwsWire.Cancel));
        await Assert.ThrowsAsync<InvalidArnException>(() => wire.Kms.DisableKeyAsync("alias/shop", AwsWire.Cancel));
    }

    [Fact]
    public async Task AliasesMoveAndListsComeInPages()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata one = await wire.KeyAsync();
        KeyMetadata two = await wire.KeyAsync();
        foreach (int i in Enumerable.Range(0, 5))
        {
            await wire.Kms.CreateAliasAsync(string.Create(CultureInfo.InvariantCulture, $"alias/a{i}"), one.KeyId, AwsWire.Cancel);
        }

        await wire.Kms.UpdateAliasAsync("alias/a4", two.KeyId, AwsWire.Cancel);
        List<string> seen = [];
        string? marker = null;
        do
        {
            ListAliasesResponse page = await wire.Kms.ListAliasesAsync(
                new ListAliasesRequest { Limit = 2, Marker = marker },
                AwsWire.Cancel);
            seen.AddRange(page.Aliases.Select(a => a.AliasName));
            marker = page.NextMarker;
            Assert.Equal(page.Truncated, marker is not null);
        }
        while (marker is not null);

        Assert.Equal(["alias/a0", "alias/a1", "alias/a2", "alias/a3", "alias/a4"], seen);
        Assert.Equal(
            ["alias/a4"],
            (await wire.Kms.ListAliasesAsync(new ListAliasesRequest { KeyId = two.Arn }, AwsWire.Cancel)).Aliases.Select(a => a.AliasName));
        await wire.Kms.DeleteAliasAsync("alias/a4", AwsWire.Cancel);
        await Assert.ThrowsAsync<NotFoundException>(() => wire.Kms.DescribeKeyAsync("alias/a4", AwsWire.Cancel));
        Assert.Equal(2, (await wire.Kms.ListKeysAsync(new ListKeysRequest(), AwsWire.Cancel)).Keys.Count);
        await Assert.ThrowsAsync<InvalidMarkerException>(
            () => wire.Kms.ListKeysAsync(new ListKeysRequest { Marker = "nonsense" }, AwsWire.Cancel));
    }

    [Fact]
    public async Task TagsArePutTakenAndChecked()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.TagResourceAsync(
            new TagResourceRequest { KeyId = key.Arn, Tags =
            [
                new() { TagKey = "a", TagValue = "1" },
                new() { TagKey = "b", TagValue = "2" },
            ] },
            AwsWire.Cancel);
        await wire.Kms.UntagResourceAsync(new UntagResourceRequest { KeyId = key.Arn, TagKeys = ["a"] }, AwsWire.Cancel);
        Assert.Equal(
            ["b=2"],
            (
                await wire.Kms.ListResourceTagsAsync(
                    new ListResourceTagsRequest { KeyId = key.Arn },
                    AwsWire.Cancel)).Tags.Select(t => $"{t.TagKey}={t.TagValue}"));
        await Assert.ThrowsAsync<TagException>(
            () => wire.Kms.TagResourceAsync(
                new TagResourceRequest { KeyId = key.Arn, Tags = [new() { TagKey = "aws:x", TagValue = "1" }] },
                AwsWire.Cancel));
    }

    [Fact]
    public async Task RotationHasItsLimitsAndOldMaterialStillDecrypts()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        MemoryStream before = (
            await wire.Kms.EncryptAsync(
                new EncryptRequest { KeyId = key.Arn, Plaintext = new MemoryStream([1, 2, 3]) },
                AwsWire.Cancel)).CiphertextBlob;
        int tooShort = 89;
        await Assert.ThrowsAsync<AmazonKeyManagementServiceException>(
            () => wire.Kms.EnableKeyRotationAsync(
                new EnableKeyRotationRequest { KeyId = key.Arn, RotationPeriodInDays = tooShort },
                AwsWire.Cancel));
        await wire.Kms.EnableKeyRotationAsync(new EnableKeyRotationRequest { KeyId = key.Arn, RotationPeriodInDays = 90 }, AwsWire.Cancel);
        GetKeyRotationStatusResponse status = await wire.Kms.GetKeyRotationStatusAsync(
            new GetKeyRotationStatusRequest { KeyId = key.Arn },
            AwsWire.Cancel);
        Assert.Equal((true, 90), (status.KeyRotationEnabled, status.RotationPeriodInDays));
        Assert.InRange(status.NextRotationDate!.Value, DateTime.UtcNow.AddDays(89), DateTime.UtcNow.AddDays(91));

        wire.Pass(TimeSpan.FromDays(91));
        await wire.Kms.RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Arn }, AwsWire.Cancel);
        List<RotationsListEntry> rotations = (
            await wire.Kms.ListKeyRotationsAsync(new ListKeyRotationsRequest { KeyId = key.Arn }, AwsWire.Cancel)).Rotations;
        Assert.Equal([RotationType.AUTOMATIC, RotationType.ON_DEMAND], rotations.Select(r => r.RotationType));
        Assert.Equal(
            [1, 2, 3],
            (await wire.Kms.DecryptAsync(new DecryptRequest { CiphertextBlob = before }, AwsWire.Cancel)).Plaintext.ToArray());

        await wire.Kms.DisableKeyRotationAsync(new DisableKeyRotationRequest { KeyId = key.Arn }, AwsWire.Cancel);
        Assert.False(
            (
                await wire.Kms.GetKeyRotationStatusAsync(
                    new GetKeyRotationStatusRequest { KeyId = key.Arn },
                    AwsWire.Cancel)).KeyRotationEnabled);
        foreach (int _ in Enumerable.Range(0, 24))
        {
            await wire.Kms.RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Arn }, AwsWire.Cancel);
        }

        await Assert.ThrowsAsync<LimitExceededException>(
            () => wire.Kms.RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Arn }, AwsWire.Cancel));
    }

    [Fact]
    public async Task ARotationOnDemandTakesItsTime()
    {
        await using AwsWire wire = AwsWire.Start(new() { IamLag = TimeSpan.FromMinutes(1) });
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Arn }, AwsWire.Cancel);
        Assert.NotNull(
            (
                await wire.Kms.GetKeyRotationStatusAsync(
                    new GetKeyRotationStatusRequest { KeyId = key.Arn },
                    AwsWire.Cancel)).OnDemandRotationStartDate);
        await Assert.ThrowsAsync<ConflictException>(
            () => wire.Kms.RotateKeyOnDemandAsync(new RotateKeyOnDemandRequest { KeyId = key.Arn }, AwsWire.Cancel));
        wire.Pass(TimeSpan.FromMinutes(2));
        Assert.Null(
            (
                await wire.Kms.GetKeyRotationStatusAsync(
                    new GetKeyRotationStatusRequest { KeyId = key.Arn },
                    AwsWire.Cancel)).OnDemandRotationStartDate);
    }

    [Fact]
    public async Task DeletionIsScheduledCancelledAndDone()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.CreateAliasAsync("alias/end", key.KeyId, AwsWire.Cancel);
        EncryptRequest encrypt = new() { KeyId = key.Arn, Plaintext = new MemoryStream([1]) };
        await wire.Kms.DisableKeyAsync(key.KeyId, AwsWire.Cancel);
        Assert.Equal(
            key.Arn + " is disabled.",
            (await Assert.ThrowsAsync<DisabledException>(() => wire.Kms.EncryptAsync(encrypt, AwsWire.Cancel))).Message);
        await wire.Kms.EnableKeyAsync(key.KeyId, AwsWire.Cancel);
        await wire.Kms.EncryptAsync(encrypt, AwsWire.Cancel);

        await Assert.ThrowsAsync<AmazonKeyManagementServiceException>(
            () => wire.Kms.ScheduleKeyDeletionAsync(key.KeyId, 6, AwsWire.Cancel));
        ScheduleKeyDeletionResponse scheduled = await wire.Kms.ScheduleKeyDeletionAsync(key.KeyId, 7, AwsWire.Cancel);
        Assert.Equal((KeyState.PendingDeletion, 7), (scheduled.KeyState, scheduled.PendingWindowInDays));
        Assert.NotNull((await wire.Kms.DescribeKeyAsync(key.KeyId, AwsWire.Cancel)).KeyMetadata.DeletionDate);
        Assert.Equal(
            key.Arn + " is pending deletion.",
            (await Assert.ThrowsAsync<KMSInvalidStateException>(() => wire.Kms.EncryptAsync(encrypt, AwsWire.Cancel))).Message);
        await Assert.ThrowsAsync<KMSInvalidStateException>(() => wire.Kms.EnableKeyAsync(key.KeyId, AwsWire.Cancel));
        await wire.Kms.CancelKeyDeletionAsync(key.KeyId, AwsWire.Cancel);
        Assert.Equal(KeyState.Disabled, (await wire.Kms.DescribeKeyAsync(key.KeyId, AwsWire.Cancel)).KeyMetadata.KeyState);
        await Assert.ThrowsAsync<KMSInvalidStateException>(() => wire.Kms.CancelKeyDeletionAsync(key.KeyId, AwsWire.Cancel));

        await wire.Kms.ScheduleKeyDeletionAsync(key.KeyId, 7, AwsWire.Cancel);
        wire.Pass(TimeSpan.FromDays(8));
        await Assert.ThrowsAsync<NotFoundException>(() => wire.Kms.DescribeKeyAsync(key.KeyId, AwsWire.Cancel));
        Assert.Empty((await wire.Kms.ListAliasesAsync(new ListAliasesRequest(), AwsWire.Cancel)).Aliases);
    }

    [Fact]
    public async Task AMultiRegionKeySharesItsMaterialAndNotItsPolicy()
    {
        await using AwsWire wire = AwsWire.Start();
        using AmazonKeyManagementServiceClient west = wire.KmsAs(wire.Aws.Admin, "us-west-2");
        KeyMetadata primary = (await wire.Kms.CreateKeyAsync(new CreateKeyRequest { MultiRegion = true }, AwsWire.Cancel)).KeyMetadata;
        Assert.StartsWith("mrk-", primary.KeyId, StringComparison.Ordinal);
        ReplicateKeyRequest replicate = new() { KeyId = primary.Arn, ReplicaRegion = "us-west-2" };
        KeyMetadata replica = (await wire.Kms.ReplicateKeyAsync(replicate, AwsWire.Cancel)).ReplicaKeyMetadata;
        Assert.Equal(primary.Arn.Replace("us-east-1", "us-west-2", StringComparison.Ordinal), replica.Arn);
        MultiRegionConfiguration regions = (await west.DescribeKeyAsync(replica.Arn, AwsWire.Cancel)).KeyMetadata.MultiRegionConfiguration;
        Assert.Equal(
            (MultiRegionKeyType.REPLICA, primary.Arn, replica.Arn),
            (regions.MultiRegionKeyType, regions.PrimaryKey.Arn, regions.ReplicaKeys.Single().Arn));
        await Assert.ThrowsAsync<AlreadyExistsException>(() => wire.Kms.ReplicateKeyAsync(replicate, AwsWire.Cancel));
        await Assert.ThrowsAsync<UnsupportedOperationException>(
            () => west.EnableKeyRotationAsync(new EnableKeyRotationRequest { KeyId = replica.Arn }, AwsWire.Cancel));

        MemoryStream blob = (
            await wire.Kms.EncryptAsync(
                new EncryptRequest { KeyId = primary.Arn, Plaintext = new MemoryStream([7]) },
                AwsWire.Cancel)).CiphertextBlob;
        Assert.Equal(replica.Arn, (await west.DecryptAsync(new DecryptRequest { CiphertextBlob = blob }, AwsWire.Cancel)).KeyId);
        Assert.Equal("PendingReplicaDeletion", (await wire.Kms.ScheduleKeyDeletionAsync(primary.KeyId, 7, AwsWire.Cancel)).KeyState.Value);
        await west.ScheduleKeyDeletionAsync(replica.KeyId, 7, AwsWire.Cancel);
        wire.Pass(TimeSpan.FromDays(8));
        Assert.Equal(KeyState.PendingDeletion, (await wire.Kms.DescribeKeyAsync(primary.KeyId, AwsWire.Cancel)).KeyMetadata.KeyState);
    }

    [Fact]
    public async Task OtherKindsOfKeysExistAndDoNotEncrypt()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata rsa = (
            await wire.Kms.CreateKeyAsync(
                new CreateKeyRequest { KeySpec = KeySpec.RSA_2048, KeyUsage = KeyUsageType.ENCRYPT_DECRYPT },
                AwsWire.Cancel)).KeyMetadata;
        KeyMetadata mac = (
            await wire.Kms.CreateKeyAsync(
                new CreateKeyRequest { KeySpec = KeySpec.HMAC_256, KeyUsage = KeyUsageType.GENERATE_VERIFY_MAC },
                AwsWire.Cancel)).KeyMetadata;
        KeyMetadata imported = (
            await wire.Kms.CreateKeyAsync(new CreateKeyRequest { Origin = OriginType.EXTERNAL }, AwsWire.Cancel)).KeyMetadata;
        Assert.Equal(["HMAC_SHA_256"], mac.MacAlgorithms);
        Assert.Equal(KeyState.PendingImport, imported.KeyState);
        await Assert.ThrowsAsync<UnsupportedOperationException>(
            () => wire.Kms.EnableKeyRotationAsync(new EnableKeyRotationRequest { KeyId = rsa.Arn }, AwsWire.Cancel));
        await Assert.ThrowsAsync<InvalidKeyUsageException>(
            () => wire.Kms.EncryptAsync(new EncryptRequest { KeyId = mac.Arn, Plaintext = new MemoryStream([1]) }, AwsWire.Cancel));
        await Assert.ThrowsAsync<KMSInvalidStateException>(
            () => wire.Kms.EncryptAsync(new EncryptRequest { KeyId = imported.Arn, Plaintext = new MemoryStream([1]) }, AwsWire.Cancel));
        await Assert.ThrowsAsync<AmazonKeyManagementServiceException>(
            () => wire.Kms.CreateKeyAsync(
                new CreateKeyRequest { KeySpec = KeySpec.HMAC_256, KeyUsage = KeyUsageType.ENCRYPT_DECRYPT },
                AwsWire.Cancel));
    }

    [Fact]
    public async Task CiphertextIsBoundToItsContextAndItsKey()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata one = await wire.KeyAsync();
        KeyMetadata two = await wire.KeyAsync();
        Dictionary<string, string> context = new() { ["b"] = "2", ["a"] = "1" };
        byte[] blob = (
            await wire.Kms.EncryptAsync(
                new EncryptRequest { KeyId = one.Arn, Plaintext = new MemoryStream([5]), EncryptionContext = context },
                AwsWire.Cancel)).CiphertextBlob.ToArray();
        DecryptRequest Open(
            byte[] bytes,
            string? key = null,
            Dictionary<string, string>? with = null) => new()
            {
                CiphertextBlob = new MemoryStream(bytes),
                KeyId = key,
                EncryptionContext = with,
            };
        Assert.Equal(
            [5],
            (await wire.Kms.DecryptAsync(Open(blob, one.Arn, new() { ["a"] = "1", ["b"] = "2" }), AwsWire.Cancel)).Plaintext.ToArray());
        await Assert.ThrowsAsync<InvalidCiphertextException>(() => wire.Kms.DecryptAsync(Open(blob), AwsWire.Cancel));
        await Assert.ThrowsAsync<IncorrectKeyException>(() => wire.Kms.DecryptAsync(Open(blob, two.Arn, context), AwsWire.Cancel));
        await Assert.ThrowsAsync<InvalidCiphertextException>(
            () => wire.Kms.DecryptAsync(Open([.. blob[..^1], (byte)(blob[^1] ^ 1)], null, context), AwsWire.Cancel));
        await Assert.ThrowsAsync<InvalidCiphertextException>(() => wire.Kms.DecryptAsync(Open([1, 2, 3]), AwsWire.Cancel));

        ReEncryptResponse moved = await wire.Kms.ReEncryptAsync(
            new ReEncryptRequest { CiphertextBlob = new MemoryStream(blob), SourceEncryptionContext = context, DestinationKeyId = two.Arn },
            AwsWire.Cancel);
        Assert.Equal((one.Arn, two.Arn), (moved.SourceKeyId, moved.KeyId));
        Assert.Equal([5], (await wire.Kms.DecryptAsync(Open(moved.CiphertextBlob.ToArray()), AwsWire.Cancel)).Plaintext.ToArray());
        GenerateDataKeyResponse data = await wire.Kms.GenerateDataKeyAsync(
            new GenerateDataKeyRequest { KeyId = one.Arn, KeySpec = DataKeySpec.AES_256 },
            AwsWire.Cancel);
        Assert.Equal(
            data.Plaintext.ToArray(),
            (await wire.Kms.DecryptAsync(Open(data.CiphertextBlob.ToArray()), AwsWire.Cancel)).Plaintext.ToArray());
        Assert.Equal(32, data.Plaintext.Length);
    }
}
