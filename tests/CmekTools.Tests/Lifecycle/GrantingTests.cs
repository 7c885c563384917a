using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What a grant refuses before it writes, whom it takes where nobody is named, and what it looks at for that.</summary>
public sealed class GrantingTests
{
    private static readonly PrincipalOptions s_none = new();

    private static Task<CmekAccess> GrantAsync(
        LifeScene scene,
        CmekKey? known = null,
        string? uri = null,
        PrincipalOptions? options = null,
        Operation? op = null,
        CmekCluster? cluster = null,
        string? region = null) =>
        Granting.GrantAsync(cluster ?? scene.Shop, region ?? scene.Region, known, uri, options ?? s_none, op ?? scene.Run());

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyIsGrantedAndASecondTimeNothingIsSent(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        TestOperationHost host = new();
        CmekAccess access = await GrantAsync(scene, key, op: scene.Run(host), region: scene.Region.ToUpperInvariant());
        Assert.True(access.Changed);
        Assert.Equal(scene.Region, access.Region);
        Assert.Equal(key.KeyUri, access.KeyUri);
        Assert.Empty(host.Warnings);
        Assert.DoesNotContain(host.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
        Assert.Equal(Decision.Allowed, await scene.UseAsync(access));

        scene.Server.ClearExchanges();
        CmekAccess again = await GrantAsync(scene, uri: key.KeyUri, op: scene.Run(host));
        Assert.False(again.Changed);
        Assert.Contains(host.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhatCannotBeGrantedIsRefusedBeforeAnyRequest()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        async Task RefusedAsync(string id, Func<Task> work) => await LifeScene.RefusedAsync(id, work);
        await RefusedAsync("ClusterPlanUnsupported", () => GrantAsync(scene, key, cluster: scene.Shop with { Plan = "BASIC" }));
        await RefusedAsync("ParameterOfOtherCloud", () => GrantAsync(scene, key, options: s_none with { ServiceAccount = "reader" }));
        await RefusedAsync("ClusterAccountUnknown", () => GrantAsync(scene, key, cluster: scene.Shop with { AccountId = null }));
        await RefusedAsync("KeyUriInvalid", () => GrantAsync(scene));
        await RefusedAsync("KeyUriInvalid", () => GrantAsync(scene, uri: key.KeyUri + "/"));
        await RefusedAsync("KeyPlanned", () => GrantAsync(scene, key with { State = CmekKeyState.Planned, KeyUri = null }));
        await RefusedAsync(
            "KeyProviderMismatch",
            () => GrantAsync(scene, uri: "projects/p/locations/us-east1/keyRings/ring/cryptoKeys/key"));
        Assert.Empty(scene.Server.Exchanges);
    }

    [Fact]
    public async Task AKeyThatIsGivenByItsNameGoesBeforeTheOneThatIsKnown()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        CmekKey other = await scene.KeyAsync(generation: 2);
        Assert.Equal(other.KeyUri, (await GrantAsync(scene, key, other.KeyUri)).KeyUri);
    }

    [Fact]
    public async Task AKeyThatIsSwitchedOffIsNotGranted()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        await scene.Provider.ScheduleDeletionAsync(key.KeyUri!, 30, scene.Run());
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("KeyPendingDeletion", () => GrantAsync(scene, key));
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("AWS", "us-east-2")]
    [InlineData("GCP", "us-east4")]
    public async Task ARegionThatMayBeMisspeltIsTakenOnlyWhereTheKeyIsInIt(string cloud, string near)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        await LifeScene.RefusedAsync("RegionUnknown", () => GrantAsync(scene, key, region: near));
        await LifeScene.RefusedAsync("RegionUnknown", () => GrantAsync(scene, uri: key.KeyUri, region: near));
        Assert.Empty(scene.Writes);

        CmekKey there = await scene.Provider.EnsureKeyAsync(scene.Shop, near, new KeyOptions(), scene.Run());
        foreach (CmekKey? known in (CmekKey?[])[there, null])
        {
            TestOperationHost host = new();
            CmekAccess access = await GrantAsync(
                scene,
                known is null ? null : known with { KeyUri = null, Region = near.ToUpperInvariant() },
                there.KeyUri,
                op: scene.Run(host),
                region: near);
            Assert.Equal(near, access.Region);
            Assert.Contains("has no region", Assert.Single(host.Warnings), StringComparison.Ordinal);
        }

