using System.Net.Sockets;
using CmekTools.Benchmarks.Survival;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>The small version of the benchmark in which each service goes away at each request of each command.</summary>
public sealed class RestartTests
{
    [Theory]
    [InlineData("AWS", "kms", 5)]
    [InlineData("GCP", "cloud", 3)]
    public async Task AServiceThatTakesARequestAndGoesAwayDoublesNothingAndTheCommandSaysHowToGoOn(string provider, string service, int nth)
    {
        IReadOnlyList<RestartStep> wanted = await RestartLife.UnbrokenAsync(provider, live: true);
        RestartCount count = new();
        await RestartLife.BrokenAsync(provider, wanted, new Away(service, AwayForm.Answerless, nth), count, live: true);
        Assert.True(count.Wrong.Count == 0, string.Join('\n', count.Wrong));
        Assert.InRange(count.Outages, 3, int.MaxValue);
    }

    [Fact]
    public async Task ADoorThatIsShutRefusesConnectionsAndOpensAgain()
    {
        await using SandboxServer server = SandboxServer.Start();
        Uri door = server.AddDoor();
        using HttpClient client = new();
        Uri organization = new(door, "api/v1/organization");
        Assert.Equal(401, (int)(await client.GetAsync(organization, TestContext.Current.CancellationToken)).StatusCode);
        server.Shut(door);
        HttpRequestException refused = await Assert.ThrowsAsync<HttpRequestException>(
            () => client.GetAsync(organization, TestContext.Current.CancellationToken));
        Assert.Equal(SocketError.ConnectionRefused, Assert.IsType<SocketException>(refused.InnerException).SocketErrorCode);
        server.Open(door);
        Assert.Equal(401, (int)(await client.GetAsync(organization, TestContext.Current.CancellationToken)).StatusCode);
    }
}
