using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>gcloud makes and disables service accounts in the sandbox.</summary>
public sealed class GcpGcloudAccountTests
{
    [Fact]
    public async Task ItMakesAnAccountAndSwitchesItOffAndOn()
    {
        await using GcpWire wire = GcpWire.Start();
        using GcloudCli gcloud = new(wire);
        await gcloud.RunAsync("iam service-accounts create cmek-user --display-name=CMEK");
        await gcloud.RunAsync("iam service-accounts disable " + GcpWire.Email);
        JsonNode account = (await gcloud.RunAsync("iam service-accounts describe " + GcpWire.Email))!;
        Assert.True((bool)account["disabled"]!);
        Assert.Equal("CMEK", (string?)account["displayName"]);
        await gcloud.RunAsync("iam service-accounts enable " + GcpWire.Email);
        Assert.Null((await gcloud.RunAsync("iam service-accounts describe " + GcpWire.Email))!["disabled"]);
    }
}