        // What is only planned has no key that could say where it is.
        TestOperationHost plan = new() { WhatIf = true };
        CmekKey planned = new() { State = CmekKeyState.Planned, Provider = scene.Cloud, Region = scene.Region };
        Assert.True((await GrantAsync(scene, planned, op: scene.Run(plan), region: near)).Planned);
    }

    [Fact]
    public async Task ARegionThatIsNearNoneOfTheClustersIsOneToBeAdded()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.Provider.EnsureKeyAsync(scene.Shop, "eu-central-1", new KeyOptions(), scene.Run());
        TestOperationHost host = new();
        CmekAccess access = await GrantAsync(scene, key with { Region = null }, op: scene.Run(host), region: "eu-central-1");
        Assert.Equal("eu-central-1", access.Region);
        Assert.Contains("Add-CmekRegion", Assert.Single(host.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APlanNamesThePrincipalThatTheRunWouldTakeAndWritesNothing(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        PrincipalOptions named = scene.Named("reader");
        CmekAccess there = await scene.AccessAsync(options: named);
        CmekAccess second = await scene.AccessAsync(scene.Second, options: named);
        await scene.SendAsync(scene.Shop, "POST", there, second);
        await scene.SettledAsync();
        scene.Server.ClearExchanges();
        CmekKey planned = new() { State = CmekKeyState.Planned, Provider = scene.Cloud, Region = scene.Region };
        TestOperationHost host = new() { WhatIf = true };
        CmekAccess plan = await GrantAsync(scene, planned, op: scene.Run(host));
        Assert.True(plan.Planned);
        Assert.Equal(there.AuthPrincipal, plan.AuthPrincipal);
        Assert.DoesNotContain(host.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
        Assert.Empty(scene.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WithoutANameItIsThePrincipalThatTheClusterActsAs(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        PrincipalOptions named = scene.Named("reader");
        CmekAccess first = await scene.AccessAsync(options: named);
        CmekAccess second = await scene.AccessAsync(scene.Second);
        Assert.NotEqual(first.AuthPrincipal, second.AuthPrincipal);
        await scene.SendAsync(scene.Shop, "POST", first, second);
        await scene.SettledAsync();

        // Each region has one of its own; for a region without one there are two, and so the derived name counts.
        CmekKey key = await scene.KeyAsync(generation: 2);
        Assert.Equal(first.AuthPrincipal, (await GrantAsync(scene, key)).AuthPrincipal);
        CmekKey other = await scene.KeyAsync(scene.Second, generation: 2);
        Assert.Equal(second.AuthPrincipal, (await GrantAsync(scene, other, region: scene.Second)).AuthPrincipal);

        // And a name that is given goes before all of it.
        PrincipalOptions writer = scene.Named("writer");
        CmekKey third = await scene.KeyAsync(generation: 3);
        Assert.Contains("writer", (await GrantAsync(scene, third, options: writer)).AuthPrincipal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", "eu-central-1")]
    [InlineData("GCP", "europe-west1")]
    public async Task ANewRegionTakesThePrincipalWhereThereIsOneAlone(string cloud, string away)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        PrincipalOptions named = scene.Named("reader");
        CmekAccess first = await scene.AccessAsync(options: named);
        await scene.SendAsync(scene.Shop, "POST", first, await scene.AccessAsync(scene.Second, options: named));
        await scene.SettledAsync();
        CmekKey key = await scene.Provider.EnsureKeyAsync(scene.Shop, away, new KeyOptions(), scene.Run());
        Assert.Equal(first.AuthPrincipal, (await GrantAsync(scene, key, region: away)).AuthPrincipal);
    }

    [Fact]
    public async Task TheStatusThatCameWithTheKeyIsNotReadAgainWhileItIsNew()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        CmekStatus before = await scene.StatusAsync();
        async Task<int> ReadsAsync(CmekStatus? status)
        {
            scene.Server.ClearExchanges();
            await GrantAsync(scene, key with { KeylessBefore = status });
            return scene.Server.Exchanges.Count(e => e.Request.Operation == "GetCmek");
        }

        int none = await ReadsAsync(before);
        Assert.Equal(none + 1, await ReadsAsync(null));
        Assert.Equal(none, await ReadsAsync(before with { ClusterId = before.ClusterId.ToUpperInvariant() }));
        Assert.Equal(none + 1, await ReadsAsync(before with { ClusterId = scene.Orders.Id }));
        Assert.Equal(none + 1, await ReadsAsync(before with { AsOf = before.AsOf - TimeSpan.FromMinutes(1) }));
        Assert.Equal(none + 1, await ReadsAsync(before with { AsOf = before.AsOf + TimeSpan.FromMinutes(1) }));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatAReceiptSaysWasCutIsNotGranted(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        (string path, ReceiptDocument receipt) = await scene.ReceiptAsync(accesses[0]);

        // The receipt is open and the access is there: somebody gave it back, and the receipt stands in nobody's way.
        Assert.False((await GrantAsync(scene, uri: accesses[0].KeyUri)).Changed);
        Assert.Empty(new ReceiptStore(scene.Session.Journal.Folder).Open(scene.Shop.Id));

        ReceiptAccess far = new(accesses[1].Region, accesses[1].KeyUri!, accesses[1].AuthPrincipal!, receipt.Accesses[0].Snapshot);
        ReceiptStore.Save(path + "2.json", receipt with { Id = "second", Accesses = [far, .. receipt.Accesses] });
        await scene.CutAsync(accesses[0]);
        scene.Server.ClearExchanges();
        CmekException refused = await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, uri: accesses[0].KeyUri));
        Assert.Contains(path, refused.Message, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
        File.Delete(path + "2.json");

        // Another region's key is not that one, and its principal is told to be cut off all the same.
        refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => GrantAsync(scene, uri: accesses[1].KeyUri, region: scene.Second));
        Assert.DoesNotContain(path, refused.Message, StringComparison.Ordinal);
        Assert.Contains("is cut off from", refused.Message, StringComparison.Ordinal);
        Assert.StartsWith("Restore-CmekAccess -ClusterName shop gives it", refused.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task NobodyElseIsAskedAboutTheClustersOwnPrincipalAndTheJournalSaysWhoseItIs()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        string own = (await scene.EnabledAsync())[0].AuthPrincipal!;
        CmekKey key = await scene.KeyAsync(generation: 2);
        scene.Server.ClearExchanges();
        Assert.True((await GrantAsync(scene, key, options: scene.Named(own[(own.LastIndexOf('/') + 1)..]))).Changed);
        Assert.Equal(0, scene.Count("ListClusters"));
        Assert.Equal(scene.Shop.Id, JournalReader.Read(scene.Session.Journal.FilePath)[^1].ClusterId);
    }

    [Fact]
    public async Task AReceiptOfAPrincipalThatTheClusterDoesNotActAsRefusesNothing()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekAccess other = await scene.AccessAsync(options: s_none with { RoleName = "reader" });
        await scene.ReceiptAsync(other);
        Assert.False((await GrantAsync(scene, uri: accesses[0].KeyUri)).Changed);
    }

    [Fact]
    public async Task WhatTheServiceSaysIsRevokedIsNotGrantedWhateverTheKeySays()
    {
        await using LifeScene scene = await LifeScene.StartAsync(options: new SandboxOptions { VendorRecovers = false });
        CmekAccess[] accesses = await scene.EnabledAsync();
        await scene.RevokeAsync();
        CmekException refused = await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, uri: accesses[0].KeyUri));
        Assert.Contains("the service says", refused.Message, StringComparison.Ordinal);
        await scene.SettledAsync();
        scene.Server.ClearExchanges();
        refused = await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, uri: accesses[0].KeyUri));
        Assert.Contains("us-east-1=REVOKED", refused.Message, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
    }

    [Fact]
    public async Task WhereARevocationFailedItsOwnKeysAreRefusedAndOthersAreNot()
    {
        await using LifeScene scene = await LifeScene.StartAsync(
            options: new SandboxOptions { VendorRecovers = false, RevokeFails = true });
        CmekAccess[] accesses = await scene.EnabledAsync();
        await scene.RevokeAsync();
        await scene.SettledAsync();
        await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, uri: accesses[0].KeyUri));
        CmekKey next = await scene.KeyAsync(generation: 2);
        Assert.True((await GrantAsync(scene, next)).Changed);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APrincipalThatWasReplacedAfterACutIsNotLetInOnAnyKey(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] before = await scene.EnabledAsync();
        PrincipalOptions named = scene.Named("reader");
        CmekAccess next = await scene.AccessAsync(generation: 2, options: named);
        await scene.SendAsync(scene.Shop, "PUT", next, await scene.AccessAsync(scene.Second, generation: 2, options: named));
        await scene.SettledAsync();
        await scene.CutAsync(before[0]);
        scene.Server.ClearExchanges();
        string old = before[0].AuthPrincipal!;
        PrincipalOptions by = scene.Named(old[(old.LastIndexOf('/') + 1)..]);
        CmekKey key = await scene.KeyAsync(generation: 3);
        scene.Server.ClearExchanges();
        CmekException refused = await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, key, options: by));
        Assert.Contains($"acts as {next.AuthPrincipal} now", refused.Message, StringComparison.Ordinal);
        Assert.StartsWith("Name the principal in use", refused.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains(cloud == "AWS" ? "-RoleName" : "-ServiceAccount", refused.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
        Assert.True((await GrantAsync(scene, key)).Changed);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APrincipalThatAnotherClustersRevocationCutOffIsNotGivenAKey(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess others = await OthersAsync(scene);
        CmekKey key = await scene.KeyAsync();

        // As long as nobody cut it off it may be shared.
        Assert.True((await GrantAsync(scene, key, options: scene.Named("reader"))).Changed);
        await scene.CutAsync(others, scene.Orders);
        CmekKey next = await scene.KeyAsync(generation: 2);
        scene.Server.ClearExchanges();
        CmekException refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => GrantAsync(scene, next, options: scene.Named("reader")));
        Assert.Contains("a revocation of orders", refused.Message, StringComparison.Ordinal);
        Assert.Contains(cloud == "AWS" ? "-RoleName" : "-ServiceAccount", refused.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(scene.Writes);
        if (cloud == "AWS")
        {
            PrincipalOptions byArn = s_none with { RoleArn = others.AuthPrincipal };
            await LifeScene.RefusedAsync("AccessRevoked", () => GrantAsync(scene, next, options: byArn));
        }

        // Nobody is asked about the others where no name is given, and another name is not that one.
        scene.Server.ClearExchanges();
        Assert.True((await GrantAsync(scene, next)).Changed);
        Assert.Equal(0, scene.Count("ListClusters"));
        Assert.True((await GrantAsync(scene, next, options: scene.Named("writer"))).Changed);
        Assert.Equal(1, scene.Count("ListClusters"));
    }

    [Theory]
    [InlineData("deleted")]
    [InlineData("plan")]
    public async Task AClusterThatHasNoKeysAnyMoreIsNotAskedWhomItActsAs(string how)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        await scene.CutAsync(await OthersAsync(scene), scene.Orders);
        if (how == "deleted")
        {
            scene.CloudApi.SetState(scene.Orders.Id, "DELETED");
        }
        else
        {
            scene.CloudApi.SetPlan(scene.Orders.Id, "BASIC");
        }

        scene.Server.ClearExchanges();
        await GrantAsync(scene, await scene.KeyAsync(), options: scene.Named("reader"));
        Assert.DoesNotContain(scene.Server.Exchanges, e => e.Request.RawPath.Contains(scene.Orders.Id, StringComparison.Ordinal));
    }

    [Fact]
    public async Task OnlyTheOtherClustersOfTheSameCloudAreAsked()
    {
        await using LifeScene scene = await LifeScene.StartAsync(
            options: new SandboxOptions { Clusters = [new SandboxClusterOptions("far", "GCP", ["us-east1"])] });
        CmekKey key = await scene.KeyAsync();
        scene.Server.ClearExchanges();
        await GrantAsync(scene, key, options: scene.Named("reader"));
        string[] asked = [.. scene.Server.Exchanges.Where(e => e.Request.Operation == "GetCmek").Select(e => e.Request.RawPath)];
        Assert.Equal(2, asked.Length);
        Assert.Contains(asked, p => p.Contains(scene.Orders.Id, StringComparison.Ordinal));
        Assert.Contains(asked, p => p.Contains(scene.Shop.Id, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("ListClusters", "another cluster")]
    [InlineData("GetCmek", "Whether orders")]
    public async Task OthersThatCannotBeReadStopNoGrant(string operation, string told)
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekKey key = await scene.KeyAsync();
        scene.Answer(r => r.Operation == operation && !r.RawPath.Contains(scene.Shop.Id, StringComparison.Ordinal)
            ? LifeScene.Fault(403, "not for you")
            : null);
        TestOperationHost host = new();
        Assert.True((await GrantAsync(scene, key, options: scene.Named("reader"), op: scene.Run(host))).Changed);
        string said = Assert.Single(host.Verbose, v => v.StartsWith("Whether", StringComparison.Ordinal));
        Assert.Contains(told, said, StringComparison.Ordinal);
        Assert.Empty(host.Warnings);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AnotherClustersKeyThatDoesNotSayWhetherItIsCutIsWarnedOf(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess others = await OthersAsync(scene);
        CmekKey key = await scene.KeyAsync();
        string id = others.KeyUri![(others.KeyUri!.IndexOf("key", StringComparison.Ordinal) + 3)..];
        id = id[(id.LastIndexOf('/') + 1)..];
        scene.Answer(r => LifeScene.ReadsPolicy(r)
            && (r.Text.Contains(id, StringComparison.Ordinal) || r.RawPath.Contains(others.KeyUri!, StringComparison.Ordinal))
            ? scene.Forbidden()
            : null);
        TestOperationHost host = new();
        Assert.True((await GrantAsync(scene, key, options: scene.Named("reader"), op: scene.Run(host))).Changed);
        Assert.Contains("orders acts as", Assert.Single(host.Warnings), StringComparison.Ordinal);
    }

    // Orders acts as "reader" in the scene's region.
    private static async Task<CmekAccess> OthersAsync(LifeScene scene)
    {
        CmekAccess access = await scene.AccessAsync(cluster: scene.Orders, options: scene.Named("reader"));
        await scene.SendAsync(scene.Orders, "POST", access);
        await scene.SettledAsync(scene.Orders);
        return access;
    }
}
