using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>Which keys are made for which regions, which generation, and which are listed in which order.</summary>
public sealed class KeysTests
{
    private static readonly KeyOptions s_plain = new();

    private static async Task<CmekKey[]> MakeAsync(
        LifeScene scene,
        TestOperationHost host,
        string[]? regions = null,
        bool newRegions = false,
        bool newGeneration = false,
        KeyOptions? options = null,
        CmekCluster? cluster = null)
    {
        int before = host.Output.Count;
        await Keys.MakeAsync(cluster ?? scene.Shop, regions ?? [], newRegions, newGeneration, options ?? s_plain, scene.Run(host));
        return [.. host.Output.Skip(before).Cast<CmekKey>()];
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ThereIsOneForEachRegionAndASecondRunMakesNone(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        TestOperationHost host = new();
        CmekKey[] made = await MakeAsync(scene, host);
        Assert.Equal([scene.Region, scene.Second], made.Select(k => k.Region));
        Assert.All(made, k => Assert.True(k.Made));
        Assert.All(made, k => Assert.NotNull(k.KeylessBefore));
        Assert.DoesNotContain(host.Verbose, v => v.Contains("is as it should be", StringComparison.Ordinal));
        scene.Server.ClearExchanges();
        CmekKey[] again = await MakeAsync(scene, host);
        Assert.Equal(made.Select(k => k.KeyUri), again.Select(k => k.KeyUri));
        Assert.All(again, k => Assert.Null(k.KeylessBefore));
        Assert.Equal(2, host.Verbose.Count(v => v.Contains("is as it should be", StringComparison.Ordinal)));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatIsPlannedIsNotSaidToBeThere()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        TestOperationHost host = new() { WhatIf = true };
        CmekKey[] planned = await MakeAsync(scene, host);
        Assert.All(planned, k => Assert.Equal(CmekKeyState.Planned, k.State));
        Assert.All(planned, k => Assert.Null(k.KeylessBefore));
        Assert.DoesNotContain(host.Verbose, v => v.Contains("is as it should be", StringComparison.Ordinal));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task OfAClusterThatHasKeysItIsNotSaidThatItHadNone()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekKey made = Assert.Single(await MakeAsync(scene, new TestOperationHost(), [scene.Region], newGeneration: true));
        Assert.True(made.Made);
        Assert.Null(made.KeylessBefore);
    }

    [Fact]
    public async Task OnlyTheRegionsThatAreNamedGetOneAndEachOnce()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        TestOperationHost host = new();
        Assert.Equal(
            [scene.Second],
            (await MakeAsync(scene, host, [scene.Second, scene.Second.ToUpperInvariant()])).Select(k => k.Region));
        await LifeScene.RefusedAsync("RegionUnknown", () => MakeAsync(scene, host, ["eu-central-1"]));
        await LifeScene.RefusedAsync("RegionUnknown", () => MakeAsync(scene, host, [string.Empty], newRegions: true));
        await LifeScene.RefusedAsync("RegionUnknown", () => MakeAsync(scene, host, ["useast1"], newRegions: true));
        Assert.Equal(
            ["eu-central-1", scene.Region],
            (await MakeAsync(scene, host, ["EU-CENTRAL-1", scene.Region], newRegions: true)).Select(k => k.Region));
    }

    [Fact]
    public async Task WhatCannotBeMadeIsRefusedBeforeAnyRequest()
    {
        await using LifeScene scene = await LifeScene.StartAsync("GCP");
        TestOperationHost host = new();
        await LifeScene.RefusedAsync(
            "ClusterPlanUnsupported",
            () => MakeAsync(scene, host, cluster: scene.Shop with { Plan = "BASIC" }));
        await LifeScene.RefusedAsync("ParameterOfOtherCloud", () => MakeAsync(scene, host, options: s_plain with { AliasName = "a" }));
        await LifeScene.RefusedAsync(
            "ParameterOfOtherCloud",
            () => Keys.ListAsync(scene.Shop, s_plain with { AliasName = "a" }, scene.Run()));
        KeyOptions shared = s_plain with { KeyName = "one", Location = "us-east1" };
        await LifeScene.RefusedAsync("KeyNameShared", () => MakeAsync(scene, host, options: shared));
        await LifeScene.RefusedAsync("KeyNameShared", () => MakeAsync(scene, host, [scene.Region, scene.Second], options: shared));
        Assert.Empty(scene.Server.Exchanges);

        // One region, or a name that is in each region's own place, is no key for all of them.
        Assert.Single(await MakeAsync(scene, host, [scene.Region], options: shared));
        Assert.Equal(2, (await MakeAsync(scene, host, options: s_plain with { KeyName = "each" })).Length);
        Assert.Equal(2, (await MakeAsync(scene, host, options: s_plain with { Location = "us-east1" })).Length);
    }

