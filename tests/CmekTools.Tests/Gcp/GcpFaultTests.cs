using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Gcp;

/// <summary>What Google's side, or something in between, may answer.</summary>
public sealed class GcpFaultTests
{
    private const string Key = "projects/customer-project/locations/us-central1/keyRings/r/cryptoKeys/k";

    [Theory]
    [
        InlineData(
            401,
            """{"error":{"code":401,"message":"Request had invalid authentication credentials.","status":"UNAUTHENTICATED"}}""",
            "GoogleCredentialsRejected",
            CmekErrorKind.AuthenticationError,
            "UNAUTHENTICATED",
            "gcloud auth application-default login"),
    ]
    [
        InlineData(
            403,
            """{"error":{"code":403,"message":"Permission 'cloudkms.cryptoKeys.get' denied on resource 'x' (or it may not """
                + """exist).","status":"PERMISSION_DENIED"}}""",
            "AccessDenied",
            CmekErrorKind.PermissionDenied,
            "PERMISSION_DENIED",
            "Have cloudkms.cryptoKeys.get on " + Key),
    ]
    [
        InlineData(
            403,
            """{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED","details":["""
                + """{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"IAM_PERMISSION_DENIED","metadata":"""
                + """{"permission":"a.b.c"}}]}}""",
            "AccessDenied",
            CmekErrorKind.PermissionDenied,
            "PERMISSION_DENIED",
            "Have a.b.c on"),
    ]
    [
        InlineData(
            403,
            """{"error":{"code":403,"message":"Cloud KMS API has not been used in project 1 before or it is """
                + """disabled.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/"""
                + """google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","metadata":{"service":"cloudkms.googleapis.com"}}]}}""",
            "GoogleServiceDisabled",
            CmekErrorKind.InvalidOperation,
            "PERMISSION_DENIED",
            "gcloud services enable cloudkms.googleapis.com"),
    ]
    [
        InlineData(
            403,
            """{"error":{"code":403,"message":"Cloud KMS API has not been used in project 764086051850 before or it is """
                + """disabled.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/"""
                + """google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","metadata":"""
                + """{"service":"cloudkms.googleapis.com","consumer":"projects/764086051850"}}]}}""",
            "GoogleServiceDisabled",
            CmekErrorKind.InvalidOperation,
            "PERMISSION_DENIED",
            "set-quota-project customer-project"),
    ]
    [
        InlineData(
            404,
            """{"error":{"code":404,"message":"CryptoKey x not found.","status":"NOT_FOUND"}}""",
            "KeyNotFound",
            CmekErrorKind.ObjectNotFound,
            "NOT_FOUND",
            "gcloud kms keys list"),
    ]
    [
        InlineData(
            429,
            """{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED"}}""",
            "GoogleRateLimited",
            CmekErrorKind.LimitsExceeded,
            "RESOURCE_EXHAUSTED",
            "goes on where it stopped"),
    ]
    [InlineData(500, "<html>oops</html>", "GoogleUnavailable", CmekErrorKind.ResourceUnavailable, null, "goes on where it stopped")]
    [InlineData(503, "", "GoogleUnavailable", CmekErrorKind.ResourceUnavailable, null, "goes on where it stopped")]
    [
        InlineData(
            400,
            """{"error":{"code":400,"message":"The key is not usable.","status":"FAILED_PRECONDITION"}}""",
            "GooglePrecondition",
            CmekErrorKind.InvalidOperation,
            "FAILED_PRECONDITION",
            "Get-CmekKey"),
    ]
    [
        InlineData(
            400,
            """{"error":{"code":400,"message":"Bad.","status":"INVALID_ARGUMENT"}}""",
            "GoogleRequestRefused",
            CmekErrorKind.InvalidArgument,
            "INVALID_ARGUMENT",
            "correct what the message names"),
    ]
    [InlineData(200, "{\"name\":", "GoogleAnswerInvalid", CmekErrorKind.InvalidData, null, "proxy")]
    [InlineData(200, "<html>log in to the proxy</html>", "GoogleAnswerInvalid", CmekErrorKind.InvalidData, null, "proxy")]
    [InlineData(200, "[]", "GoogleAnswerInvalid", CmekErrorKind.InvalidData, null, "proxy")]
    public async Task EachAnswerHasItsError(int status, string body, string id, CmekErrorKind kind, string? code, string todo)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            timings: Timings.Sandbox with { RetryCount = 1, RetryBase = TimeSpan.FromMilliseconds(1) });
        kit.Server.Before = _ => Task.FromResult<SandboxResponse?>(new SandboxResponse { Status = status, Body = body });
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(() => kit.Gcp.GetKeyAsync(Key, kit.Run()));
        Assert.Equal((id, kind, code, "Google Cloud KMS"), (e.ErrorId, e.Kind, e.Code, e.Service));
        Assert.Contains(todo, e.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(429, true)]
    [InlineData(500, true)]
    [InlineData(503, true)]
    [InlineData(400, false)]
    [InlineData(403, false)]
    public async Task OnlyWhatHealsIsTriedAgain(int status, bool heals)
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        CmekKey key = await kit.KeyAsync();
        int faults = 0;
        kit.Server.Before = r => Task.FromResult(r.Operation == "cryptoKeys.get" && Interlocked.Increment(ref faults) <= 2
            ? new SandboxResponse { Status = status, Body = """{"error":{"message":"x","status":"Y"}}""" }
            : null);
        Task<CmekKey> read = kit.Gcp.GetKeyAsync(key.KeyUri!, kit.Run());
        if (heals)
        {
            Assert.Equal(CmekKeyState.Enabled, (await read).State);
        }
        else
        {
            await Assert.ThrowsAsync<CmekServiceException>(() => read);
        }

        Assert.Equal(heals ? 3 : 1, faults);
    }

    [Fact]
    public async Task AWriteWhoseAnswerIsLostIsNotMadeTwice()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync();
        HashSet<string> lost = [];
        kit.Server.After = (request, _) => Task.FromResult(request.IsWrite && lost.Add(request.Operation + request.RawPath)
            ? new SandboxResponse { Status = 503, Body = """{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}""" }
            : null);
        AccessTarget target = await kit.GrantedAsync();
        Assert.Equal(5, lost.Count);
        Assert.Null(kit.Try(target));
        Assert.Empty(await kit.OffAsync(target));
        Assert.Single(kit.Policy(target.KeyUri)["bindings"]!.AsArray());
    }

    [Fact]
    public async Task ASlowAnswerIsGivenUpAndSaid()
    {
        await using GoogleKit kit = await GoogleKit.StartAsync(
            timings: Timings.Sandbox with { RetryCount = 1, CallLimit = TimeSpan.FromMilliseconds(200) });
        using CancellationTokenSource end = new();
        kit.Server.Before = async _ =>
        {
            await Task.Delay(Timeout.Infinite, end.Token);
            return null;
        };
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(() => kit.Gcp.GetKeyAsync(Key, kit.Run()));
        Assert.Equal(("GoogleUnreachable", CmekErrorKind.ConnectionError), (e.ErrorId, e.Kind));
        await end.CancelAsync();
    }

    [Fact]
    public async Task NoConnectionIsSaidAndACancelledCallIsCancelled()
    {
        using EngineKit kit = EngineKit.Create(
            new ProviderOptions
            {
                GoogleKmsEndpoint = new Uri("http://127.0.0.1:9/"),
                GoogleIamEndpoint = new Uri("http://127.0.0.1:9/"),
                GoogleAccessToken = "t",
            },
            Timings.Sandbox with { RetryCount = 1 });
        IKeyProvider gcp = kit.Session.GetProvider(CmekProvider.GCP);
        CmekServiceException e = await Assert.ThrowsAsync<CmekServiceException>(
            () => gcp.GetKeyAsync(Key, kit.Run(new TestOperationHost())));
        Assert.Equal(("GoogleUnreachable", CmekErrorKind.ConnectionError), (e.ErrorId, e.Kind));
        using CancellationTokenSource cancelled = new();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => gcp.GetKeyAsync(Key, kit.RunUntil(new TestOperationHost(), cancelled.Token)));
    }
}
