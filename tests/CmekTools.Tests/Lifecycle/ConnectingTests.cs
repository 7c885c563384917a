using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>With what a connection is made, and what it is where the service does not answer.</summary>
public sealed class ConnectingTests
{
    private static ConnectOptions Options(LifeScene scene, TempFolder folder) => new()
    {
        Server = scene.Server.BaseAddress,
        ApiKey = scene.Server.Options.ApiKey,
        Providers = scene.Session.ProviderOptions,
        RequestsPerSecond = 0,
        Timings = Timings.Sandbox with { ServicePatience = TimeSpan.FromMilliseconds(200), CallLimit = TimeSpan.FromMilliseconds(300) },
        StateFolder = folder.Path,
    };

    private static Task<SessionContext> ConnectAsync(ConnectOptions options) => Connecting.ConnectAsync(options, LifeScene.Cancel);

    [Theory]
    [InlineData("", "https://cockroachlabs.cloud", "ApiKeyMissing", "is empty")]
    [InlineData("  ", "https://cockroachlabs.cloud", "ApiKeyMissing", "is empty")]
    [InlineData("two words", "https://cockroachlabs.cloud", "ApiKeyMissing", "characters")]
    [InlineData("schlüssel", "https://cockroachlabs.cloud", "ApiKeyMissing", "characters")]
    [InlineData("key", "ftp://cockroachlabs.cloud", "ServerInvalid", "ftp:")]
    [InlineData("key", "cockroachlabs", "ServerInvalid", "cockroachlabs")]
    [InlineData("key", "https://me:secret@cockroachlabs.cloud", "ServerInvalid", "is not the address")]
    [InlineData("key", "http://cockroachlabs.cloud", "ServerInsecure", "in the clear")]
    public async Task WhatCannotBeRightIsRefusedBeforeAnyRequest(string key, string server, string errorId, string told)
    {
        using TempFolder folder = new();
        CmekException refused = await LifeScene.RefusedAsync(
            errorId,
            () => ConnectAsync(new ConnectOptions
            {
                ApiKey = key,
                Server = new Uri(server, UriKind.RelativeOrAbsolute),
                StateFolder = folder.Path,
            }));
        Assert.Contains(told, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneRequestShowsThatTheKeyIsGood()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        using TempFolder folder = new();
        ConnectOptions options = Options(scene, folder);
        using SessionContext session = await ConnectAsync(options with { ApiKey = $" {options.ApiKey}\n", IsSandbox = true });
        Assert.Equal(scene.Server.Options.OrganizationId, session.Organization.Id);
        Assert.Null(session.Offline);
        Assert.Null(session.Shared);
        Assert.Null(session.SealKey);
        Assert.True(session.IsSandbox);
        Assert.Equal(folder.Path, session.Journal.Folder);
        Assert.Equal(Who.KeyIdOf(options.ApiKey), session.Who.ApiKeyId);
        Assert.Equal(1, scene.Count("GetOrganization"));
        Assert.Single(scene.Server.Exchanges);
    }

    [Fact]
    public async Task AKeyThatIsRefusedMakesNoSessionWhereNothingWasSeenBefore()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        using TempFolder folder = new();
        ConnectOptions options = Options(scene, folder);
        await LifeScene.RefusedAsync("CloudApiKeyRejected", () => ConnectAsync(options with { ApiKey = "CCDB1_another" }));
        scene.Answer(_ => LifeScene.Fault(503, "later"));
        await Assert.ThrowsAnyAsync<CmekException>(() => ConnectAsync(options));
    }

    [Theory]
    [InlineData(503)]
    [InlineData(401)]
    public async Task WhereClustersWereSeenBeforeTheSessionIsAnOfflineOne(int status)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        using TempFolder folder = new();
        ConnectOptions options = Options(scene, folder);
        await scene.EnabledAsync();
        using (SessionContext session = await ConnectAsync(options))
        {
            await session.Cloud.GetCmekAsync(await session.Cloud.GetClusterAsync(scene.Shop.Id, LifeScene.Cancel), LifeScene.Cancel);
        }

        scene.Answer(_ => LifeScene.Fault(status, "later"));
        using SessionContext offline = await ConnectAsync(options);
        Assert.NotNull(offline.Offline);
        Assert.Equal(scene.Server.Options.OrganizationId, offline.Organization.Id);
        Assert.StartsWith("This session is offline", offline.Offline.RecommendedAction, StringComparison.Ordinal);
        scene.Server.ClearExchanges();
        CmekException closed = await Assert.ThrowsAnyAsync<CmekException>(
            () => offline.Cloud.GetClusterAsync(scene.Shop.Id, LifeScene.Cancel));
        Assert.Equal(offline.Offline.ErrorId, closed.ErrorId);
        Assert.Empty(scene.Server.Exchanges);

        // What was seen at another address is not of this service.
        await Assert.ThrowsAnyAsync<CmekException>(() => ConnectAsync(options with { Server = scene.Server.AddDoor() }));
    }

    [Fact]
    public void WhoIsNotConnectedHearsHowToBe()
    {
        CmekException plain = Connecting.NotConnected("More.");
        Assert.Equal(("NotConnected", CmekErrorKind.ConnectionError), (plain.ErrorId, plain.Kind));
        Assert.Equal("There is no connection to CockroachDB Cloud in this runspace.", plain.Message);
        Assert.Equal("Set COCKROACH_API_KEY and run Connect-CmekCloud, or give -Session. More.", plain.RecommendedAction);
        CmekException told = Connecting.NotConnected("More.", "It is old.");
        Assert.Equal("There is no connection to CockroachDB Cloud in this runspace. It is old.", told.Message);
        Assert.Equal("Run Connect-CmekCloud, or give -Session. More.", told.RecommendedAction);
    }
}
