using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>What heals is retried; what does not fails at once.</summary>
public sealed class CloudApiRetryTests
{
    [Theory]
    [InlineData(429, """{"code":8,"message":"rate limit exceeded"}""", "0")]
    [InlineData(403, """{"code":7,"message":"rate limit exceeded"}""", "0")]
    [InlineData(500, "", null)]
    [InlineData(502, "<html>bad gateway</html>", null)]
    [InlineData(503, """{"code":14,"message":"cluster is locked"}""", null)]
    [InlineData(400, """{"code":9,"message":"cannot proceed: the cluster is locked by another operation"}""", null)]
    public async Task HealsByItself(int status, string body, string? retryAfter)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        int faults = 2;
        shell.Server.Before = r => Task.FromResult(r.Operation == "ListClusters" && faults-- > 0
            ? new SandboxResponse
            {
                Status = status,
                Body = body,
                Headers = retryAfter is null
                    ? new Dictionary<string, string>()
                    : new Dictionary<string, string> { ["Retry-After"] = retryAfter },
            }
            : null);
        Assert.Single((await shell.RunAsync("Get-CmekCluster")).Expect().Output);
        Assert.Equal(3, shell.Server.Exchanges.Count);
    }

    [Theory]
    [InlineData(400, """{"code":3,"message":"invalid argument: nonsense"}""", "CloudApiRequestRefused", ErrorCategory.InvalidArgument)]
    [InlineData(401, """{"code":16,"message":"unauthorized"}""", "CloudApiKeyRejected", ErrorCategory.AuthenticationError)]
    [InlineData(403, """{"code":7,"message":"no"}""", "CloudApiPermissionDenied", ErrorCategory.PermissionDenied)]
    [InlineData(400, """{"code":3,"message":"invalid Cc-Version."}""", "CloudApiVersionRefused", ErrorCategory.InvalidOperation)]
    [InlineData(302, "", "CloudApiRedirected", ErrorCategory.ConnectionError)]
    public async Task FailsAtOnce(int status, string body, string id, ErrorCategory category)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        shell.Server.Before = _ => Task.FromResult<SandboxResponse?>(
            new SandboxResponse { Status = status, Body = body, Headers = new Dictionary<string, string> { ["Cc-Trace-Id"] = "trace-7" } });
        ErrorRecord error = (await shell.RunAsync("Get-CmekCluster")).ExpectError(id);
        Assert.Equal(category, error.CategoryInfo.Category);
        CmekServiceException exception = Assert.IsType<CmekServiceException>(error.Exception);
        Assert.Equal(status, exception.StatusCode);
        Assert.Equal("trace-7", exception.RequestId);
        Assert.Single(shell.Server.Exchanges);
    }

    [Fact]
    public async Task APageInPlaceOfTheFirstAnswerFailsAtOnceForTheAddressIsWrong()
    {
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Aws);
        server.Before = _ => Task.FromResult<SandboxResponse?>(
            new SandboxResponse { ContentType = "text/html", Body = "<html>login</html>" });
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        PowerShellResult result = await shell.InvokeAsync("param($Sandbox) Connect-CmekCloud -Sandbox $Sandbox", new
        {
            Sandbox = new CmekSandbox { BaseAddress = server.BaseAddress, Environment = server.Environment },
        });
        Assert.Equal(ErrorCategory.InvalidData, result.ExpectError("CloudApiAnswerInvalid").CategoryInfo.Category);
        Assert.Single(server.Exchanges);
    }

    [Fact]
    public async Task TheKeyIsNotSentAfterARedirect()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        await using SandboxServer elsewhere = SandboxServer.Start(SandboxShell.Aws);
        foreach (int status in (int[])[301, 302, 307, 308])
        {
            shell.Server.Before = r => Task.FromResult<SandboxResponse?>(new SandboxResponse
            {
                Status = status,
                Headers = new Dictionary<string, string> { ["Location"] = new Uri(elsewhere.BaseAddress, r.RawPath).AbsoluteUri },
            });
            (await shell.RunAsync("Get-CmekCluster")).ExpectError("CloudApiRedirected");
        }

        Assert.Empty(elsewhere.Exchanges);
    }

    [Fact]
    public async Task EveryPageIsRead()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with
        {
            Clusters = [.. Enumerable.Range(1, 230).Select(i => new SandboxClusterOptions($"cluster-{i:000}", "AWS", ["us-east-1"]))],
        });
        Assert.Equal(230, (await shell.RunAsync("Get-CmekCluster")).Expect().Output.Count);
        Assert.Equal(3, shell.Server.Exchanges.Count);
    }

    [Fact]
    public async Task TheKeyIsNowhereInWhatIsShown()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        string key = shell.Server.Options.ApiKey;
        shell.Server.Before = _ => Task.FromResult<SandboxResponse?>(new SandboxResponse { Status = 401, Body = "{}" });
        PowerShellResult result = await shell.RunAsync("Get-CmekSession; Get-CmekCluster -Verbose -Debug");
        string all = result.Text + string.Join(
            '\n',
            result.Errors.Select(e => e.ToString() + e.Exception)) + string.Join('\n', result.Verbose);
        Assert.NotEmpty(result.Errors);
        Assert.DoesNotContain(key, all, StringComparison.Ordinal);
    }
}