    [Fact]
    public async Task OneAliasMayBeInEveryRegion()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey[] made = await MakeAsync(scene, new TestOperationHost(), options: s_plain with { AliasName = "shared" });
        Assert.Equal(2, made.Select(k => k.KeyUri).Distinct().Count());
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task TheNextGenerationIsMadeWhereTheLastOneWasListed(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        TestOperationHost host = new();
        CmekKey second = Assert.Single(await MakeAsync(scene, host, [scene.Region], newGeneration: true));
        Assert.True(second.Made);
        Assert.NotEqual(accesses[0].KeyUri, second.KeyUri);

        // The cluster has never listed it: a run that broke off goes on with it.
        CmekKey same = Assert.Single(await MakeAsync(scene, host, [scene.Region], newGeneration: true));
        Assert.Equal(second.KeyUri, same.KeyUri);
        Assert.False(same.Changed);

        // One that is gone is none to go on with.
        await scene.Provider.ScheduleDeletionAsync(second.KeyUri!, 30, scene.Run());
        CmekKey third = Assert.Single(await MakeAsync(scene, host, [scene.Region], newGeneration: true));
        Assert.NotEqual(second.KeyUri, third.KeyUri);

        foreach (KeyOptions named in cloud == "AWS"
            ? (KeyOptions[])[s_plain with { AliasName = "a" }]
            : [s_plain with { KeyName = "a" }])
        {
            TestOperationHost told = new();
            Assert.Empty(await MakeAsync(scene, told, [scene.Region], newGeneration: true, options: named));
            Assert.Equal("GenerationNamed", Assert.Single(told.Errors).ErrorId);
        }
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatItsRegionMovedAwayFromIsNotGivenAgain(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(scene.Second, generation: 2);
        await scene.SendAsync(scene.Shop, "PUT", next);
        await scene.SettledAsync();
        scene.Server.ClearExchanges();
        TestOperationHost host = new();
        CmekKey kept = Assert.Single(await MakeAsync(scene, host));
        Assert.Equal(scene.Region, kept.Region);
        CmekException refused = Assert.Single(host.Errors);
        Assert.Equal("KeyLeftBehind", refused.ErrorId);
        Assert.Equal(before[1].KeyUri, refused.Target);
        Assert.Contains($"in use is {next.KeyUri}", refused.Message, StringComparison.Ordinal);
        Assert.Contains(", retired 2", refused.Message, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task AnotherKeyOfARegionThatMovedAwayFromOneIsGiven()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        await scene.SendAsync(scene.Shop, "PUT", next);
        await scene.SettledAsync();
        TestOperationHost host = new();
        CmekKey given = Assert.Single(await MakeAsync(scene, host, [scene.Region], options: s_plain with { Generation = 2 }));
        Assert.Equal(next.KeyUri, given.KeyUri);
        Assert.Empty(host.Errors);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EveryKeyIsListedWithItsPlaceTheOnesInUseFirst(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        await scene.SendAsync(scene.Shop, "PUT", next);
        await scene.SettledAsync();
        TestOperationHost host = new();
        await Keys.ListAsync(scene.Shop, s_plain, scene.Run(host));
        CmekKey[] keys = [.. host.Output.Cast<CmekKey>()];
        Assert.Equal(
            [
                $"{next.KeyUri} InUse {scene.Region}", $"{before[1].KeyUri} InUse {scene.Second}",
                $"{before[0].KeyUri} Past {scene.Region}",
            ],
            keys.Select(k => $"{k.KeyUri} {k.Place} {k.Region}"));
        Assert.All(keys, k => Assert.Equal((scene.Shop.Id, "shop"), (k.ClusterId, k.ClusterName)));
        Assert.Equal([next.AuthPrincipal!], keys[0].AuthPrincipals);
        Assert.Null(keys[0].RetiredAt);
        Assert.NotNull(keys[2].RetiredAt);

        // What no cluster lists is found by its mark.
        CmekKey unused = await scene.KeyAsync(cluster: scene.Orders);
        host = new();
        await Keys.ListAsync(scene.Orders, s_plain, scene.Run(host));
        CmekKey only = Assert.IsType<CmekKey>(Assert.Single(host.Output));
        Assert.Equal((unused.KeyUri, CmekKeyPlace.Unused, scene.Region), (only.KeyUri, only.Place, only.Region));
        Assert.Empty(only.AuthPrincipals);
    }

    [Fact]
    public async Task AKeyThatCannotBeReadHidesNoOther()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        string hidden = accesses[0].KeyUri![(accesses[0].KeyUri!.LastIndexOf('/') + 1)..];
        scene.Answer(r => r.Operation == "DescribeKey" && r.Text.Contains(hidden, StringComparison.Ordinal) ? scene.Forbidden() : null);
        TestOperationHost host = new();
        await Keys.ListAsync(scene.Shop, s_plain, scene.Run(host));
        Assert.Single(host.Errors);
        Assert.Equal(accesses[1].KeyUri, Assert.IsType<CmekKey>(Assert.Single(host.Output)).KeyUri);
    }

    [Fact]
    public async Task AKeyByItsNameIsReadWhereTheNameIsOne()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("KeyUriInvalid", () => Keys.GetAsync(key.KeyUri + "/", scene.Run()));
        Assert.Empty(scene.Server.Exchanges);
        Assert.Equal(CmekKeyState.Enabled, (await Keys.GetAsync(key.KeyUri!, scene.Run())).State);
    }

    // A person answers for one region after the other.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhereAPersonIsAskedTheRegionsComeOneAfterTheOther(bool multiRegion)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        int open = 0;
        int most = 0;
        scene.Server.Before = async r =>
        {
            if (r.Operation is "CreateKey" or "ReplicateKey")
            {
                most = Math.Max(most, Interlocked.Increment(ref open));
                await Task.Delay(30, LifeScene.Cancel);
                Interlocked.Decrement(ref open);
            }

            return null;
        };
        await MakeAsync(scene, new TestOperationHost(), options: s_plain with { MultiRegion = multiRegion });
        Assert.Equal(multiRegion ? 1 : 2, most);
    }
}
