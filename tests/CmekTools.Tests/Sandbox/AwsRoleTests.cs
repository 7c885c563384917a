using System.Xml.Linq;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>Roles, their sessions, and what a cluster does with them.</summary>
public sealed class AwsRoleTests
{
    private static readonly ClusterIdentity Cluster = new(
        "c0ffee00-1111-2222-3333-444455556666",
        AwsWire.OtherAccount,
        AwsWire.OrganizationId);

    [Fact]
    public async Task ARoleHasALife()
    {
        await using AwsWire wire = AwsWire.Start();
        string trust = AwsWire.Trust(AwsWire.OtherAccount, "org");
        XElement made = await wire.IamAsync(
            "CreateRole",
            ("RoleName", "store"),
            ("Path", "/cmek/"),
            ("AssumeRolePolicyDocument", trust),
            ("Description", "d"),
            ("Tags.member.1.Key", "cluster"),
            ("Tags.member.1.Value", "shop & co"));
        Assert.Equal($"arn:aws:iam::{AwsWire.Account}:role/cmek/store", made.Descendants("Arn").Single().Value);
        XElement role = await wire.IamAsync("GetRole", ("RoleName", "STORE"));
        Assert.StartsWith("AROA", role.Descendants("RoleId").Single().Value, StringComparison.Ordinal);
        Assert.Equal("shop & co", role.Descendants("Value").Single().Value);
        Assert.Contains(
            $"arn:aws:iam::{AwsWire.OtherAccount}:root",
            Uri.UnescapeDataString(role.Descendants("AssumeRolePolicyDocument").Single().Value),
            StringComparison.Ordinal);
        Assert.Equal(
            (409, "EntityAlreadyExists", "Role with name store already exists."),
            await wire.IamFailsAsync("CreateRole", ("RoleName", "store"), ("AssumeRolePolicyDocument", trust)));

        await wire.IamAsync("TagRole", ("RoleName", "store"), ("Tags.member.1.Key", "b"), ("Tags.member.1.Value", "2"));
        await wire.IamAsync("UntagRole", ("RoleName", "store"), ("TagKeys.member.1", "cluster"));
        Assert.Equal("b", (await wire.IamAsync("ListRoleTags", ("RoleName", "store"))).Descendants("Key").Single().Value);
        await wire.IamAsync(
            "PutRolePolicy",
            ("RoleName", "store"),
            ("PolicyName", "p"),
            ("PolicyDocument", AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:*"))));
        await wire.IamAsync("AttachRolePolicy", ("RoleName", "store"), ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"));
        Assert.Equal("p", (await wire.IamAsync("ListRolePolicies", ("RoleName", "store"))).Descendants("member").Single().Value);
        Assert.Equal(
            "ReadOnlyAccess",
            (await wire.IamAsync("ListAttachedRolePolicies", ("RoleName", "store"))).Descendants("PolicyName").Single().Value);
        Assert.Equal((409, "DeleteConflict"), First(await wire.IamFailsAsync("DeleteRole", ("RoleName", "store"))));
        await wire.IamAsync("DeleteRolePolicy", ("RoleName", "store"), ("PolicyName", "p"));
        await wire.IamAsync("DetachRolePolicy", ("RoleName", "store"), ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"));
        Assert.Equal((404, "NoSuchEntity"), First(await wire.IamFailsAsync("GetRolePolicy", ("RoleName", "store"), ("PolicyName", "p"))));
        Assert.Equal("store", (await wire.IamAsync("ListRoles")).Descendants("RoleName").Single().Value);
        await wire.IamAsync("DeleteRole", ("RoleName", "store"));
        Assert.Equal(
            (404, "NoSuchEntity", "The role with name store cannot be found."),
            await wire.IamFailsAsync("GetRole", ("RoleName", "store")));
    }

    [Fact]
    public async Task WhatIsNoTrustIsRefused()
    {
        await using AwsWire wire = AwsWire.Start();
        Task<(int, string, string)> Create(string trust) => wire.IamFailsAsync(
            "CreateRole",
            ("RoleName", "store"),
            ("AssumeRolePolicyDocument", trust));
        string nobody = $"arn:aws:iam::{AwsWire.Account}:role/nobody";
        Assert.Equal(
            (400, "MalformedPolicyDocument", $"Invalid principal in policy: \"AWS\":\"{nobody}\""),
            await Create(AwsWire.Trust(nobody)));
        Assert.Equal("MalformedPolicyDocument", (await Create("{")).Item2);
        Assert.Equal(
            (400, "MalformedPolicyDocument", "Has prohibited field Resource"),
            await Create(AwsWire.Policy(AwsWire.Statement("Allow", "*", "sts:AssumeRole"))));
        Assert.Equal(
            (400, "MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions."),
            await Create(AwsWire.Trust("*").Replace("sts:AssumeRole", "kms:Encrypt", StringComparison.Ordinal)));
        AwsKeyPair reader = wire.Aws.AddCredentials(
            AwsWire.Account,
            $"arn:aws:iam::{AwsWire.Account}:user/reader",
            AwsWire.Policy(AwsWire.Statement("Allow", null, "iam:Get*")));
        (int status, XElement denied) = await wire.IamAsAsync(
            reader,
            "CreateRole",
            ("RoleName", "store"),
            ("AssumeRolePolicyDocument", AwsWire.Trust("*")));
        Assert.Equal((403, "AccessDenied"), (status, denied.Descendants("Code").Single().Value));
    }

    [Fact]
    public async Task ASessionNeedsTheTrustAndTheExternalId()
    {
        await using AwsWire wire = AwsWire.Start();
        AwsKeyPair vendor = wire.Aws.AddCredentials(AwsWire.OtherAccount, $"arn:aws:iam::{AwsWire.OtherAccount}:user/vendor");
        AwsKeyPair stranger = wire.Aws.AddCredentials("777788889999", "arn:aws:iam::777788889999:user/stranger");
        string role = await wire.RoleAsync("store", AwsWire.Trust($"arn:aws:iam::{AwsWire.OtherAccount}:root", "org"));
        string words = $"User: {vendor.Arn} is not authorized to perform: sts:AssumeRole on resource: {role}";
        foreach (string? external in (string?[])[null, "another"])
        {
            AmazonServiceException e = await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.AssumeAsync(role, vendor, external));
            Assert.Equal(("AccessDenied", words), (e.ErrorCode, e.Message));
        }

        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.AssumeAsync(role, stranger, "org"));
        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.AssumeAsync(role, wire.Aws.Admin, "org"));
        SessionAWSCredentials session = await wire.AssumeAsync(role, vendor, "org");
        Assert.Equal(
            $"arn:aws:sts::{AwsWire.Account}:assumed-role/store/test",
            (await wire.StsAs(session).GetCallerIdentityAsync(new(), AwsWire.Cancel)).Arn);

        wire.Pass(TimeSpan.FromHours(2));
        AmazonServiceException late = await Assert.ThrowsAnyAsync<AmazonServiceException>(
            () => wire.StsAs(session).GetCallerIdentityAsync(new(), AwsWire.Cancel));
        Assert.StartsWith("ExpiredToken", late.ErrorCode, StringComparison.Ordinal);
        SessionAWSCredentials another = await wire.AssumeAsync(role, vendor, "org");
        await wire.IamAsync("DeleteRole", ("RoleName", "store"));
        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.StsAs(another).GetCallerIdentityAsync(new(), AwsWire.Cancel));
    }

