using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>What opens a key beside its policy: grants and copies, as the engine reads them and as the sandbox lets them work.</summary>
public sealed class AwsOtherAccessTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryPageOfGrantsIsReadAndAGrantIsRevokedOnce()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        KeyMetadata key = await wire.KeyAsync();
        string role = await wire.RoleAsync("reader");
        for (int i = 0; i < 51; i++)
        {
            await GrantAsync(wire, key, role, i % 2 == 0 ? "Encrypt" : "Decrypt");
        }

        OtherAccess other = await aws.ReadOtherAccessAsync(key.Arn, kit.Run(new TestOperationHost()));
        Assert.Equal(51, other.Grants.Count);
        Assert.Equal(25, other.Grants.Count(g => g.Opens && g.Grantee == role && g.KeyUri == key.Arn));
        Assert.Empty(other.Unread);
        Assert.Empty(other.Replicas);
        Assert.Equal(CmekKeyState.Enabled, other.State);
        TestOperationHost host = new();
        await aws.RevokeGrantAsync(other.Grants[1], kit.Run(host));
        await aws.RevokeGrantAsync(other.Grants[1], kit.Run(host));
        Assert.Equal(50, (await aws.ReadOtherAccessAsync(key.Arn, kit.Run(host))).Grants.Count);
    }

    [Fact]
    public async Task ACopyHasGrantsOfItsOwnAndIsNamedByBoth()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        KeyMetadata primary = (await wire.Kms.CreateKeyAsync(new CreateKeyRequest { MultiRegion = true }, Cancel)).KeyMetadata;
        string copy = (
            await wire.Kms.ReplicateKeyAsync(new ReplicateKeyRequest { KeyId = primary.KeyId, ReplicaRegion = "eu-west-1" }, Cancel))
            .ReplicaKeyMetadata.Arn;
        string role = await wire.RoleAsync("reader");
        await wire.KmsAs(wire.Aws.Admin, "eu-west-1").CreateGrantAsync(
            new CreateGrantRequest { KeyId = copy, GranteePrincipal = role, Operations = ["Decrypt"] },
            Cancel);
        foreach (string uri in (string[])[primary.Arn, copy])
        {
            OtherAccess other = await aws.ReadOtherAccessAsync(uri, kit.Run(new TestOperationHost()));
            Assert.Equal([new KeyReplica(primary.Arn, true), new KeyReplica(copy, false)], other.Replicas);
            Assert.Equal(uri == copy ? 1 : 0, other.Grants.Count);
        }

        KeyIdentity one = await aws.IdentifyAsync(primary.Arn, kit.Run(new TestOperationHost()));
        KeyIdentity two = await aws.IdentifyAsync(copy, kit.Run(new TestOperationHost()));
        Assert.Equal(one.Material, two.Material);
        Assert.NotEqual(one.Uri, two.Uri);
    }

    [Fact]
    public async Task WhatMayNotBeReadIsNamedAndAMissingKeyProvesNothing()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest
            {
                KeyId = key.Arn,
                Policy = AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Deny", "*", "kms:ListGrants kms:DescribeKey")),
            },
            Cancel);
        OtherAccess hidden = await aws.ReadOtherAccessAsync(key.Arn, kit.Run(new TestOperationHost()));
        Assert.Equal(2, hidden.Unread.Count);
        Assert.Equal(CmekKeyState.Unknown, hidden.State);
        OtherAccess missing = await aws.ReadOtherAccessAsync(
            "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
            kit.Run(new TestOperationHost()));
        Assert.Equal(2, missing.Unread.Count);
    }

    [Fact]
    public async Task TheSandboxLetsAGranteeInShortOfADenyAndOnlyOnceItHasSpread()
    {
        await using AwsWire wire = AwsWire.Start(new() { IamLag = TimeSpan.FromMinutes(1) });
        string role = await wire.RoleAsync("reader");
        wire.Pass(TimeSpan.FromMinutes(2));
        KeyMetadata key = await wire.KeyAsync();
        AmazonKeyManagementServiceClient session = wire.KmsAs(await wire.AssumeAsync(role));
        CreateGrantResponse grant = await GrantAsync(wire, key, role, "Encrypt");
        EncryptRequest request = new() { KeyId = key.Arn, Plaintext = new MemoryStream([1]) };
        await Assert.ThrowsAnyAsync<AmazonKeyManagementServiceException>(() => session.EncryptAsync(request, Cancel));
        await session.EncryptAsync(
            new EncryptRequest { KeyId = key.Arn, Plaintext = new MemoryStream([1]), GrantTokens = [grant.GrantToken] },
            Cancel);
        wire.Pass(TimeSpan.FromMinutes(2));
        await session.EncryptAsync(request, Cancel);
        await wire.Kms.RevokeGrantAsync(new RevokeGrantRequest { KeyId = key.Arn, GrantId = grant.GrantId }, Cancel);
        await session.EncryptAsync(request, Cancel);
        wire.Pass(TimeSpan.FromMinutes(2));
        await Assert.ThrowsAnyAsync<AmazonKeyManagementServiceException>(() => session.EncryptAsync(request, Cancel));

        await GrantAsync(wire, key, role, "Encrypt");
        await wire.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest
            {
                KeyId = key.Arn,
                Policy = AwsWire.Policy(
                    AwsWire.RootStatement(),
                    AwsWire.Statement("Deny", "*", "kms:*", AwsWire.When("ArnEquals", "aws:PrincipalArn", role))),
            },
            Cancel);
        wire.Pass(TimeSpan.FromMinutes(2));
        await Assert.ThrowsAnyAsync<AmazonKeyManagementServiceException>(() => session.EncryptAsync(request, Cancel));
    }

    private static Task<CreateGrantResponse> GrantAsync(AwsWire wire, KeyMetadata key, string grantee, params List<string> operations) =>
        wire.Kms.CreateGrantAsync(new CreateGrantRequest { KeyId = key.Arn, GranteePrincipal = grantee, Operations = operations }, Cancel);
}
