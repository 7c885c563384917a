using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What a disabling sends, and when it does not.</summary>
public sealed class DisablingTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EveryRegionGoesBackAndASecondRunSendsNothing(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        TestOperationHost host = new();
        CmekStatus status = await Disabling.DisableAsync(scene.Shop, LifeScene.Wait, scene.Run(host));
        Assert.True(status.Changed);
        Assert.Equal(CmekState.DISABLED, status.State);
        Assert.Equal(["UpdateCmek"], scene.Writes);
        CmekJournalEntry entry = JournalReader.Read(scene.Session.Journal.FilePath).Last(e => e.Kind == "cmek:Disable");
        Assert.Equal(scene.Shop.Id, entry.ClusterId);
        Assert.All(accesses, a => Assert.Contains(a.KeyUri!, entry.Before, StringComparison.Ordinal));
        Assert.Equal(
            [$"{scene.Region} NULL_KMS", $"{scene.Second} NULL_KMS"],
            scene.Sent("UpdateCmek")["region_specs"]!.AsArray().Select(s => $"{s!["region"]} {s["key_spec"]!["type"]}"));
        Assert.Contains("were left as they are", Assert.Single(host.Warnings), StringComparison.Ordinal);

        host = new();
        status = await Disabling.DisableAsync(scene.Shop, LifeScene.Wait, scene.Run(host));
        Assert.False(status.Changed);
        Assert.Contains(host.Verbose, v => v.Contains("DISABLED already", StringComparison.Ordinal));
        Assert.Empty(host.Warnings);
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    [Fact]
    public async Task WithoutWaitingItSaysThatItIsUnderWayAndIsNotSentAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        scene.Freeze();
        Assert.Equal(CmekState.DISABLING, (await Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run())).State);
        TestOperationHost host = new();
        CmekStatus status = await Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run(host));
        Assert.False(status.Changed);
        Assert.Single(host.Warnings);
        Assert.Equal(["UpdateCmek"], scene.Writes);
        scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.Zero };
        Assert.Equal(CmekState.DISABLED, (await Disabling.DisableAsync(scene.Shop, LifeScene.Wait, scene.Run())).State);
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    [Fact]
    public async Task WhatIsDeclinedIsNotSentAndNothingIsSaidOfKeys()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        TestOperationHost host = new() { WhatIf = true };
        CmekStatus status = await Disabling.DisableAsync(scene.Shop, LifeScene.Wait, scene.Run(host));
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.False(status.Changed);
        Assert.Empty(host.Warnings);
        Assert.Contains("us-east-1, us-west-2", Assert.Single(host.Questions).Action, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("DISABLED")]
    [InlineData("DISABLING")]
    public async Task OnlyTheRegionsThatHaveAKeyAreSent(string other)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        scene.Put(scene.Second, other);
        await Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run());
        Assert.Equal(scene.Region, (string?)Assert.Single(scene.Sent("UpdateCmek")["region_specs"]!.AsArray())!["region"]);
    }

    [Theory]
    [InlineData("ENABLING", "ClusterBusy")]
    [InlineData("ROTATING", "ClusterBusy")]
    [InlineData("REVOKED", "ClusterRevoked")]
    [InlineData("REVOKE_FAILED", "ClusterRevoked")]
    public async Task AStateThatItCannotLeaveIsRefused(string state, string errorId)
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { VendorRecovers = false });
        await scene.EnabledAsync();
        scene.Put(scene.Second, state);
        await LifeScene.RefusedAsync(errorId, () => Disabling.DisableAsync(scene.Shop, LifeScene.Unchecked, scene.Run()));
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARegionThatCannotUseItsKeyIsToldBeforeAnythingIsSent(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        await scene.CutAsync(accesses[1]);
        scene.Server.ClearExchanges();
        CmekException refused = await LifeScene.RefusedAsync(
            "KeyAccessBroken",
            () => Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run()));
        // On Google Cloud the account's tokens are stopped with it: the first region of the account is the one that is told.
        Assert.Contains(cloud == "AWS" ? $"shop/{scene.Second}" : "shop/", refused.Message, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);

        // Whoever skips that look hears it from the service, and not that there is no such call.
        await LifeScene.RefusedAsync(
            "KeyAccessDenied",
            () => Disabling.DisableAsync(scene.Shop, LifeScene.Unchecked, scene.Run()));
    }

    [Fact]
    public async Task AKeyOfARegionThatIsGoingBackAlreadyIsNotLookedAt()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        await scene.CutAsync(accesses[1]);
        scene.Put(scene.Second, "DISABLING");
        Assert.True((await Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run())).Changed);
    }

    [Fact]
    public async Task AServiceWithoutThatCallIsAnsweredWithARequestForTheVendor()
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { TakesNullKms = false });
        await scene.EnabledAsync();
        CmekException refused = await LifeScene.RefusedAsync(
            "DisableUnsupported",
            () => Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run()));
        Assert.Contains("NULL_KMS", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Please move our cluster from CMEK back", refused.RecommendedAction, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(404, true)]
    [InlineData(405, true)]
    [InlineData(501, true)]
    [InlineData(403, false)]
    [InlineData(409, false)]
    public async Task OnlyARefusalOfTheCallItselfMeansThatThereIsNone(int status, bool unsupported)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        scene.Answer(r => r.Operation == "UpdateCmek" ? LifeScene.Fault(status, "no") : null);
        CmekException refused = await Assert.ThrowsAnyAsync<CmekException>(
            () => Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run()));
        Assert.Equal(unsupported, refused.ErrorId == "DisableUnsupported");
    }

    [Fact]
    public async Task ARequestWhoseAnswerWasLostIsLookedForAndNotSentTwice()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        bool lost = false;
        scene.Server.After = (r, _) =>
        {
            bool now = r.Operation == "UpdateCmek" && !lost;
            lost |= now;
            return Task.FromResult(now ? SandboxResponse.None : null);
        };
        CmekStatus status = await Disabling.DisableAsync(scene.Shop, LifeScene.NoWait, scene.Run());
        Assert.True(status.Changed);
        Assert.Equal(["UpdateCmek"], scene.Writes);
        Assert.NotEqual(CmekState.ENABLED, status.State);
    }
}
