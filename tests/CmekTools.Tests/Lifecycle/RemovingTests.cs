using CmekTools.Engine.Access;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Lifecycle;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>When a key's deletion is scheduled, and when it is not.</summary>
public sealed class RemovingTests
{
    private static int Deletions(LifeScene scene) =>
        scene.Count("ScheduleKeyDeletion") + scene.Count("cryptoKeyVersions.destroy");

    [Theory]
    [InlineData("AWS", null)]
    [InlineData("AWS", 9)]
    [InlineData("GCP", null)]
    public async Task AKeyThatNobodyUsesIsScheduledOnce(string cloud, int? days)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        await scene.Provider.MarkRevokedAsync(key.KeyUri!, [scene.Shop], scene.Run());
        TestOperationHost host = new();
        CmekKey removed = await Removing.RemoveAsync(key.KeyUri!, days, [scene.Shop.Id], scene.Run(host));
        Assert.Equal(CmekKeyState.PendingDeletion, removed.State);
        Assert.True(removed.Changed);
        Assert.Equal(1, Deletions(scene));
        Assert.Equal(RetirementMark.None, (await scene.Provider.ReadMarksAsync(key.KeyUri!, scene.Run())).Retirement);
        (string target, string action) = host.Questions.First();
        Assert.Equal(key.KeyUri, target);
        Assert.Equal(cloud == "AWS", action.Contains($" in {days ?? 30} days", StringComparison.Ordinal));
        Assert.DoesNotContain(host.Verbose, v => v.Contains("already", StringComparison.Ordinal));
        Assert.Empty(host.Warnings);
        if (cloud == "AWS")
        {
            Assert.Equal(days ?? 30, (int)scene.Sent("ScheduleKeyDeletion")["PendingWindowInDays"]!);
        }

        host = new();
        CmekKey again = await Removing.RemoveAsync(key.KeyUri!, null, [scene.Shop.Id], scene.Run(host));
        Assert.False(again.Changed);
        Assert.Equal(CmekKeyState.PendingDeletion, again.State);
        Assert.Empty(host.Questions);
        Assert.Contains(host.Verbose, v => v.Contains("is PendingDeletion already", StringComparison.Ordinal));
        Assert.Equal(1, Deletions(scene));
    }

    [Fact]
    public async Task WhoIsKnownToBeLetInStandsInTheQuestion()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey free = await scene.KeyAsync();
        TestOperationHost host = new() { Answer = (_, _) => false };
        Assert.False((await Removing.RemoveAsync(free.KeyUri!, null, [scene.Shop.Id], scene.Run(host))).Changed);
        CmekAccess granted = await scene.AccessAsync(scene.Second);
        Assert.False((await Removing.RemoveAsync(granted.KeyUri!, null, [scene.Shop.Id], scene.Run(host))).Changed);
        Assert.Contains("it is known to", host.Questions.Last().Action, StringComparison.Ordinal);
        Assert.Contains(granted.AuthPrincipal!, host.Questions.Last().Action, StringComparison.Ordinal);
        Assert.Equal(0, Deletions(scene));
    }

    [Fact]
    public async Task APlanAsksOnceAndSendsNothing()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        TestOperationHost host = new() { WhatIf = true };
        Assert.Equal(CmekKeyState.Enabled, (await Removing.RemoveAsync(key.KeyUri!, null, [scene.Shop.Id], scene.Run(host))).State);
        Assert.Single(host.Questions);
        Assert.Empty(host.Verbose);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatAClusterListsIsRefused(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess access = (await scene.EnabledAsync())[0];
        CmekException refused = await LifeScene.RefusedAsync(
            "KeyInUse",
            () => Removing.RemoveAsync(access.KeyUri!, null, [scene.Shop.Id], scene.Run()));
        Assert.Contains("is in use", refused.Message, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatMeansNothingIsRefusedBeforeAnyRequest()
    {
        await using LifeScene scene = await LifeScene.StartAsync("GCP");
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("KeyUriInvalid", () => Removing.RemoveAsync(key.KeyUri + "/", null, [], scene.Run()));
        await LifeScene.RefusedAsync("ParameterOfOtherCloud", () => Removing.RemoveAsync(key.KeyUri!, 7, [], scene.Run()));
        Assert.Empty(scene.Server.Exchanges);
    }

    // The question stood for so long that somebody took the key into use meanwhile.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AfterALongQuestionItIsLookedAtAnew(bool late)
    {
        TimedClock clock = new();
        await using LifeScene scene = await LifeScene.StartAsync(time: clock);
        CmekKey key = await scene.KeyAsync();
        TestOperationHost host = new()
        {
            Answer = (_, _) =>
            {
                clock.Advance(late ? KeyUses.Lasting + TimeSpan.FromSeconds(1) : KeyUses.Lasting - TimeSpan.FromSeconds(10));
                return true;
            },
        };
        scene.Server.ClearExchanges();
        await Removing.RemoveAsync(key.KeyUri!, null, [scene.Shop.Id], scene.Run(host));
        Assert.Equal(late ? 2 : 1, scene.Count("ListClusters"));
        Assert.Equal(late ? 2 : 1, scene.Count("ListGrants"));
    }

    [Fact]
    public async Task APrimaryWithCopiesIsSaidToLiveAsLongAsTheyDo()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        TestOperationHost made = new();
        await Keys.MakeAsync(scene.Shop, [], false, false, new KeyOptions { MultiRegion = true }, scene.Run(made));
        string primary = made.Output.Cast<CmekKey>().First().KeyUri!;
        TestOperationHost host = new() { Answer = (_, _) => false };
        await Removing.RemoveAsync(primary, null, [scene.Shop.Id], scene.Run(host));
        Assert.Empty(host.Warnings);
        host = new();
        await Removing.RemoveAsync(primary, null, [scene.Shop.Id], scene.Run(host));
        string warning = Assert.Single(host.Warnings);
        Assert.Contains("multi-region primary", warning, StringComparison.Ordinal);
        Assert.Contains("us-west-2", warning, StringComparison.Ordinal);
    }
}
