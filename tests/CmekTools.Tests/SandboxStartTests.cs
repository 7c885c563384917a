using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
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
        using HttpResponseMessage answer = await client.GetAsync(
            new Uri(server.BaseAddress, "nobody/knows"),
            TestContext.Current.CancellationToken);
        Assert.Equal(404, (int)answer.StatusCode);
        Assert.Equal("/nobody/knows", Assert.Single(server.Exchanges).Request.RawPath);
    }

    [Fact]
    public async Task ItIsReachedFromThisMachineOnly()
    {
        IPAddress[] others =
        [
            .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)
                .Where(a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a)),
        ];
        Assert.SkipWhen(others.Length == 0, "This machine has no address that others could reach.");
        await using SandboxServer server = SandboxServer.Start();
        foreach (IPAddress address in others)
        {
            using TcpClient client = new();
            await Assert.ThrowsAsync<SocketException>(
                () => client.ConnectAsync(address, server.BaseAddress.Port, TestContext.Current.CancellationToken).AsTask());
        }
    }
}
