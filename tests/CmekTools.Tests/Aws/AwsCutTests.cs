using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>The cut where the policy resists, and what it does not wait for.</summary>
public sealed class AwsCutTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task DeadIdsDoNotHoldTheCutUpAndOnlyTheyAreLeftOut()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, CmekKey key) = await AwsSandboxTests.GrantedAsync(aws, kit);
        string gone = await wire.RoleAsync("gone");
        string stays = await wire.RoleAsync("stays");
        await AddAsync(wire, key.KeyUri!, AwsWire.Statement("Allow", gone, "kms:Decrypt"), Both(gone, stays));
        await wire.IamAsync("DeleteRole", ("RoleName", "gone"));
        TestOperationHost host = new();
        AccessSnapshot before = await aws.CaptureAsync(target, kit.Run(host));
        await aws.CutAsync(target, new CutOptions(false), kit.Run(host));
        AccessDecision cut = await aws.EvaluateAsync(target, kit.Run(host));
        Assert.True(cut.ExplicitlyStopped, string.Join("; ", cut.Reasons));
        string policy = await PolicyAsync(wire, key.KeyUri!);
        Assert.DoesNotContain("\"AROA", policy, StringComparison.Ordinal);
        Assert.Contains(stays, policy, StringComparison.Ordinal);
        Assert.Contains(
            host.Warnings,
            w => w.Contains("AROA", StringComparison.Ordinal) && w.Contains("without the ids", StringComparison.Ordinal));
        await aws.RestoreAsync(target, before, kit.Run(host));
        Assert.Equal(Decision.Allowed, (await aws.EvaluateAsync(target, kit.Run(host))).Use);
    }

    [Fact]
    public async Task AFullPolicyIsSaidToBeOneAndTheKeyCanBeDisabled()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await AwsSandboxTests.ClusterAsync(kit);
        string role = await wire.RoleAsync("store", allows: "kms:Decrypt kms:Encrypt");
        string master = await wire.RoleAsync("master", allows: "kms:Decrypt kms:EnableKey");
        KeyMetadata key = await wire.KeyAsync();
        JsonObject large = AwsWire.Statement("Allow", $"arn:aws:iam::{AwsWire.Account}:root", "kms:Decrypt");
        large["Condition"] = AwsWire.When("StringEquals", "kms:EncryptionContext:x", new string('x', 32 * 1024 - 480));
        await AddAsync(wire, key.Arn, large);
        AccessTarget target = new(cluster, kit.Session.Organization.Id, "us-east-1", key.Arn, role);
        CmekException full = await Assert.ThrowsAsync<CmekException>(
            () => aws.CutAsync(target, new CutOptions(false), kit.Run(new TestOperationHost())));
        Assert.Equal(("PolicyTooLarge", CmekErrorKind.LimitsExceeded), (full.ErrorId, full.Kind));
        Assert.Equal(CmekCutState.Open, (await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()))).Cut);
        await aws.DisableKeyAsync(key.Arn, kit.Run(new TestOperationHost()));
        Assert.True((await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()))).ExplicitlyStopped);

        // Whoever may switch it on again is not cut off by that.
        AccessDecision open = await aws.EvaluateAsync(target with { AuthPrincipal = master }, kit.Run(new TestOperationHost()));
        Assert.Equal((CmekCutState.Open, false), (open.Cut, open.ExplicitlyStopped));
        Assert.Contains(open.Reasons, r => r.Contains("kms:EnableKey", StringComparison.Ordinal));
    }

    [Fact]
    public async Task APolicyThatKmsDoesNotTakeIsNoFaultOfTheCaller()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, _) = await AwsSandboxTests.GrantedAsync(aws, kit);
        wire.Server.Before = request => Refuse(
            request,
            "PutKeyPolicy",
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update it");
        CmekException e = await Assert.ThrowsAsync<CmekServiceException>(
            () => aws.CutAsync(target, new CutOptions(false), kit.Run(new TestOperationHost())));
        Assert.Equal(("PolicyMalformed", CmekErrorKind.InvalidOperation), (e.ErrorId, e.Kind));
    }

    [Fact]
    public async Task NeitherCaptureNorCutNorItsProofWaitsForIam()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, _) = await AwsSandboxTests.GrantedAsync(aws, kit);
        using CancellationTokenSource ended = new();
        wire.Server.Before = async request =>
        {
            if (request.Service is not "kms" && request.Headers["X-Amz-Target"] is null)
            {
                // IAM and STS never answer.
                await Task.Delay(Timeout.Infinite, ended.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }

            return null;
        };
        TestOperationHost host = new();
        AccessSnapshot snapshot = await aws.CaptureAsync(target, kit.Run(host)).WaitAsync(TimeSpan.FromSeconds(15), Cancel);
        Assert.Contains("IAM", snapshot.Data["roleNotSeen"]!.ToString(), StringComparison.Ordinal);
        Assert.NotNull(snapshot.Data["keyPolicyText"]);
        await aws.CutAsync(target, new CutOptions(false), kit.Run(host)).WaitAsync(TimeSpan.FromSeconds(15), Cancel);
        AccessDecision cut = await aws.EvaluateAsync(target, kit.Run(host)).WaitAsync(TimeSpan.FromSeconds(15), Cancel);
        Assert.True(cut.ExplicitlyStopped, string.Join("; ", cut.Reasons));
        await ended.CancelAsync();
    }

    [Fact]
    public void TakingDeadIdsOutChangesNothingForAnybodyElse()
    {
        const string dead = "AROADEADDEADDEADDEAD1";
        PolicyDocument policy = PolicyDocument.Create(
            AwsWire.Statement("Allow", dead, "kms:*"),
            Both(dead, "arn:aws:iam::111122223333:role/live"),
            Renamed(AwsWire.Statement("Deny", dead, "kms:Sign")),
            Renamed(Both(dead, "arn:aws:iam::111122223333:role/live")),
            new JsonObject
            {
                ["Effect"] = "Allow",
                ["Principal"] = new JsonObject { ["AWS"] = dead, ["Service"] = "s3.amazonaws.com" },
                ["Action"] = "kms:Decrypt",
                ["Resource"] = "*",
            });
        OurPolicyEdits.TakeDeadOut(policy);
        Assert.Equal(4, policy.Statements.Count);
        Assert.Equal("arn:aws:iam::111122223333:role/live", policy.Statements[0]["Principal"]!["AWS"]!.ToString());
        Assert.Equal("*", policy.Statements[1]["Principal"]!.ToString());
        Assert.Equal("arn:aws:iam::111122223333:role/live", policy.Statements[2]["NotPrincipal"]!["AWS"]!.ToString());
        Assert.Equal("""{"Service":"s3.amazonaws.com"}""", policy.Statements[3]["Principal"]!.ToJsonString());
        Assert.Empty(OurPolicyEdits.DeadPrincipals(policy));
    }

    [Fact]
    public async Task AKeyOfAnotherAccountIsToldApartBeforeAnyWrite()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await AwsSandboxTests.ClusterAsync(kit);
        string uri = $"arn:aws:kms:us-east-1:{AwsWire.OtherAccount}:key/{Guid.NewGuid()}";
        CmekKey key = new() { Provider = CmekProvider.AWS, State = CmekKeyState.Enabled, KeyUri = uri };
        TestOperationHost host = new();
        CmekException e = await Assert.ThrowsAsync<CmekException>(
            () => aws.GrantAsync(cluster, key, "us-east-1", new PrincipalOptions(), kit.Run(host)));
        Assert.Equal("KeyInOtherAccount", e.ErrorId);
        Assert.Contains(AwsWire.OtherAccount, e.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(host.Questions);
    }

    [Fact]
    public async Task WhatWasRefusedForItsRateIsSentAgainAlsoWhereTwiceWouldMakeTwo()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await AwsSandboxTests.ClusterAsync(kit);
        CmekKey key = await CountedAsync(wire, aws, cluster, kit);
        Assert.NotNull(key.KeyUri);
        Assert.Single((await wire.Kms.ListKeysAsync(new ListKeysRequest(), Cancel)).Keys);
    }

    [Fact]
    public async Task EveryPageOfAliasesIsRead()
    {
        await using AwsWire wire = AwsWire.Start();
        using EngineKit kit = EngineKit.Create(wire.Server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await AwsSandboxTests.ClusterAsync(kit);
        CmekKey key = await aws.EnsureKeyAsync(cluster, "us-east-1", new KeyOptions(), kit.Run(new TestOperationHost()));
        for (int i = 0; i < 55; i++)
        {
            await wire.Kms.CreateAliasAsync(new CreateAliasRequest { AliasName = $"alias/a{i:00}", TargetKeyId = key.KeyUri }, Cancel);
        }

        TestOperationHost host = new();
        Assert.Equal(key.Alias, (await aws.GetKeyAsync(key.KeyUri!, kit.Run(host))).Alias);
        CmekKey again = await aws.EnsureKeyAsync(cluster, "us-east-1", new KeyOptions(), kit.Run(host));
        Assert.Empty(again.Changes);
    }

    [Theory]
    [InlineData("us-east-1", false, false, "https://iam.amazonaws.com")]
    [InlineData("us-east-1", true, false, "https://iam-fips.amazonaws.com")]
    [InlineData("us-east-1", false, true, "https://iam.global.api.aws")]
    [InlineData("us-east-1", true, true, "https://iam-fips.global.api.aws")]
    [InlineData("us-gov-west-1", true, false, "https://iam.us-gov.amazonaws.com")]
    [InlineData("us-gov-west-1", false, true, "https://iam.us-gov.api.aws")]
    [InlineData("cn-north-1", false, false, "https://iam.cn-north-1.amazonaws.com.cn")]
    [InlineData("cn-north-1", false, true, "https://iam.global.api.amazonwebservices.com.cn")]
    public void IamIsAskedWhereTheVariablesSay(string region, bool fips, bool dualStack, string address) =>
        Assert.Equal(address, IamConfig.Public(region, fips, dualStack));

    private static Task<CmekKey> CountedAsync(AwsWire wire, IKeyProvider aws, CmekCluster cluster, EngineKit kit)
    {
        int asked = 0;
        wire.Server.Before = request => request.Headers["X-Amz-Target"] == "TrentService.CreateKey" && Interlocked.Increment(ref asked) <= 2
            ? Refuse(request, "CreateKey", "ThrottlingException", "Rate exceeded")
            : Task.FromResult<SandboxResponse?>(null);
        return aws.EnsureKeyAsync(cluster, "us-east-1", new KeyOptions(), kit.Run(new TestOperationHost()));
    }

    private static Task<SandboxResponse?> Refuse(SandboxRequest request, string operation, string code, string message) => Task.FromResult(
        request.Headers["X-Amz-Target"] == "TrentService." + operation
            ? new SandboxResponse
            {
                Status = 400,
                ContentType = "application/x-amz-json-1.1",
                Body = new JsonObject { ["__type"] = code, ["message"] = message }.ToJsonString(),
            }
            : null);

    private static JsonObject Both(string one, string other)
    {
        JsonObject statement = AwsWire.Statement("Allow", one, "kms:Encrypt");
        statement["Principal"] = new JsonObject { ["AWS"] = new JsonArray(one, other) };
        return statement;
    }

    private static JsonObject Renamed(JsonObject statement)
    {
        statement["NotPrincipal"] = statement["Principal"]!.DeepClone();
        statement.Remove("Principal");
        return statement;
    }

    private static async Task<string> PolicyAsync(AwsWire wire, string key) =>
        (await wire.Kms.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }, Cancel)).Policy;

    private static async Task AddAsync(AwsWire wire, string key, params JsonObject[] statements)
    {
        PolicyDocument policy = PolicyDocument.Parse(await PolicyAsync(wire, key), key);
        foreach (JsonObject statement in statements)
        {
            policy.Add(statement);
        }

        await wire.Kms.PutKeyPolicyAsync(new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.Text() }, Cancel);
    }
}
