using System.Text.Json.Nodes;
using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What an enabling sends, when it sends nothing, and what it refuses in which state.</summary>
public sealed class EnablingTests
{
    private const string Denied = "region us-east-1: Insufficient permissions to access the KMS key arn: it is not there yet";

    private static async Task<CmekAccess[]> AccessesAsync(LifeScene scene) =>
        [await scene.AccessAsync(), await scene.AccessAsync(scene.Second)];

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EveryRegionIsSentOnceAndASecondRunSendsNothing(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Server.ClearExchanges();
        TestOperationHost host = new();
        CmekStatus status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.Wait, scene.Run(host));
        Assert.True(status.Changed);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.All(status.Regions, r => Assert.Equal(CmekState.ENABLED, r.State));
        Assert.Equal(["EnableCmek"], scene.Writes);
        Assert.Equal(
            accesses.Select(a => $"{a.Region} {a.KeyUri} {a.AuthPrincipal}").Order(StringComparer.Ordinal),
            scene.Sent("EnableCmek")["region_specs"]!.AsArray().Select(
                s => $"{s!["region"]} {s["key_spec"]!["uri"]} {s["key_spec"]!["auth_principal"]}"));
        Assert.Contains(accesses[0].KeyUri!, Assert.Single(host.Questions).Action, StringComparison.Ordinal);
        CmekJournalEntry entry = JournalReader.Read(scene.Session.Journal.FilePath).Last(e => e.Kind == "cmek:Enable");
        Assert.Equal((scene.Shop.Id, "done"), (entry.ClusterId, entry.Outcome));

