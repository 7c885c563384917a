using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using CmekTools.Sandbox.Aws;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Who can do what with a key, as AWS decides it.</summary>
public sealed class AwsKeyPolicyTests
{
    private const string Use = "kms:Encrypt kms:Decrypt kms:GenerateDataKey* kms:DescribeKey kms:ReEncrypt*";

    [Fact]
    public async Task WhatIsNoPolicyIsRefused()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        foreach (string policy in (string[])
        [
            "no json",
            """{"Version":"2012-10-17","Version":"2012-10-17","Statement":[]}""",
            """{"Version":"2012-10-17","Statement":[]}""",
            AwsWire.Policy(AwsWire.Statement("Permit", "*", "kms:*")),
            AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:*")),
            AwsWire.Policy(
                AwsWire.RootStatement(),
                AwsWire.Statement("Allow", "*", "kms:*", AwsWire.When("StringSame", "aws:PrincipalArn", "x"))),
        ])
        {
            await Assert.ThrowsAsync<MalformedPolicyDocumentException>(() => PutAsync(wire, key, policy));
        }

        await Assert.ThrowsAsync<LimitExceededException>(
            () => PutAsync(wire, key, AwsWire.Policy(AwsWire.RootStatement()) + new string(' ', 32 * 1024)));
        MalformedPolicyDocumentException lockout = await Assert.ThrowsAsync<MalformedPolicyDocumentException>(
            () => PutAsync(wire, key, AwsWire.Policy(AwsWire.Statement("Allow", "*", "kms:Encrypt"))));
        Assert.Equal("The new key policy will not allow you to update the key policy in the future.", lockout.Message);
        Assert.Contains("Enable IAM User Permissions", await PolicyAsync(wire, key), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AKeyThatLostItsAccountIsOutOfReach()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = key.Arn, Policy = AwsWire.Policy(
                AwsWire.Statement("Allow", "*", "kms:Encrypt")), BypassPolicyLockoutSafetyCheck = true },
            AwsWire.Cancel);
        AmazonServiceException e = await Assert.ThrowsAnyAsync<AmazonKeyManagementServiceException>(
            () => wire.Kms.DescribeKeyAsync(key.Arn, AwsWire.Cancel));
        Assert.Equal("AccessDeniedException", e.ErrorCode);
        Assert.Equal(
            $"User: {wire.Aws.Admin.Arn} is not authorized to perform: kms:DescribeKey on resource: {key.Arn} because no resource-based "
                + "policy allows the kms:DescribeKey action",
            e.Message);
    }

    [Fact]
    public async Task ARoleIsKeptByItsIdAndADeadOneCannotBeWrittenBack()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        MalformedPolicyDocumentException e = await Assert.ThrowsAsync<MalformedPolicyDocumentException>(
            () => PutAsync(
                wire,
                key,
                AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", $"arn:aws:iam::{AwsWire.Account}:role/nobody", Use))));
        Assert.Equal("Policy contains a statement with one or more invalid principals.", e.Message);

        string role = await wire.RoleAsync("store");
        await PutAsync(wire, key, AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, Use)));
        Assert.Contains($"\"{role}\"", await PolicyAsync(wire, key), StringComparison.Ordinal);
        await EncryptAsync(wire.KmsAs(await wire.AssumeAsync(role)), key);

        await wire.IamAsync("DeleteRole", ("RoleName", "store"));
        string dead = await PolicyAsync(wire, key);
        Assert.DoesNotContain(role, dead, StringComparison.Ordinal);
        Assert.Contains("\"AROA", dead, StringComparison.Ordinal);
        await Assert.ThrowsAsync<MalformedPolicyDocumentException>(() => PutAsync(wire, key, dead));

        await wire.RoleAsync("store");
        Assert.Equal(dead, await PolicyAsync(wire, key));
        Assert.Contains("because no", await DeniedAsync(wire.KmsAs(await wire.AssumeAsync(role)), key), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ADenyWinsOverEverythingAndHoldsForARoleMadeAgain()
    {
        await using AwsWire wire = AwsWire.Start();
        string role = await wire.RoleAsync("store", allows: "kms:*");
        KeyMetadata key = await wire.KeyAsync(AwsWire.Policy(
            AwsWire.RootStatement(),
            AwsWire.Statement("Allow", role, Use),
            AwsWire.Statement("Deny", "*", Use, AwsWire.When("ArnEquals", "aws:PrincipalArn", role))));
        string denied = await DeniedAsync(wire.KmsAs(await wire.AssumeAsync(role)), key);
        Assert.Equal(
            $"User: arn:aws:sts::{AwsWire.Account}:assumed-role/store/test is not authorized to perform: kms:Encrypt on resource: "
                + $"{key.Arn} with an explicit deny in a resource-based policy",
            denied);
        await wire.IamAsync("DeleteRolePolicy", ("RoleName", "store"), ("PolicyName", "own"));
        await wire.IamAsync("DeleteRole", ("RoleName", "store"));
        await wire.RoleAsync("store", allows: "kms:*");
        Assert.EndsWith(
            "explicit deny in a resource-based policy",
            await DeniedAsync(wire.KmsAs(await wire.AssumeAsync(role)), key),
            StringComparison.Ordinal);
        await EncryptAsync(wire.Kms, key);
    }

    [Fact]
    public async Task TheAccountDelegatesToItsOwnPolicies()
    {
        await using AwsWire wire = AwsWire.Start();
        KeyMetadata key = await wire.KeyAsync();
        string bare = await wire.RoleAsync("bare");
        string able = await wire.RoleAsync("able", allows: "kms:Encrypt");
        Assert.EndsWith(
            "because no identity-based policy allows the kms:Encrypt action",
            await DeniedAsync(wire.KmsAs(await wire.AssumeAsync(bare)), key),
            StringComparison.Ordinal);
        await EncryptAsync(wire.KmsAs(await wire.AssumeAsync(able)), key);
        AwsKeyPair reader = wire.Aws.AddCredentials(
            AwsWire.Account,
            $"arn:aws:iam::{AwsWire.Account}:user/reader",
            AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:Describe* kms:Get* kms:List*")));
        await wire.KmsAs(reader).GetKeyPolicyAsync(key.Arn, "default", AwsWire.Cancel);
        await DeniedAsync(wire.KmsAs(reader), key);
        AmazonServiceException create = await Assert.ThrowsAnyAsync<AmazonServiceException>(
            () => wire.KmsAs(reader).CreateKeyAsync(new CreateKeyRequest(), AwsWire.Cancel));
        Assert.Equal(
            $"User: {reader.Arn} is not authorized to perform: kms:CreateKey because no identity-based policy allows "
                + "the kms:CreateKey action",
            create.Message);
    }

    [Fact]
    public async Task AnotherAccountNeedsBothSides()
    {
        await using AwsWire wire = AwsWire.Start();
        AwsKeyPair able = wire.Aws.AddCredentials(AwsWire.OtherAccount, $"arn:aws:iam::{AwsWire.OtherAccount}:user/able");
        AwsKeyPair bare = wire.Aws.AddCredentials(
            AwsWire.OtherAccount,
            $"arn:aws:iam::{AwsWire.OtherAccount}:user/bare",
            AwsWire.Policy(AwsWire.Statement("Allow", null, "s3:*")));
        KeyMetadata key = await wire.KeyAsync();
        Assert.Contains("no resource-based policy", await DeniedAsync(wire.KmsAs(able), key), StringComparison.Ordinal);
        await PutAsync(wire, key, AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", AwsWire.OtherAccount, "kms:*")));
        Assert.Contains($"\"arn:aws:iam::{AwsWire.OtherAccount}:root\"", await PolicyAsync(wire, key), StringComparison.Ordinal);
        await EncryptAsync(wire.KmsAs(able), key);
        Assert.Contains("no identity-based policy", await DeniedAsync(wire.KmsAs(bare), key), StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.KmsAs(able).DisableKeyAsync(key.Arn, AwsWire.Cancel));
        AmazonServiceException hidden = await Assert.ThrowsAnyAsync<AmazonServiceException>(
            () => wire.KmsAs(able).DescribeKeyAsync(
                $"arn:aws:kms:us-east-1:{AwsWire.Account}:key/8d1a2f3e-0000-4000-8000-000000000000",
                AwsWire.Cancel));
        Assert.Contains("the resource does not exist in this Region", hidden.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ABoundaryLimitsWhatAPolicyGivesToTheRoleAndNotToTheSession()
    {
        await using AwsWire wire = AwsWire.Start();
        string boundary = $"arn:aws:iam::{AwsWire.Account}:policy/limit";
        wire.Aws.AddManagedPolicy(boundary, AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:DescribeKey")));
        string role = await wire.RoleAsync("store");
        KeyMetadata key = await wire.KeyAsync(AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, Use)));
        await wire.IamAsync("PutRolePermissionsBoundary", ("RoleName", "store"), ("PermissionsBoundary", boundary));
        AmazonKeyManagementServiceClient session = wire.KmsAs(await wire.AssumeAsync(role));
        Assert.EndsWith(
            "because no permissions boundary allows the kms:Encrypt action",
            await DeniedAsync(session, key),
            StringComparison.Ordinal);
        await session.DescribeKeyAsync(key.Arn, AwsWire.Cancel);
        await PutAsync(
            wire,
            key,
            AwsWire.Policy(
                AwsWire.RootStatement(),
                AwsWire.Statement("Allow", $"arn:aws:sts::{AwsWire.Account}:assumed-role/store/test", Use)));
        await EncryptAsync(session, key);
        await PutAsync(wire, key, AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, Use)));
        await wire.IamAsync("DeleteRolePermissionsBoundary", ("RoleName", "store"));
        await EncryptAsync(session, key);
        string narrow = AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:DescribeKey"));
        Assert.EndsWith(
            "because no session policy allows the kms:Encrypt action",
            await DeniedAsync(wire.KmsAs(await wire.AssumeAsync(role, policy: narrow)), key),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConditionsSeeTheEncryptionContext()
    {
        await using AwsWire wire = AwsWire.Start();
        string role = await wire.RoleAsync("store");
        KeyMetadata key = await wire.KeyAsync(AwsWire.Policy(
            AwsWire.RootStatement(),
            AwsWire.Statement("Allow", role, "kms:Encrypt", AwsWire.When("StringEquals", "kms:EncryptionContext:cluster", "shop"))));
        AmazonKeyManagementServiceClient session = wire.KmsAs(await wire.AssumeAsync(role));
        await DeniedAsync(session, key);
        await session.EncryptAsync(
            new EncryptRequest { KeyId = key.Arn, Plaintext = new MemoryStream([1]), EncryptionContext = new() { ["cluster"] = "shop" } },
            AwsWire.Cancel);
    }

    [Fact]
    public async Task ANewRoleAndAChangedPolicyTakeTheirTime()
    {
        await using AwsWire wire = AwsWire.Start(new() { IamLag = TimeSpan.FromMinutes(1) });
        KeyMetadata key = await wire.KeyAsync();
        string role = await wire.RoleAsync("store");
        string grants = AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, Use));
        await Assert.ThrowsAsync<MalformedPolicyDocumentException>(() => PutAsync(wire, key, grants));
        AmazonServiceException early = await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.AssumeAsync(role));
        Assert.Equal("AccessDenied", early.ErrorCode);

        wire.Pass(TimeSpan.FromMinutes(1));
        AmazonKeyManagementServiceClient session = wire.KmsAs(await wire.AssumeAsync(role));
        await PutAsync(wire, key, grants);
        Assert.Contains(role, await PolicyAsync(wire, key), StringComparison.Ordinal);
        await DeniedAsync(session, key);
        wire.Pass(TimeSpan.FromMinutes(1));
        await EncryptAsync(session, key);
        await PutAsync(wire, key, AwsWire.Policy(AwsWire.RootStatement()));
        await EncryptAsync(session, key);
        wire.Pass(TimeSpan.FromMinutes(1));
        await DeniedAsync(session, key);
    }

    private static Task<PutKeyPolicyResponse> PutAsync(AwsWire wire, KeyMetadata key, string policy) =>
        wire.Kms.PutKeyPolicyAsync(new PutKeyPolicyRequest { KeyId = key.Arn, Policy = policy }, AwsWire.Cancel);

    private static async Task<string> PolicyAsync(AwsWire wire, KeyMetadata key) =>
        (await wire.Kms.GetKeyPolicyAsync(key.Arn, "default", AwsWire.Cancel)).Policy;

    private static Task<EncryptResponse> EncryptAsync(AmazonKeyManagementServiceClient kms, KeyMetadata key) =>
        kms.EncryptAsync(new EncryptRequest { KeyId = key.Arn, Plaintext = new MemoryStream([1]) }, AwsWire.Cancel);

    private static async Task<string> DeniedAsync(AmazonKeyManagementServiceClient kms, KeyMetadata key)
    {
        AmazonServiceException e = await Assert.ThrowsAnyAsync<AmazonServiceException>(() => EncryptAsync(kms, key));
        Assert.Equal("AccessDeniedException", e.ErrorCode);
        return e.Message;
    }
}
