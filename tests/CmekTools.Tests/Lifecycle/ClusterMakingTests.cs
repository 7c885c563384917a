using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>Which cluster is made, which is found, and what is waited for.</summary>
public sealed class ClusterMakingTests
{
    private static readonly ClusterPlan s_plan = new(
        "freshly",
        CmekProvider.AWS,
        new Dictionary<string, int> { ["us-west-2"] = 5, ["us-east-1"] = 3 },
        4,
        15,
        null,
        null);

    private static Task<CmekCluster?> MakeAsync(
        LifeScene scene,
        TestOperationHost host,
        ClusterPlan? plan = null,
        bool wait = false,
        TimeSpan? limit = null) =>
        ClusterMaking.MakeAsync(plan ?? s_plan, wait, limit ?? TimeSpan.FromSeconds(20), scene.Run(host));

    [Fact]
    public async Task ItIsMadeOnceAndFoundByItsName()
    {
        await using LifeScene scene = await LifeScene.StartAsync(
            options: new SandboxOptions { CreateTime = TimeSpan.FromMilliseconds(30) });
        TestOperationHost host = new();
        CmekCluster? made = await MakeAsync(scene, host);
        Assert.Equal("CREATING", made!.State);
        Assert.Equal("PRIVATE", made.NetworkVisibility);
        Assert.Equal(["us-east-1 3", "us-west-2 5"], made.Regions.Select(r => $"{r.Name} {r.NodeCount}").Order(StringComparer.Ordinal));
        Assert.Contains("3 nodes in us-east-1, 5 nodes in us-west-2", Assert.Single(host.Questions).Action, StringComparison.Ordinal);
        Assert.Equal(["CreateCluster"], scene.Writes);
        Assert.Empty(host.Verbose);

        CmekCluster? found = await MakeAsync(scene, host, s_plan with { Name = "FRESHLY" }, wait: true);
        Assert.Equal((made.Id, "CREATED"), (found!.Id, found.State));
        Assert.Contains("is there already", Assert.Single(host.Verbose), StringComparison.Ordinal);
        Assert.True(host.Progress.Last().Completed);
        Assert.Equal(["CreateCluster"], scene.Writes);
    }

    [Fact]
    public async Task AnotherClusterOfTheNameIsRefused()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        foreach (ClusterPlan plan in (ClusterPlan[])[
            s_plan with { Name = "shop", Provider = CmekProvider.GCP },
            s_plan with { Name = "shop", RegionNodes = new Dictionary<string, int> { ["us-east-1"] = 3 } }])
        {
            await LifeScene.RefusedAsync("ClusterExists", () => MakeAsync(scene, new TestOperationHost(), plan));
        }

        // Its number of nodes is its own matter.
        Assert.Equal(scene.Shop.Id, (await MakeAsync(scene, new TestOperationHost(), s_plan with { Name = "shop" }))!.Id);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatIsDeclinedIsNotMade()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        Assert.Null(await MakeAsync(scene, new TestOperationHost { WhatIf = true }, wait: true));
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("CREATION_FAILED", "ClusterCreationFailed")]
    [InlineData("DELETED", "ClusterCreationFailed")]
    [InlineData("LOCKED", "StatusTimeout")]
    public async Task AClusterThatDoesNotGetThereIsTold(string state, string errorId)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        scene.Server.After = (r, _) =>
        {
            if (r.Operation == "CreateCluster")
            {
                scene.CloudApi.SetState(scene.CloudApi.IdOf("freshly"), state);
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        TestOperationHost host = new();
        CmekException refused = await LifeScene.RefusedAsync(
            errorId,
            () => MakeAsync(scene, host, wait: true, limit: TimeSpan.FromMilliseconds(40)));
        Assert.Contains(state, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(host.Progress, p => p.Completed);
        Assert.Equal(state == "LOCKED", !host.Progress.IsEmpty);
    }

    [Fact]
    public async Task ARequestWhoseAnswerWasLostIsLookedForAndNotSentTwice()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        bool lost = false;
        scene.Server.After = (r, _) =>
        {
            bool now = r.Operation == "CreateCluster" && !lost;
            lost |= now;
            return Task.FromResult(now ? SandboxResponse.None : null);
        };
        Assert.Equal("freshly", (await MakeAsync(scene, new TestOperationHost()))!.Name);
        Assert.Equal(["CreateCluster"], scene.Writes);
    }
}
