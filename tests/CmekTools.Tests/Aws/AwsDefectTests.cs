using System.Text.Json.Nodes;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Aws;
using CmekTools.Engine.Providers;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>A working set-up, broken in one way: the check that is about it fails, and no other.</summary>
public sealed class AwsDefectTests
{
    private const string Region = "us-east-1";

    /// <summary>What is broken, the check, its verdict, and what the remedy begins with.</summary>
    public static TheoryData<string, string, CmekCheckResult, string> Defects => new()
    {
        { "disabled", "AwsKeyState", CmekCheckResult.Fail, "aws kms enable-key" },
        { "pending", "AwsKeyState", CmekCheckResult.Fail, "aws kms cancel-key-deletion" },
        { "rotation off", "AwsKeyRotation", CmekCheckResult.Warn, "aws kms enable-key-rotation" },
        { "one action missing", "AwsKeyPolicyActions", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "no statement", "AwsKeyPolicyActions", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "another role", "AwsKeyPolicyActions", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "condition that never holds", "AwsKeyPolicyActions", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "condition not known", "AwsKeyPolicyActions", CmekCheckResult.Unknown, "Grant-CmekAccess" },
        { "deny", "AwsKeyPolicyDeny", CmekCheckResult.Fail, "Take" },
        { "deny for the account", "AwsKeyPolicyDeny", CmekCheckResult.Fail, "Take" },
        { "deny with NotPrincipal", "AwsKeyPolicyDeny", CmekCheckResult.Fail, "Take" },
        { "too much", "AwsKeyPolicyScope", CmekCheckResult.Warn, "Narrow" },
        { "everybody", "AwsKeyPolicyScope", CmekCheckResult.Warn, "Narrow" },
        { "trust: another account", "AwsRoleTrust", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "trust: denied", "AwsRoleTrust", CmekCheckResult.Fail, "Take the Deny" },
        { "trust: a second account", "AwsRoleTrust", CmekCheckResult.Warn, "Take" },
        { "trust: wrong external id", "AwsRoleExternalId", CmekCheckResult.Fail, "Grant-CmekAccess" },
        { "trust: no external id", "AwsRoleExternalId", CmekCheckResult.Warn, "Take" },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public async Task OnlyTheRightCheckFails(string defect, string name, CmekCheckResult result, string remedy)
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, CmekKey key) = await AwsSandboxTests.GrantedAsync(aws, kit);
        await BreakAsync(defect, target, kit);
        List<CmekCheck> off = [];
        await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
        {
            if (check.Result != CmekCheckResult.Pass)
            {
                off.Add(check);
            }
        }