    [Fact]
    public async Task ACutTrustDoesNotEndASession()
    {
        await using AwsWire wire = AwsWire.Start();
        string role = await wire.RoleAsync("store");
        KeyMetadata key = await wire.KeyAsync(AwsWire.Policy(AwsWire.RootStatement(), AwsWire.Statement("Allow", role, "kms:DescribeKey")));
        SessionAWSCredentials session = await wire.AssumeAsync(role);
        await wire.IamAsync("UpdateAssumeRolePolicy", ("RoleName", "store"), ("PolicyDocument", AwsWire.Trust("777788889999")));
        await Assert.ThrowsAnyAsync<AmazonServiceException>(() => wire.AssumeAsync(role));
        await wire.KmsAs(session).DescribeKeyAsync(key.Arn, AwsWire.Cancel);
    }

    [Fact]
    public async Task AClusterUsesAKeyOnlyWhereEverythingAllowsIt()
    {
        await using AwsWire wire = AwsWire.Start();
        const string use = "kms:Encrypt kms:Decrypt kms:GenerateDataKey* kms:DescribeKey kms:ReEncrypt*";
        string role = await wire.RoleAsync("store", AwsWire.Trust($"arn:aws:iam::{AwsWire.OtherAccount}:root", AwsWire.OrganizationId));
        KeyMetadata key = await wire.KeyAsync();
        await wire.Kms.CreateAliasAsync("alias/shop", key.KeyId, AwsWire.Cancel);
        string? Try(
            string? uri = null,
            string? principal = null,
            ClusterIdentity? cluster = null) => wire.Aws.TryUse(cluster ?? Cluster, uri ?? key.Arn, principal ?? role);

        Assert.StartsWith("AccessDeniedException: User: ", Try(), StringComparison.Ordinal);
        foreach (string missing in use.Split(' '))
        {
            await PutAsync(wire, key, AwsWire.Statement("Allow", role, use.Replace(missing, "kms:ListGrants", StringComparison.Ordinal)));
            Assert.Contains(missing.TrimEnd('*'), Try(), StringComparison.Ordinal);
        }

        await PutAsync(wire, key, AwsWire.Statement("Allow", role, use));
        Assert.Null(Try());
        Assert.StartsWith("InvalidArnException", Try($"arn:aws:kms:us-east-1:{AwsWire.Account}:alias/shop"), StringComparison.Ordinal);
        Assert.StartsWith(
            "NotFoundException",
            Try(key.Arn.Replace("us-east-1", "us-west-2", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.Matches("^AccessDenied: User: .* is not authorized to perform: sts:AssumeRole on resource: ", Try(principal: role + "x")!);
        Assert.StartsWith("ValidationError: ", Try(principal: "store"), StringComparison.Ordinal);
        Assert.StartsWith("AccessDenied: ", Try(cluster: Cluster with { OrganizationId = "another" }), StringComparison.Ordinal);
        Assert.StartsWith("AccessDenied: ", Try(cluster: Cluster with { AccountId = "777788889999" }), StringComparison.Ordinal);
        await wire.Kms.DisableKeyAsync(key.Arn, AwsWire.Cancel);
        Assert.Equal($"DisabledException: {key.Arn} is disabled.", Try());
        await wire.Kms.ScheduleKeyDeletionAsync(key.Arn, 7, AwsWire.Cancel);
        Assert.Equal($"KMSInvalidStateException: {key.Arn} is pending deletion.", Try());
    }

    private static Task<PutKeyPolicyResponse> PutAsync(AwsWire wire, KeyMetadata key, System.Text.Json.Nodes.JsonObject statement) =>
        wire.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = key.Arn, PolicyName = "default", Policy = AwsWire.Policy(
                AwsWire.RootStatement(),
                statement) },
            AwsWire.Cancel);

    private static (int, string) First((int Status, string Code, string) answer) => (answer.Status, answer.Code);
}
