using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What is sent for a new region, and what keeps it from being sent.</summary>
public sealed class AddingRegionTests
{
    private const string New = "eu-central-1";

    private static async Task<CmekAccess> AccessAsync(LifeScene scene, int generation = 1)
    {
        CmekKey key = await scene.Provider.EnsureKeyAsync(
            scene.Shop,
            New,
            new KeyOptions { Generation = generation },
            scene.Run());
        CmekAccess access = await scene.Provider.GrantAsync(scene.Shop, key, New, new PrincipalOptions(), scene.Run());
        scene.Server.ClearExchanges();
        return access;
    }

    [Fact]
    public async Task TheNewRegionIsSentWithEveryRegionsNodesAndASecondRunSendsNothing()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        TestOperationHost host = new();
        CmekStatus status = await AddingRegion.AddAsync(scene.Shop, [access], 5, LifeScene.Wait, scene.Run(host));
        Assert.True(status.Changed);
        Assert.Equal(CmekState.ENABLED, status.Regions.Single(r => r.Region == New).State);
        Assert.Equal(["UpdateCluster"], scene.Writes);
        CmekJournalEntry entry = JournalReader.Read(scene.Session.Journal.FilePath).Last(e => e.Kind == "cluster:Update");
        Assert.Equal(scene.Shop.Id, entry.ClusterId);
        JsonNode sent = scene.Sent("UpdateCluster")["dedicated"]!;
        Assert.Equal("""{"eu-central-1":5,"us-east-1":3,"us-west-2":3}""", sent["region_nodes"]!.ToJsonString());
        Assert.Equal(New, (string?)Assert.Single(sent["cmek_region_specs"]!.AsArray())!["region"]);
        Assert.Contains("eu-central-1 (5 nodes)", Assert.Single(host.Questions).Action, StringComparison.Ordinal);
        Assert.DoesNotContain(host.Verbose, v => v.Contains("already", StringComparison.Ordinal));

        status = await AddingRegion.AddAsync(await scene.ClusterAsync("shop"), [access], 5, LifeScene.Wait, scene.Run(host));
        Assert.False(status.Changed);
        Assert.Contains(host.Verbose, v => v.Contains("already; nothing was changed", StringComparison.Ordinal));
        Assert.Equal(["UpdateCluster"], scene.Writes);

        // Another key for a region that is there is a matter for another command.
        CmekAccess other = await AccessAsync(scene, generation: 2);
        await LifeScene.RefusedAsync(
            "RegionExists",
            async () => await AddingRegion.AddAsync(await scene.ClusterAsync("shop"), [other], 5, LifeScene.Wait, scene.Run()));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WithoutWaitingTheRegionIsOnItsWay()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        scene.Freeze();
        scene.Server.Exclusively(() => scene.CloudApi.Store.Get(scene.Shop.Id).Region(scene.Second)!.NodeCount = 1);
        CmekStatus status = await AddingRegion.AddAsync(
            await scene.ClusterAsync("shop"),
            [access],
            3,
            LifeScene.NoWait,
            scene.Run());
        Assert.True(status.Changed);
        Assert.Equal(CmekState.ENABLING, status.Regions.Single(r => r.Region == New).State);
    }

    [Fact]
    public async Task WhatIsDeclinedIsNotSent()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        CmekStatus status = await AddingRegion.AddAsync(scene.Shop, [access], 3, LifeScene.Wait, scene.Planned());
        Assert.False(status.Changed);
        Assert.Equal(2, status.Regions.Count);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("REVOKED", "ClusterRevoked")]
    [InlineData("ROTATING", "ClusterBusy")]
    [InlineData("ROTATE_FAILED", "OperationUnfinished")]
    [InlineData("DISABLED", "CmekNotEnabled")]
    public async Task AnyRegionThatIsInTheWayRefusesIt(string state, string errorId)
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { VendorRecovers = false });
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        scene.Put(scene.Second, state);
        await LifeScene.RefusedAsync(
            errorId,
            () => AddingRegion.AddAsync(scene.Shop, [access], 3, LifeScene.Unchecked, scene.Run()));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatCannotBeIsRefusedBeforeItIsSent()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        CmekRegion first = scene.Shop.Regions[0];
        Task Add(CmekCluster cluster, SwitchOptions options) =>
            AddingRegion.AddAsync(cluster, [access], 3, options, scene.Run());
        await LifeScene.RefusedAsync("ClusterPlanUnsupported", () => Add(scene.Shop with { Plan = "BASIC" }, LifeScene.NoWait));

        // What others changed since it was read is not set back.
        foreach (CmekRegion[] regions in (CmekRegion[][])[
            [first with { NodeCount = 4 }, scene.Shop.Regions[1]],
            [first with { NodeCount = 0 }, scene.Shop.Regions[1]],
            [first]])
        {
            await LifeScene.RefusedAsync("ClusterChanged", () => Add(scene.Shop with { Regions = regions }, LifeScene.NoWait));
        }

        await scene.CutAsync(access);
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("PreflightFailed", () => Add(scene.Shop, LifeScene.NoWait));
        Assert.Empty(scene.Writes);
        await LifeScene.RefusedAsync("KeyAccessDenied", () => Add(scene.Shop, LifeScene.Unchecked));
        Assert.Equal(["UpdateCluster"], scene.Writes);
    }

    [Fact]
    public async Task ARequestWhoseAnswerWasLostIsLookedForAndNotSentTwice()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess access = await AccessAsync(scene);
        bool lost = false;
        scene.Server.After = (r, _) =>
        {
            bool now = r.Operation == "UpdateCluster" && !lost;
            lost |= now;
            return Task.FromResult(now ? SandboxResponse.None : null);
        };
        Assert.True((await AddingRegion.AddAsync(scene.Shop, [access], 3, LifeScene.NoWait, scene.Run())).Changed);
        Assert.Equal(["UpdateCluster"], scene.Writes);
    }
}
