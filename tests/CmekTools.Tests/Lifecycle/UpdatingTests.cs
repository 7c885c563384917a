using System.Text.Json.Nodes;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Access;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What moving to other keys, wrapping anew and rotating send, when they send nothing, and what they refuse.</summary>
public sealed class UpdatingTests
{
    private static Task<CmekStatus> MoveAsync(
        LifeScene scene,
        CmekAccess[] accesses,
        TestOperationHost? host = null,
        SwitchOptions? options = null,
        bool rotate = false,
        bool past = false,
        CmekCluster? cluster = null) =>
        Updating.MoveAsync(
            cluster ?? scene.Shop,
            accesses,
            rotate,
            past,
            options ?? LifeScene.NoWait,
            scene.Run(host ?? new TestOperationHost()));

    private static Task<CmekStatus> RewrapAsync(
        LifeScene scene,
        TestOperationHost? host = null,
        SwitchOptions? options = null,
        bool rotate = false,
        params string[] regions) =>
        Updating.RewrapAsync(scene.Shop, regions, rotate, options ?? LifeScene.NoWait, scene.Run(host ?? new TestOperationHost()));

    private static string[] Sent(LifeScene scene) =>
        [.. scene.Sent("UpdateCmek")["region_specs"]!.AsArray().Select(s => $"{s!["region"]} {s["key_spec"]!["uri"]}")];