        status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.Wait, scene.Run(host));
        Assert.False(status.Changed);
        Assert.Contains(host.Verbose, v => v.Contains("is ENABLED with these keys already", StringComparison.Ordinal));
        Assert.Equal(["EnableCmek"], scene.Writes);
    }

    [Fact]
    public async Task WhatIsUnderWayIsWatchedAndNotSentAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Freeze();
        CmekStatus status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run());
        Assert.True(status.Changed);
        Assert.Equal(CmekState.ENABLING, status.State);
        TestOperationHost host = new();
        status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run(host));
        Assert.False(status.Changed);
        Assert.Equal(CmekState.ENABLING, status.State);
        Assert.Contains(host.Verbose, v => v.Contains("is being enabled with these keys already", StringComparison.Ordinal));
        Assert.Equal(1, scene.Count("EnableCmek"));
        scene.Put(scene.Second, "ENABLED");
        Assert.False((await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run(host))).Changed);

        scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.Zero };
        status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.Wait, scene.Run());
        Assert.False(status.Changed);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Equal(1, scene.Count("EnableCmek"));
    }

    [Fact]
    public async Task WhatIsDeclinedIsNotSent()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Server.ClearExchanges();
        CmekStatus status = await Enabling.EnableAsync(
            scene.Shop,
            accesses,
            LifeScene.Wait,
            scene.Run(new TestOperationHost { Answer = (_, _) => false }));
        Assert.False(status.Changed);
        Assert.Equal(CmekState.DISABLED, status.State);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatCannotBeIsRefusedBeforeItIsSent()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        await scene.CutAsync(accesses[0]);
        scene.Server.ClearExchanges();
        Task<CmekStatus> Enable(CmekAccess[] those, SwitchOptions options, CmekCluster? cluster = null) =>
            Enabling.EnableAsync(cluster ?? scene.Shop, those, options, scene.Run());
        await LifeScene.RefusedAsync(
            "ClusterPlanUnsupported",
            () => Enable(accesses, LifeScene.NoWait, scene.Shop with { Plan = "BASIC" }));
        await LifeScene.RefusedAsync("RegionWithoutKey", () => Enable(accesses[..1], LifeScene.NoWait));
        CmekAccess nowhere = accesses[0] with { Region = "nowhere" };
        await LifeScene.RefusedAsync("RegionUnknown", () => Enable([.. accesses, nowhere], LifeScene.NoWait));
        await LifeScene.RefusedAsync("PreflightFailed", () => Enable(accesses, LifeScene.NoWait));
        Assert.Equal(0, scene.Count("EnableCmek"));

        // The service says no, and the policies say that waiting would not help.
        await LifeScene.RefusedAsync("KeyAccessDenied", () => Enable(accesses, LifeScene.Unchecked));
        Assert.Equal(1, scene.Count("EnableCmek"));
    }

    [Fact]
    public async Task AKeyThatARegionMovedAwayFromIsNotEnabledAgain()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] before = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(generation: 2);
        await scene.SendAsync(scene.Shop, "PUT", next);
        await scene.SettledAsync();
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync(
            "KeyLeftBehind",
            () => Enabling.EnableAsync(scene.Shop, before, LifeScene.NoWait, scene.Run()));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WithOtherKeysWhatIsInTheWayOfTheWholeIsToldFirst()
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { VendorRecovers = false });
        await scene.EnabledAsync();
        CmekAccess[] others = [await scene.AccessAsync(generation: 2), await scene.AccessAsync(scene.Second, generation: 2)];
        scene.Server.ClearExchanges();
        foreach ((string first, string second, string errorId, string names) in ((string, string, string, string)[])
        [
            ("ENABLED", "ENABLED", "AlreadyEnabled", "us-east-1"),
            ("ROTATING", "ENABLED", "AlreadyEnabled", "us-east-1"),
            ("ROTATE_FAILED", "ENABLED", "AlreadyEnabled", "us-east-1"),
            ("ENABLED", "DISABLE_FAILED", "OperationUnfinished", "us-west-2"),
            ("ENABLED", "DISABLING", "ClusterBusy", "us-west-2"),
            ("DISABLING", "DISABLE_FAILED", "ClusterBusy", "us-east-1"),
            ("DISABLE_FAILED", "DISABLING", "ClusterBusy", "us-west-2"),
            ("DISABLING", "REVOKED", "ClusterRevoked", "us-west-2=REVOKED"),
            ("REVOKE_FAILED", "DISABLED", "ClusterRevoked", "us-east-1=REVOKE_FAILED"),
            ("ENABLED", "ENABLE_FAILED", "AlreadyEnabled", "us-east-1"),
            ("DISABLED", "ENABLED", "AlreadyEnabled", "us-west-2"),
        ])
        {
            scene.Put(scene.Region, first);
            scene.Put(scene.Second, second);
            CmekException refused = await LifeScene.RefusedAsync(
                errorId,
                () => Enabling.EnableAsync(scene.Shop, others, LifeScene.NoWait, scene.Run()));
            Assert.Contains(names, refused.Message, StringComparison.Ordinal);
            bool partial = first is "DISABLED" or "ENABLE_FAILED" || second is "DISABLED" or "ENABLE_FAILED";
            Assert.Equal(
                partial && errorId == "AlreadyEnabled",
                refused.RecommendedAction!.Contains("Enable-CmekCluster then goes on", StringComparison.Ordinal));
        }

        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task WhereOneRegionHasItsKeyTheOtherOneIsToldOf(int other)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        string region = accesses[other].Region;
        accesses[other] = await scene.AccessAsync(region, generation: 2);
        CmekException refused = await LifeScene.RefusedAsync(
            "AlreadyEnabled",
            () => Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run()));
        Assert.Contains($"shop/{region} has CMEK already", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ENABLED", "ENABLE_FAILED")]
    [InlineData("ENABLE_FAILED", "ENABLED")]
    public async Task AnEnablingThatFailedInPartIsSentForAll(string first, string second)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        scene.Put(scene.Region, first);
        scene.Put(scene.Second, second);
        scene.Answer(r => r.Operation == "EnableCmek" ? LifeScene.Fault(409, "as it came") : null);
        await Assert.ThrowsAnyAsync<CmekException>(
            () => Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run()));
        Assert.Equal(2, scene.Server.Exchanges.Where(e => e.Request.Operation == "EnableCmek")
            .Select(e => JsonNode.Parse(e.Request.Text)!["region_specs"]!.AsArray().Count).First());
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AGrantThatIsNotSpreadYetIsWaitedOut(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await AccessesAsync(scene);
        int refusals = 2;
        scene.Answer(r => r.Operation == "EnableCmek" && refusals-- > 0 ? LifeScene.Fault(400, Denied) : null);
        TestOperationHost host = new();
        CmekStatus status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run(host));
        Assert.True(status.Changed);
        Assert.Equal(3, scene.Count("EnableCmek"));
        OperationProgress[] shown = [.. host.Progress.Where(p => p.Activity.Contains("to spread the grant", StringComparison.Ordinal))];
        Assert.Equal([false, false, true], shown.Select(p => p.Completed));
        Assert.Equal(100, shown[^1].Percent);
    }

    [Fact]
    public async Task AGrantThatTheServiceNeverSeesIsAskedForNoLongerThanTheLimit()
    {
        await using LifeScene scene = await LifeScene.StartAsync(propagation: TimeSpan.FromMilliseconds(60));
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Server.ClearExchanges();
        scene.Answer(r => r.Operation == "EnableCmek" ? LifeScene.Fault(400, Denied) : null);
        TestOperationHost host = new();
        await LifeScene.RefusedAsync(
            "KeyAccessDenied",
            () => Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run(host)));
        Assert.True(scene.Count("EnableCmek") > 1);
        Assert.True(host.Progress.Last().Completed);
    }

    [Fact]
    public async Task ARefusalThatIsNotAboutTheKeyIsNotWaitedOut()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Answer(r => r.Operation == "EnableCmek" ? LifeScene.Fault(403, "not for you") : null);
        TestOperationHost host = new();
        await LifeScene.RefusedAsync(
            "CloudApiPermissionDenied",
            () => Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run(host)));
        Assert.Equal(1, scene.Count("EnableCmek"));
        Assert.DoesNotContain(host.Progress, p => p.Activity.Contains("to spread the grant", StringComparison.Ordinal));
    }

    // The policy lets the cluster in, and the role is not to be assumed: no waiting heals that.
    [Fact]
    public async Task WhatStopsTheClusterBesideTheKeyIsNotWaitedOut()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        scene.Answer(r => r.Service == "iam" && r.Text.Contains("Action=GetRole&", StringComparison.Ordinal)
            ? new SandboxResponse
            {
                Status = 404,
                ContentType = "text/xml",
                Body = """
                    <ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>
                    <Code>NoSuchEntity</Code><Message>gone</Message></Error><RequestId>1</RequestId></ErrorResponse>
                    """,
            }
            : r.Operation == "EnableCmek" ? LifeScene.Fault(400, Denied) : null);
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync(
            "KeyAccessDenied",
            () => Enabling.EnableAsync(scene.Shop, accesses, LifeScene.Unchecked, scene.Run()));
        Assert.Equal(1, scene.Count("EnableCmek"));
    }

    [Fact]
    public async Task ARequestWhoseAnswerWasLostIsLookedForAndNotSentTwice()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await AccessesAsync(scene);
        bool lost = false;
        scene.Server.After = (r, _) =>
        {
            bool now = r.Operation == "EnableCmek" && !lost;
            lost |= now;
            return Task.FromResult(now ? SandboxResponse.None : null);
        };
        CmekStatus status = await Enabling.EnableAsync(scene.Shop, accesses, LifeScene.NoWait, scene.Run());
        Assert.True(status.Changed);
        Assert.Equal(1, scene.Count("EnableCmek"));
        Assert.NotEqual(CmekState.DISABLED, status.State);
    }

    [Theory]
    [InlineData(CmekState.ENABLED, true)]
    [InlineData(CmekState.ENABLING, true)]
    [InlineData(CmekState.ROTATING, true)]
    [InlineData(CmekState.ENABLE_FAILED, false)]
    [InlineData(CmekState.ROTATE_FAILED, false)]
    [InlineData(CmekState.REVOKED, false)]
    public void AKeyIsOnItsWayWhereTheRegionIsGettingIt(CmekState state, bool expected)
    {
        CmekAccess access = new() { ClusterId = "c", Region = "r", KeyUri = "key", AuthPrincipal = "who" };
        CmekKeyStatus key = new() { KeyUri = "key", AuthPrincipal = "who" };
        CmekRegionStatus region = new() { ClusterId = "c", Region = "r", State = state, Current = key };
        Assert.Equal(expected, Enabling.IsOnItsWay(region, access));
        Assert.False(Enabling.IsOnItsWay(region, access with { KeyUri = "other" }));
        Assert.False(Enabling.IsOnItsWay(region with { Incoming = key with { KeyUri = "other" } }, access));
        Assert.False(Enabling.IsOnItsWay(region with { Current = null }, access));
    }

    [Fact]
    public async Task SeenIsOnlyWhatEveryNamedRegionShows()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.EnabledAsync();
        Task<CmekStatus?> See(Func<CmekRegionStatus, bool> made, params string[] regions) =>
            Enabling.SeenAsync(scene.Shop, made, regions, scene.Run(), LifeScene.Cancel);
        Assert.NotNull(await See(_ => true, scene.Region, scene.Second));
        Assert.Null(await See(_ => true, scene.Region, "eu-west-1"));
        Assert.Null(await See(r => r.Region == scene.Region, scene.Region, scene.Second));
        Assert.NotNull(await See(r => r.Region == scene.Region, scene.Region));
    }
}
