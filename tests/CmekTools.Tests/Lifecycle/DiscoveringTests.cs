using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>Which clouds are searched for keys, and what is said of one that could not be.</summary>
public sealed class DiscoveringTests
{
    private static async Task<TestOperationHost> DiscoverAsync(LifeScene scene, string[] regions, string[] projects)
    {
        scene.Server.ClearExchanges();
        TestOperationHost host = new();
        await Discovering.DiscoverAsync(new DiscoveryPlaces(regions, projects), scene.Run(host));
        return host;
    }

    private static (bool Aws, bool Google) Asked(LifeScene scene) => (
        scene.Server.Exchanges.Any(e => e.Request.Service == "kms"),
        scene.Server.Exchanges.Any(e => e.Request.Service.StartsWith("gcp", StringComparison.Ordinal)));

    [Fact]
    public async Task WhatIsNamedSaysWhichCloudIsSearched()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        TestOperationHost host = await DiscoverAsync(scene, [scene.Region], []);
        Assert.Equal(key.KeyUri, Assert.IsType<CmekKey>(Assert.Single(host.Output)).KeyUri);
        Assert.Equal((true, false), Asked(scene));
        string project = scene.Server.Options.GoogleProject;
        Assert.Empty((await DiscoverAsync(scene, [], [project])).Output);
        Assert.Equal((false, true), Asked(scene));
        Assert.Single((await DiscoverAsync(scene, [scene.Region], [project])).Output);
        Assert.Equal((true, true), Asked(scene));
        Assert.Single((await DiscoverAsync(scene, [], [])).Output);
        Assert.Equal((true, true), Asked(scene));
    }

    [Fact]
    public async Task ACloudThatTheCredentialsAreNotForIsAWarningWhereNobodyNamedIt()
    {
        await using LifeScene scene = await LifeScene.StartAsync("GCP");
        CmekKey key = await scene.KeyAsync();
        scene.Answer(r => r.Service is "kms" or "sts" ? Unauthenticated(r) : null);
        TestOperationHost host = await DiscoverAsync(scene, [], []);
        string warning = Assert.Single(host.Warnings);
        Assert.StartsWith("AWS was not looked at", warning, StringComparison.Ordinal);
        Assert.EndsWith("-Project leaves it out.", warning, StringComparison.Ordinal);
        Assert.Empty(host.Errors);
        Assert.Equal(key.KeyUri, Assert.IsType<CmekKey>(Assert.Single(host.Output)).KeyUri);
    }

    [Fact]
    public async Task ACloudWithoutAProjectIsAWarningAndWhereThereIsNoneAtAllEachIsAnError()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        using EngineKit kit = EngineKit.Create(scene.Session.ProviderOptions with { GoogleProject = null });
        TestOperationHost host = new();
        await Discovering.DiscoverAsync(new DiscoveryPlaces([], []), kit.Run(host));
        string warning = Assert.Single(host.Warnings);
        Assert.StartsWith("Google Cloud was not looked at", warning, StringComparison.Ordinal);
        Assert.EndsWith("-Region leaves it out.", warning, StringComparison.Ordinal);
        Assert.Empty(host.Errors);
        Assert.Equal(key.KeyUri, Assert.IsType<CmekKey>(Assert.Single(host.Output)).KeyUri);

        scene.Answer(r => r.Service is "kms" or "sts" ? Unauthenticated(r) : null);
        host = new();
        await Discovering.DiscoverAsync(new DiscoveryPlaces([], []), kit.Run(host));
        Assert.Empty(host.Warnings);
        Assert.Equal(2, host.Errors.Count);
    }

    private static SandboxResponse Unauthenticated(SandboxRequest request) => request.Service switch
    {
        not "sts" => new() { Status = 400, Body = """{"__type":"UnrecognizedClientException","message":"no such key"}""" },
        _ => new()
        {
            Status = 403,
            ContentType = "text/xml",
            Body = """
                <ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>no such key</Message></Error>
                <RequestId>1</RequestId></ErrorResponse>
                """,
        },
    };
}
