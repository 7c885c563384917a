using CmekTools.Engine.Aws.Policies;
using System.Text.Json.Nodes;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Access;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

public sealed class MotoTests
{
    [Fact]
    public async Task AKeyIsMadeAndGrantedAndASecondRunChangesNothing()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        using EngineKit kit = EngineKit.Create(moto.Options);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        KeyOptions options = new()
        {
            EnableRotation = true,
            RotationPeriodDays = 180,
            Tags = new Dictionary<string, string> { ["team"] = "sre" },
        };
        TestOperationHost host = new();
        CmekKey key = await aws.EnsureKeyAsync(TestClusters.Shop, "us-east-1", options, kit.Run(host));
        CmekAccess access = await aws.GrantAsync(TestClusters.Shop, key, "us-east-1", new PrincipalOptions(), kit.Run(host));
        Assert.Empty(host.Warnings);
        Assert.Equal(3, key.Changes.Count);
        Assert.Equal("sre", key.Tags["team"]);
        Assert.Equal("alias/cmektools-shop-3f1c2b7a-us-east-1", key.Alias);
        Assert.True(key.RotationEnabled);
        Assert.Equal(("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), (key.KeySpec, key.KeyUsage));
        Assert.Equal(2, access.Changes.Count);
        Assert.EndsWith(":role/cmektools-shop-3f1c2b7a", access.AuthPrincipal, StringComparison.Ordinal);

        string policy = await moto.AwsAsync(
            "kms",
            "get-key-policy",
            "--key-id",
            key.KeyUri!,
            "--policy-name",
            "default",
            "--query",
            "Policy",
            "--output",
            "text");
        JsonArray statements = JsonNode.Parse(policy)!["Statement"]!.AsArray();
        Assert.Equal(2, statements.Count);
        Assert.EndsWith(":root", statements[0]!["Principal"]!["AWS"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal("CmekToolsUse3f1c2b7a", statements[1]!["Sid"]!.GetValue<string>());
        Assert.Equal(access.AuthPrincipal, statements[1]!["Principal"]!["AWS"]!.GetValue<string>());
        Assert.Equal(OurStatements.Actions, statements[1]!["Action"]!.AsArray().Select(a => a!.GetValue<string>()));

        JsonNode role = JsonNode.Parse(
            await moto.AwsAsync("iam", "get-role", "--role-name", "cmektools-shop-3f1c2b7a", "--output", "json"))!["Role"]!;
        JsonNode trust = role["AssumeRolePolicyDocument"]!["Statement"]![0]!;
        Assert.Equal(EngineKit.OrganizationId, trust["Condition"]!["StringEquals"]!["sts:ExternalId"]!.GetValue<string>());
        Assert.Equal("arn:aws:iam::999988887777:root", trust["Principal"]!["AWS"]!.GetValue<string>());

        TestOperationHost second = new();
        CmekKey again = await aws.EnsureKeyAsync(TestClusters.Shop, "us-east-1", options, kit.Run(second));
        CmekAccess grantedAgain = await aws.GrantAsync(TestClusters.Shop, again, "us-east-1", new PrincipalOptions(), kit.Run(second));
        Assert.Equal(key.KeyUri, again.KeyUri);
        Assert.False(again.Changed);
        Assert.False(grantedAgain.Changed);
        Assert.Empty(second.Questions);
        AccessDecision verdict = await aws.EvaluateAsync(Target(access), kit.Run(second));
        Assert.True(verdict.Use == Decision.Allowed, string.Join("; ", verdict.Reasons));
    }

    [Fact]
    public async Task WhatIfAsksForEveryChangeAndMakesNone()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        using EngineKit kit = EngineKit.Create(moto.Options);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        TestOperationHost host = new() { WhatIf = true };
        CmekKey key = await aws.EnsureKeyAsync(TestClusters.Shop, "us-west-2", new KeyOptions { MultiRegion = true }, kit.Run(host));
        CmekAccess access = await aws.GrantAsync(TestClusters.Shop, key, "us-west-2", new PrincipalOptions(), kit.Run(host));
        Assert.Equal(CmekKeyState.Planned, key.State);
        Assert.Null(key.KeyUri);
        Assert.True(access.Planned);
        Assert.Equal(6, host.Questions.Count);
        Assert.Equal(2, host.Questions.Count(q => q.Action.StartsWith("name the key alias/", StringComparison.Ordinal)));
        Assert.Contains("CmekToolsUse3f1c2b7a", host.Questions.Last().Action, StringComparison.Ordinal);
        Assert.Contains("\"Keys\": []", await moto.AwsAsync("kms", "list-keys", "--output", "json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMultiRegionKeyHasItsReplicaWithTagsAndAlias()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        using EngineKit kit = EngineKit.Create(moto.Options);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        TestOperationHost host = new();
        CmekKey replica = await aws.EnsureKeyAsync(TestClusters.Shop, "us-west-2", new KeyOptions { MultiRegion = true }, kit.Run(host));
        CmekKey primary = await aws.EnsureKeyAsync(TestClusters.Shop, "us-east-1", new KeyOptions { MultiRegion = true }, kit.Run(host));
        Assert.False(primary.Changed);
        Assert.Equal(primary.KeyUri!.Split('/')[1], replica.KeyUri!.Split('/')[1]);
        Assert.Equal(("us-east-1", "us-west-2"), (primary.Location, replica.Location));
    }

    [Fact]
    public async Task AKeyThatAnInterruptedRunLeftIsTakenAndNamed()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        string tags = $"TagKey={AwsNames.ClusterIdTag},TagValue={TestClusters.Shop.Id}";
        string arn = (
            await moto.AwsAsync(
                "kms",
                "create-key",
                "--tags",
                tags,
                $"TagKey={AwsNames.RegionTag},TagValue=us-east-1",
                "--query",
                "KeyMetadata.Arn",
                "--output",
                "text")).Trim();
        using EngineKit kit = EngineKit.Create(moto.Options);
        CmekKey key = await kit.Session.GetProvider(CmekProvider.AWS).EnsureKeyAsync(
            TestClusters.Shop,
            "us-east-1",
            new KeyOptions(),
            kit.Run(new TestOperationHost()));
        Assert.Equal(arn, key.KeyUri);
        Assert.Equal(2, key.Changes.Count);
    }

    [Fact]
    public async Task AnAliasOfSomebodyElseIsLeftAlone()
    {
        await using MotoServer moto = await MotoServer.StartAsync();
        string id = (await moto.AwsAsync("kms", "create-key", "--query", "KeyMetadata.KeyId", "--output", "text")).Trim();
        await moto.AwsAsync("kms", "create-alias", "--alias-name", "alias/cmektools-shop-3f1c2b7a-us-east-1", "--target-key-id", id);
        using EngineKit kit = EngineKit.Create(moto.Options);
        CmekException e = await Assert.ThrowsAsync<CmekException>(
            () => kit.Session.GetProvider(CmekProvider.AWS).EnsureKeyAsync(
                TestClusters.Shop,
                "us-east-1",
                new KeyOptions(),
                kit.Run(new TestOperationHost())));
        Assert.Equal(("AliasTaken", CmekErrorKind.ResourceExists), (e.ErrorId, e.Kind));
    }

    internal static AccessTarget Target(CmekAccess access, CmekCluster? cluster = null, string? organization = null) =>
        new(cluster ?? TestClusters.Shop, organization ?? EngineKit.OrganizationId, access.Region, access.KeyUri!, access.AuthPrincipal!);
}