    private static int Rotations(LifeScene scene) =>
        scene.Count("RotateKeyOnDemand") + scene.Count("cryptoKeyVersions.create");

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task OnlyWhatMovesIsSentAndTheOldKeyIsToBeKept(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        scene.Server.ClearExchanges();
        TestOperationHost host = new();
        CmekStatus status = await MoveAsync(scene, [next, before[1]], host, LifeScene.Wait);
        Assert.True(status.Changed);
        Assert.Empty(status.Rotations);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Equal(next.KeyUri, status.Regions.Single(r => r.Region == scene.Region).KeyUri);
        Assert.Equal(["UpdateCmek"], scene.Writes);
        CmekJournalEntry entry = JournalReader.Read(scene.Session.Journal.FilePath).Last(e => e.Kind == "cmek:Update");
        Assert.Equal(scene.Shop.Id, entry.ClusterId);
        Assert.Equal([$"{scene.Region} {next.KeyUri}"], Sent(scene));
        string warning = Assert.Single(host.Warnings);
        Assert.EndsWith($"Keep {before[0].KeyUri}.", warning, StringComparison.Ordinal);
        Assert.Contains($"move {scene.Region} to other keys", Assert.Single(host.Questions).Action, StringComparison.Ordinal);
        Assert.DoesNotContain("wrap the store key", host.Questions.Single().Action, StringComparison.Ordinal);

        host = new();
        status = await MoveAsync(scene, [next, before[1]], host, LifeScene.Wait);
        Assert.False(status.Changed);
        Assert.Contains(host.Verbose, v => v.Contains("uses these keys already", StringComparison.Ordinal));
        Assert.Empty(host.Warnings);
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    [Fact]
    public async Task AMoveThatIsUnderWayIsNotSentAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        scene.Freeze();
        scene.Server.ClearExchanges();
        Assert.Equal(CmekState.ROTATING, (await MoveAsync(scene, [next])).State);
        TestOperationHost host = new();
        CmekStatus status = await MoveAsync(scene, [next], host);
        Assert.False(status.Changed);
        Assert.Empty(host.Warnings);
        Assert.DoesNotContain(host.Verbose, v => v.Contains("uses these keys already", StringComparison.Ordinal));
        Assert.Equal(["UpdateCmek"], scene.Writes);
        scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.Zero };
        Assert.Equal(CmekState.ENABLED, (await MoveAsync(scene, [next], options: LifeScene.Wait)).State);
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    [Fact]
    public async Task AMoveThatFailedIsSentOnceMore()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        scene.Put(scene.Region, "ROTATE_FAILED");
        TestOperationHost host = new();
        Assert.True((await MoveAsync(scene, [before[0]], host)).Changed);
        Assert.Equal([$"{scene.Region} {before[0].KeyUri}"], Sent(scene));
        Assert.Empty(host.Warnings);
    }

    [Theory]
    [InlineData("DISABLED", "CmekNotEnabled")]
    [InlineData("ENABLING", "ClusterBusy")]
    [InlineData("ENABLE_FAILED", "CmekNotEnabled")]
    [InlineData("REVOKED", "ClusterRevoked")]
    public async Task AStateThatItCannotLeaveIsRefused(string state, string errorId)
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { VendorRecovers = false });
        await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(scene.Second, generation: 2);
        scene.Put(scene.Second, state);
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync(errorId, () => MoveAsync(scene, [next], options: LifeScene.Unchecked));
        await LifeScene.RefusedAsync(errorId, () => RewrapAsync(scene, options: LifeScene.Unchecked));
        Assert.Empty(scene.Writes);

        // The other region is none of that.
        if (state != "REVOKED")
        {
            Assert.True((await RewrapAsync(scene, options: LifeScene.Unchecked, regions: scene.Region)).Changed);
        }
    }

    [Fact]
    public async Task WhatCannotBeIsRefusedBeforeItIsSent()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        await scene.CutAsync(next);
        scene.Server.ClearExchanges();
        CmekCluster basic = scene.Shop with { Plan = "BASIC" };
        await LifeScene.RefusedAsync("ClusterPlanUnsupported", () => MoveAsync(scene, [next], cluster: basic));
        await LifeScene.RefusedAsync(
            "ClusterPlanUnsupported",
            () => Updating.RewrapAsync(basic, [], false, LifeScene.NoWait, scene.Run()));
        await LifeScene.RefusedAsync("RegionUnknown", () => MoveAsync(scene, [before[0] with { Region = "nowhere" }]));
        await LifeScene.RefusedAsync("RegionUnknown", () => RewrapAsync(scene, regions: "nowhere"));
        await LifeScene.RefusedAsync("PreflightFailed", () => MoveAsync(scene, [next]));
        Assert.Empty(scene.Writes);
        await LifeScene.RefusedAsync("KeyAccessDenied", () => MoveAsync(scene, [next], options: LifeScene.Unchecked));
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatIsDeclinedIsNotSentAndNotRotated(bool rewrap)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        scene.Server.ClearExchanges();
        TestOperationHost host = new() { WhatIf = true };
        CmekStatus status = rewrap
            ? await RewrapAsync(scene, host, LifeScene.Wait, rotate: true)
            : await MoveAsync(scene, [next], host, LifeScene.Wait, rotate: true);
        Assert.False(status.Changed);
        Assert.Empty(status.Rotations);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Empty(scene.Writes);
        Assert.DoesNotContain(Journal(scene), l => (string?)l["kind"] == "cmek:RotateRun");
    }

    [Fact]
    public async Task AKeyThatARegionMovedAwayFromIsTakenOnlyWhereThatIsSaid()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        await MoveAsync(scene, [next], options: LifeScene.Wait);
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("KeyLeftBehind", () => MoveAsync(scene, [before[0]]));
        Assert.Empty(scene.Writes);
        Assert.True((await MoveAsync(scene, [before[0]], past: true, options: LifeScene.Wait)).Changed);
        Assert.Equal([$"{scene.Region} {before[0].KeyUri}"], Sent(scene));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task TheSameKeysAreSentAgainAndWaitedForUntilTheyAreWrapped(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        TestOperationHost host = new();
        CmekStatus status = await RewrapAsync(scene, host, LifeScene.Wait);
        Assert.True(status.Changed);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Equal(before.Select(b => $"{b.Region} {b.KeyUri}"), Sent(scene));
        Assert.Equal(1, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Region));
        Assert.Equal(1, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Second));
        Assert.Contains("older versions must stay usable", Assert.Single(host.Warnings), StringComparison.Ordinal);
        string asked = Assert.Single(host.Questions).Action;
        Assert.Contains($"wrap the store key of {scene.Region}, {scene.Second} anew", asked, StringComparison.Ordinal);
        Assert.DoesNotContain("to other keys", asked, StringComparison.Ordinal);

        scene.Server.ClearExchanges();
        await RewrapAsync(scene, host, LifeScene.Wait, false, scene.Second, scene.Second.ToUpperInvariant());
        Assert.Equal([$"{before[1].Region} {before[1].KeyUri}"], Sent(scene));
    }

    [Fact]
    public async Task ARegionThatIsBeingWrappedIsWaitedForAndNotSentAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        scene.Freeze();
        await RewrapAsync(scene, regions: scene.Region);
        scene.Server.ClearExchanges();
        TestOperationHost host = new();
        Assert.False((await RewrapAsync(scene, host, regions: scene.Region)).Changed);
        Assert.Contains(host.Verbose, v => v.Contains("is being rotated already", StringComparison.Ordinal));
        Assert.Empty(host.Warnings);
        Assert.Empty(scene.Writes);
        scene.Answer(r => r.Operation == "UpdateCmek" ? LifeScene.Fault(403, "not for you") : null);
        await Assert.ThrowsAnyAsync<CmekException>(() => RewrapAsync(scene, options: LifeScene.Unchecked));
        Assert.Equal([$"{scene.Second} {before[1].KeyUri}"], Sent(scene));
        scene.Server.Before = null;
        scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.Zero };
        Assert.Equal(CmekState.ENABLED, (await RewrapAsync(scene, options: LifeScene.Wait, regions: scene.Region)).State);
    }

    // ENABLED was true before the request too, and a look may be behind.
    [Fact]
    public async Task ALookFromBeforeTheRequestIsNotTakenForItsEnd()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        string old = string.Empty;
        int stale = 3;
        bool sent = false;
        scene.Server.After = (r, answer) =>
        {
            sent |= r.Operation == "UpdateCmek";
            if (r.Operation == "GetCmek" && !sent)
            {
                old = answer.Body;
            }

            bool behind = sent && r.Operation is "GetCmek" or "UpdateCmek" && stale-- > 0;
            return Task.FromResult(behind ? new SandboxResponse { Body = old } : null);
        };
        await RewrapAsync(scene, options: LifeScene.Wait);
        Assert.True(stale < 0);
        Assert.Equal(1, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Region));
    }

    // The answer to the request says ROTATING, and one look after it is from before the request.
    [Fact]
    public async Task OneLookThatIsBehindIsNotTakenForTheEndOfARotationThatWasSeenToBegin()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekStatus was = await scene.Session.Cloud.GetCmekAsync(scene.Shop, TestContext.Current.CancellationToken);
        string old = string.Empty;
        int stale = 1;
        bool sent = false;
        scene.Server.After = (r, answer) =>
        {
            if (r.Operation == "GetCmek" && !sent)
            {
                old = answer.Body;
            }

            bool behind = sent && r.Operation == "GetCmek" && stale-- > 0;
            sent |= r.Operation == "UpdateCmek";
            return Task.FromResult(behind ? new SandboxResponse { Body = old } : null);
        };
        CmekStatus status = await RewrapAsync(scene, options: LifeScene.Wait);
        Assert.True(stale < 1);
        DateTimeOffset? Changed(CmekStatus of) => of.Regions.Single(r => r.Region == scene.Region).Current!.UpdatedAt;
        Assert.NotEqual(Changed(was), Changed(status));
    }

    [Theory]
    [InlineData("AWS", false)]
    [InlineData("GCP", false)]
    [InlineData("AWS", true)]
    public async Task EveryKeyIsRotatedOnceBeforeItIsWrapped(string cloud, bool move)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        TestOperationHost host = new();
        CmekStatus status = move
            ? await MoveAsync(scene, before, host, LifeScene.Wait, rotate: true)
            : await RewrapAsync(scene, host, LifeScene.Wait, rotate: true);
        Assert.True(status.Changed);
        Assert.Equal(before.Select(b => b.KeyUri), status.Rotations.Select(r => r.KeyUri));
        Assert.Equal(2, Rotations(scene));
        Assert.Equal("UpdateCmek", scene.Writes[^1]);
        Assert.Equal(before.Select(b => $"{b.Region} {b.KeyUri}"), Sent(scene));
        Assert.Equal(1, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Region));
        JsonObject[] run = [.. Journal(scene).Where(l => (string?)l["kind"] == "cmek:RotateRun")];
        Assert.Equal("done", JournalReader.Read(scene.Session.Journal.FilePath).Last(e => e.Kind == "cmek:RotateRun").Outcome);
        Assert.NotEmpty(run);

        // The run is over: the next one makes new versions.
        await RewrapAsync(scene, host, LifeScene.Wait, rotate: true);
        Assert.Equal(4, Rotations(scene));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARunThatWasInterruptedIsGoneOnWithForADay(bool late)
    {
        ShiftedClock clock = new();
        await using LifeScene scene = await LifeScene.StartAsync(time: clock);
        CmekAccess[] before = await scene.EnabledAsync();
        scene.Answer(r => r.Operation == "UpdateCmek" ? LifeScene.Fault(403, "not for you") : null);
        await Assert.ThrowsAnyAsync<CmekException>(() => MoveAsync(scene, before[..1], rotate: true));
        Assert.Equal(1, Rotations(scene));
        scene.Server.Before = null;
        clock.Shift(late ? TimeSpan.FromHours(25) : TimeSpan.FromSeconds(1));
        TestOperationHost host = new();
        CmekStatus status = await RewrapAsync(scene, host, rotate: true);
        Assert.True(status.Changed);
        if (late)
        {
            Assert.Contains(host.Warnings, w => w.Contains("was never finished", StringComparison.Ordinal));
            Assert.Equal(3, Rotations(scene));
            Assert.Equal(2, status.Rotations.Count);
        }
        else
        {
            Assert.Contains(
                host.Warnings,
                w => w.Contains($"{before[0].KeyUri} was rotated by the run that was interrupted", StringComparison.Ordinal));
            Assert.Equal(2, Rotations(scene));
            Assert.Equal([before[1].KeyUri], status.Rotations.Select(r => r.KeyUri));
        }
    }

    [Fact]
    public async Task ARotationUnderWayComesToItsEndFirstOrIsToldWhereNobodyWaits()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        scene.Freeze();
        await RewrapAsync(scene, regions: scene.Region);
        scene.Server.ClearExchanges();
        CmekException busy = await LifeScene.RefusedAsync("ClusterBusy", () => RewrapAsync(scene, rotate: true));
        Assert.Contains($"is being rotated in {scene.Region}:", busy.Message, StringComparison.Ordinal);
        await LifeScene.RefusedAsync(
            "ClusterBusy",
            () => RewrapAsync(scene, new TestOperationHost { WhatIf = true }, LifeScene.Wait, rotate: true));
        Assert.Empty(scene.Writes);
        TestOperationHost host = new();
        scene.Answer(r =>
        {
            if (r.Operation == "GetCmek" && host.Verbose.Any(v => v.Contains("waited for first", StringComparison.Ordinal)))
            {
                scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.FromMilliseconds(20) };
            }

            return null;
        });
        CmekStatus status = await RewrapAsync(scene, host, LifeScene.Wait, rotate: true);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Equal(2, status.Rotations.Count);
        Assert.Equal(2, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Region));
    }

    [Fact]
    public async Task HowManyRotationsAreLeftIsSaidInTime()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        int used = 0;
        foreach (int upTo in (int[])[1, 19, 20, 25])
        {
            for (; used < upTo; used++)
            {
                await scene.Provider.RotateKeyAsync(before[0].KeyUri!, scene.Run());
            }

            scene.Server.ClearExchanges();
            TestOperationHost host = new();
            Task<CmekStatus> Rotate() => RewrapAsync(scene, host, LifeScene.NoWait, true, scene.Region);
            if (upTo == 25)
            {
                await LifeScene.RefusedAsync("RotationLimitReached", Rotate);
                Assert.Empty(scene.Writes);
                break;
            }

            await Rotate();
            await scene.SettledAsync();
            used++;
            bool Tells(string text) => text.StartsWith($"{upTo} of 25 on-demand rotations", StringComparison.Ordinal)
                && text.EndsWith($"leaves {24 - upTo}.", StringComparison.Ordinal);
            Assert.Equal(upTo < 20, host.Verbose.Any(Tells));
            Assert.Equal(upTo == 20, host.Warnings.Any(Tells));
        }
    }

    [Fact]
    public async Task HowManyAreLeftIsWarnedOfWhereItCannotBeRead()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        scene.Answer(r => r.Operation == "ListKeyRotations" ? scene.Forbidden() : null);
        TestOperationHost host = new();
        await RewrapAsync(scene, host, LifeScene.NoWait, true, scene.Region);
        Assert.Contains(host.Warnings, w => w.Contains("could not be read", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARequestWhoseAnswerWasLostIsLookedForAndNotSentTwice(bool rewrap)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        scene.Server.ClearExchanges();
        bool lost = false;
        scene.Server.After = (r, _) =>
        {
            bool now = r.Operation == "UpdateCmek" && !lost;
            lost |= now;
            return Task.FromResult(now ? SandboxResponse.None : null);
        };
        CmekStatus status = rewrap ? await RewrapAsync(scene) : await MoveAsync(scene, [next]);
        Assert.True(status.Changed);
        Assert.Equal(["UpdateCmek"], scene.Writes);
    }

    // The request did not arrive: what the region shows was so before, and is not taken for it.
    [Fact]
    public async Task ARequestThatDidNotArriveIsSentAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        bool lost = false;
        scene.Answer(r =>
        {
            bool now = r.Operation == "UpdateCmek" && !lost;
            lost |= now;
            return now ? SandboxResponse.None : null;
        });
        await RewrapAsync(scene, options: LifeScene.Wait);
        Assert.Equal(2, scene.Count("UpdateCmek"));
        Assert.Equal(1, scene.CloudApi.Rewraps(scene.Shop.Id, scene.Region));
    }

    private static JsonObject[] Journal(LifeScene scene) => new JournalLines(scene.Session.Journal.FilePath).All;
}
