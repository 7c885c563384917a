using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Sandbox;

public sealed class CloudApiGateTests
{
    [Fact]
    public async Task TheVariablesPointHere()
    {
        await using SandboxServer server = SandboxServer.Start();
        Assert.Equal(server.BaseAddress.ToString().TrimEnd('/'), server.Environment["COCKROACH_SERVER"]);
        Assert.Equal(server.Options.ApiKey, server.Environment["COCKROACH_API_KEY"]);
    }

    [Fact]
    public async Task AKeyIsNeeded()
    {
        await using CloudApiWire wire = new();
        (await wire.SendAsync("GET", "organization", key: "")).Refused(401, 16, "Authorization");
        (await wire.SendAsync("GET", "organization", key: "wrong")).Refused(401, 16, "invalid API key");
    }

    [Fact]
    public async Task AReadersKeyReadsAndDoesNotWrite()
    {
        await using CloudApiWire wire = new();
        (await wire.SendAsync("GET", "clusters", key: wire.Cloud.ReadOnlyKey)).Ok();
        (
            await wire.SendAsync(
                "POST",
                $"clusters/{wire.Shop}/cmek",
                CloudApiWire.BothRegions().ToJsonString(),
                wire.Cloud.ReadOnlyKey)).Refused(403, 7, "CLUSTER_ADMIN");
        (await wire.CmekAsync()).Refused(404, 5, "no CMEK");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("1999-01-01")]
    public async Task AnotherVersionIsRefused(string? version)
    {
        await using CloudApiWire wire = new();
        (await wire.SendAsync("GET", "organization", version: version)).Refused(400, 3, "invalid Cc-Version.");
    }

    [Fact]
    public async Task TooManyRequestsInASecondAreRefusedUntilItIsOver()
    {
        await using CloudApiWire wire = new(new SandboxOptions { RateLimit = 3 });
        for (int i = 0; i < 3; i++)
        {
            (await wire.GetAsync("organization")).Ok();
        }

        WireAnswer refused = (await wire.GetAsync("organization")).Refused(429, 8, "rate limit exceeded");
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
        wire.Cloud.RateLimitStatus = 503;
        (await wire.GetAsync("organization")).Refused(503, 8, "rate limit exceeded");
        (await wire.SendAsync("GET", "organization", key: wire.Cloud.ReadOnlyKey)).Ok();
        wire.Clock.Advance(TimeSpan.FromSeconds(1));
        (await wire.GetAsync("organization")).Ok();
    }

    [Fact]
    public async Task UnknownPathsAndMethodsAreToldApart()
    {
        await using CloudApiWire wire = new();
        (await wire.GetAsync("nothing")).Refused(404, 5, "Not Found");
        (await wire.SendAsync("DELETE", "clusters/" + wire.Shop)).Refused(501, 12, "Method");
        (await wire.GetAsync("clusters/unknown")).Refused(404, 5, "unknown");
        (await wire.CmekAsync(id: "unknown")).Refused(404, 5, "unknown");
    }

    [Fact]
    public async Task TheLogNamesWhatWasAsked()
    {
        await using CloudApiWire wire = new();
        await wire.GetAsync("organization");
        await wire.GetAsync("clusters?pagination.limit=1");
        await wire.CmekAsync("POST", CloudApiWire.BothRegions());
        await wire.CmekAsync("PUT", CloudApiWire.BothRegions());
        await wire.CmekAsync("PATCH", new JsonObject());
        Assert.Equal(
            [("GetOrganization", false), ("ListClusters", false), ("EnableCmek", true), ("UpdateCmek", true), ("UpdateCmekStatus", true)],
            wire.Server.Exchanges.Select(e => (e.Request.Operation, e.Request.IsWrite)));
        Assert.All(wire.Server.Exchanges, e => Assert.Equal("cloud", e.Request.Service));
    }
}
