using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>What AWS does not answer, or does not let be seen. What is broken is in Pipeline/PreflightAwsTests.</summary>
public sealed class AwsDefectTests
{
    [Fact]
    public async Task WhatTheOperatorMayNotSeeIsUnknown()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, CmekKey _) = await AwsSandboxTests.GrantedAsync(aws, kit);
        server.Before = request => Task.FromResult(
            request.Headers["X-Amz-Target"] is { } call && call.EndsWith(".GetKeyPolicy", StringComparison.Ordinal)
                ? new SandboxResponse
                {
                    Status = 400,
                    ContentType = "application/x-amz-json-1.1",
                    Body = """{"__type":"AccessDeniedException","message":"User is not authorized to perform kms:GetKeyPolicy"}""",
                }
                : null);
        AccessDecision verdict = await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()));
        Assert.True(
            verdict.Use is Decision.Perhaps or Decision.Unread || verdict.Read is Decision.Perhaps or Decision.Unread,
            verdict.ToString());
        await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
        {
            Assert.Equal(
                check.Name.StartsWith("AwsKeyPolicy", StringComparison.Ordinal) ? CmekCheckResult.Unknown : CmekCheckResult.Pass,
                check.Result);
        }

        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(
            () => aws.CaptureAsync(target, kit.Run(new TestOperationHost())));
        Assert.Equal(
            ("AccessDenied", CmekErrorKind.PermissionDenied, "AccessDeniedException", "AWS KMS"),
            (e.ErrorId, e.Kind, e.Code, e.Service));
        Assert.Contains("kms:GetKeyPolicy", e.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoConnectionIsSaidAndACancelledCallIsCancelled()
    {
        using EngineKit kit = EngineKit.Create(
            new CmekTools.Engine.ProviderOptions { AwsEndpoint = new Uri("http://127.0.0.1:9/"), AwsCredentials = ("a", "b") },
            CmekTools.Engine.Timings.Sandbox with { RetryCount = 1 });
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        const string uri = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(
            () => aws.GetKeyAsync(uri, kit.Run(new TestOperationHost())));
        Assert.Equal(("AwsUnreachable", CmekErrorKind.ConnectionError), (e.ErrorId, e.Kind));
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => aws.GetKeyAsync(uri, kit.RunUntil(new TestOperationHost(), cancelled.Token)));
    }

    [Fact]
    public async Task AProfileThatIsNotThereIsNamed()
    {
        using EngineKit kit = EngineKit.Create(
            new CmekTools.Engine.ProviderOptions { AwsEndpoint = new Uri("http://127.0.0.1:9/"), AwsProfileName = "no-such-profile" });
        CmekException e = await Assert.ThrowsAsync<CmekException>(() => kit.Session.GetProvider(CmekProvider.AWS)
            .GetKeyAsync("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", kit.Run(new TestOperationHost())));
        Assert.Equal(("AwsProfileNotFound", CmekErrorKind.AuthenticationError), (e.ErrorId, e.Kind));
    }
}