        CmekCheck only = Assert.Single(off);
        Assert.Equal((name, result), (only.Name, only.Result));
        Assert.StartsWith(remedy, only.Remedy, StringComparison.Ordinal);
        bool? allowed = (await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()))).Allowed;
        Assert.True(allowed == (name.StartsWith("AwsRole", StringComparison.Ordinal) || result == CmekCheckResult.Warn ? true : result == CmekCheckResult.Unknown ? null : false), $"{allowed}");
        if (remedy == "Grant-CmekAccess")
        {
            RoleArn role = AwsNames.TryParseRole(target.AuthPrincipal)!;
            await aws.GrantAsync(target.Cluster, key, Region, new PrincipalOptions { RoleName = role.Name }, kit.Run(new TestOperationHost()));
            await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
            {
                Assert.True(check.Result is CmekCheckResult.Pass or CmekCheckResult.Warn, check.ToString());
            }
        }
    }

    [Fact]
    public async Task WhatTheOperatorMayNotSeeIsUnknown()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, CmekKey _) = await AwsSandboxTests.GrantedAsync(aws, kit);
        server.Before = request => Task.FromResult(
            request.Headers["X-Amz-Target"] is { } call && call.EndsWith(".GetKeyPolicy", StringComparison.Ordinal)
                ? new SandboxResponse { Status = 400, ContentType = "application/x-amz-json-1.1", Body = """{"__type":"AccessDeniedException","message":"User is not authorized to perform kms:GetKeyPolicy"}""" }
                : null);
        AccessVerdict verdict = await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()));
        Assert.Null(verdict.Allowed);
        await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
        {
            Assert.Equal(check.Name.StartsWith("AwsKeyPolicy", StringComparison.Ordinal) ? CmekCheckResult.Unknown : CmekCheckResult.Pass, check.Result);
        }

        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(() => aws.CaptureAsync(target, kit.Run(new TestOperationHost())));
        Assert.Equal(("AccessDenied", CmekErrorKind.PermissionDenied, "AccessDeniedException", "AWS KMS"), (e.ErrorId, e.Kind, e.Code, e.Service));
        Assert.Contains("kms:GetKeyPolicy", e.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoConnectionIsSaidAndACancelledCallIsCancelled()
    {
        using EngineKit kit = EngineKit.Create(new CmekTools.Engine.ProviderOptions { AwsEndpoint = new Uri("http://127.0.0.1:9/"), AwsCredentials = ("a", "b") }, CmekTools.Engine.Timings.Sandbox with { RetryCount = 1 });
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        const string uri = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(() => aws.GetKeyAsync(uri, kit.Run(new TestOperationHost())));
        Assert.Equal(("AwsUnreachable", CmekErrorKind.ConnectionError), (e.ErrorId, e.Kind));
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => aws.GetKeyAsync(uri, kit.RunUntil(new TestOperationHost(), cancelled.Token)));
    }

    [Fact]
    public async Task AProfileThatIsNotThereIsNamed()
    {
        using EngineKit kit = EngineKit.Create(new CmekTools.Engine.ProviderOptions { AwsEndpoint = new Uri("http://127.0.0.1:9/"), AwsProfileName = "no-such-profile" });
        CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.Session.GetProvider(CmekProvider.AWS)
            .GetKeyAsync("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", kit.Run(new TestOperationHost())));
        Assert.Equal(("AwsProfileNotFound", CmekErrorKind.AuthenticationError), (e.ErrorId, e.Kind));
    }

    private static async Task BreakAsync(string defect, AccessTarget target, EngineKit kit)
    {
        using AwsClients clients = new(kit.Session.ProviderOptions, kit.Session.Timings);
        IAmazonKeyManagementService kms = clients.Kms(Region);
        CancellationToken stop = TestContext.Current.CancellationToken;
        string key = target.KeyUri;
        switch (defect)
        {
            case "disabled":
                await kms.DisableKeyAsync(new DisableKeyRequest { KeyId = key }, stop);
                return;
            case "pending":
                await kms.ScheduleKeyDeletionAsync(new ScheduleKeyDeletionRequest { KeyId = key, PendingWindowInDays = 7 }, stop);
                return;
            case "rotation off":
                await kms.DisableKeyRotationAsync(new DisableKeyRotationRequest { KeyId = key }, stop);
                return;
        }

        if (defect.StartsWith("trust", StringComparison.Ordinal))
        {
            string name = AwsNames.TryParseRole(target.AuthPrincipal)!.Name;
            IIamService iam = clients.Iam("aws");
            PolicyDocument trust = PolicyDocument.Parse((await iam.GetRoleAsync(name, stop)).TrustPolicy, name);
            JsonObject statement = trust.Statements[0];
            switch (defect)
            {
                case "trust: another account":
                    statement["Principal"] = new JsonObject { ["AWS"] = "arn:aws:iam::123412341234:root" };
                    break;
                case "trust: denied":
                    trust.Add(Parse("""{"Effect":"Deny","Principal":"*","Action":"sts:*"}"""));
                    break;
                case "trust: a second account":
                    trust.Add(Parse("""{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123412341234:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}"""));
                    break;
                case "trust: wrong external id":
                    statement["Condition"] = Parse("""{"StringEquals":{"sts:ExternalId":"somebody-else"}}""");
                    break;
                case "trust: no external id":
                    statement.Remove("Condition");
                    break;
            }

            await iam.UpdateAssumeRolePolicyAsync(name, trust.Text(), stop);
            return;
        }

        GetKeyPolicyResponse had = await kms.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }, stop);
        PolicyDocument policy = PolicyDocument.Parse(had.Policy, key);
        JsonObject ours = policy.Statements[1];
        switch (defect)
        {
            case "one action missing":
                ours["Action"]!.AsArray().RemoveAt(0);
                break;
            case "no statement":
                policy.Remove(ours);
                break;
            case "another role":
                ours["Principal"] = new JsonObject { ["AWS"] = $"arn:aws:iam::{AwsNames.TryParseKey(key)!.Account}:root" };
                break;
            case "condition that never holds":
                ours["Condition"] = Parse("""{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}""");
                break;
            case "condition not known":
                ours["Condition"] = Parse("""{"StringEquals":{"aws:SourceVpce":"vpce-1"}}""");
                break;
            case "deny":
                policy.Add(Parse($$"""{"Sid":"No","Effect":"Deny","Principal":{"AWS":"{{target.AuthPrincipal}}"},"Action":"kms:Decrypt","Resource":"*"}"""));
                break;
            case "deny for the account":
                policy.Add(Parse("""{"Sid":"No","Effect":"Deny","Principal":{"AWS":"ROOT"},"Action":"kms:Encrypt","Resource":"*"}""".Replace("ROOT", AwsNames.AccountRoot("aws", AwsNames.TryParseKey(key)!.Account), StringComparison.Ordinal)));
                break;
            case "deny with NotPrincipal":
                policy.Add(Parse("""{"Sid":"No","Effect":"Deny","NotPrincipal":{"AWS":"ROOT"},"Action":"kms:Encrypt","Resource":"*"}""".Replace("ROOT", AwsNames.AccountRoot("aws", AwsNames.TryParseKey(key)!.Account), StringComparison.Ordinal)));
                break;
            case "too much":
                policy.Add(Parse($$"""{"Sid":"All","Effect":"Allow","Principal":{"AWS":"{{target.AuthPrincipal}}"},"Action":"kms:*","Resource":"*"}"""));
                break;
            case "everybody":
                policy.Add(Parse("""{"Sid":"All","Effect":"Allow","Principal":"*","Action":"kms:DescribeKey","Resource":"*"}"""));
                break;
        }

        await kms.PutKeyPolicyAsync(new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.Text() }, stop);
    }

    private static JsonObject Parse(string text) => (JsonObject)JsonNode.Parse(text)!;
}
