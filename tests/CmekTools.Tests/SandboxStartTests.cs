using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests;

public sealed class SandboxStartTests
{
    [Fact]
    public async Task AnUnknownPathIsSaidToBeUnknown()
    {
        await using SandboxServer server = SandboxServer.Start();
        using HttpClient client = new();
        using HttpResponseMessage answer = await client.GetAsync(new Uri(server.BaseAddress, "nobody/knows"), TestContext.Current.CancellationToken);
        Assert.Equal(404, (int)answer.StatusCode);
        Assert.Equal("/nobody/knows", Assert.Single(server.Exchanges).Request.RawPath);
    }
}
