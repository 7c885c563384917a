using System.Text.Json.Nodes;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>gcloud makes and turns keys in the sandbox: it reads the sandbox's answers with Google's eyes.</summary>
public sealed class GcpGcloudKeyTests
{
    private const string Where = " --location=us-east1 --keyring=ring";

    [Fact]
    public async Task ItMakesRingsAndKeysAndTurnsThem()
    {
        await using GcpWire wire = GcpWire.Start();
        using GcloudCli gcloud = new(wire);
        await gcloud.RunAsync("kms keyrings create ring --location=us-east1");
        JsonNode rings = (await gcloud.RunAsync("kms keyrings list --location=us-east1"))!;
        Assert.Equal(GcpWire.Ring, (string?)Assert.Single(rings.AsArray())!["name"]);
        await gcloud.RunAsync("kms keys create key --purpose=encryption --labels=team=storage" + Where);
        await gcloud.RunAsync("kms keys update key --rotation-period=90d --next-rotation-time=2099-01-01T00:00:00Z" + Where);
        JsonNode key = (await gcloud.RunAsync("kms keys describe key" + Where))!;
        Assert.Equal("7776000s", (string?)key["rotationPeriod"]);
        Assert.StartsWith("2099-01-01T00:00:00", (string?)key["nextRotationTime"], StringComparison.Ordinal);
        Assert.Equal("storage", (string?)key["labels"]!["team"]);
        Assert.Equal("ENABLED", (string?)key["primary"]!["state"]);
    }

    [Fact]
    public async Task ItSaysWhatTheSandboxRefused()
    {
        await using GcpWire wire = await GcpWire.WithKeyAsync();
        using GcloudCli gcloud = new(wire);
        string[] errors = await Task.WhenAll(
            gcloud.FailAsync("kms keyrings create ring --location=us-east1"),
            gcloud.FailAsync("kms keys describe none" + Where));
        Assert.Contains("already exists", errors[0], StringComparison.Ordinal);
        Assert.Contains("NOT_FOUND", errors[1], StringComparison.Ordinal);
    }
}
