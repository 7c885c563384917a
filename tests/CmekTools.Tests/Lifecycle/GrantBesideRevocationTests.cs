using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>What a grant takes back, because a revocation began beside it, and what it leaves.</summary>
public sealed class GrantBesideRevocationTests
{
    public static TheoryData<string> Clouds { get; } = ["AWS", "GCP"];

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task WhatWasThereBeforeTheGrantTakesNothingBack(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud, new SandboxOptions { VendorRecovers = false });
        CmekAccess access = (await scene.EnabledAsync())[0];
        await scene.ReceiptAsync(access);
        await scene.RevokeAsync();
        GrantBesideRevocation beside = await BeforeAsync(scene, access.AuthPrincipal!);
        await beside.AfterAsync(access, scene.Provider, scene.Run());
        await scene.SettledAsync();
        await beside.AfterAsync(access, scene.Provider, scene.Run());
        Assert.Equal(Decision.Allowed, await scene.UseAsync(access));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task AReceiptThatIsNewTakesItBackFromWhoeverActsAndFromWhomItNames(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekAccess stranger = await scene.AccessAsync(options: scene.Named("reader"));
        CmekAccess next = await scene.AccessAsync(generation: 2, options: scene.Named("reader"));
        GrantBesideRevocation beside = await BeforeAsync(scene, accesses[0].AuthPrincipal!);
        (string path, ReceiptDocument receipt) = await scene.ReceiptAsync(accesses[1]);

        // Neither does the cluster act as it, nor is the receipt about it.
        await beside.AfterAsync(next, scene.Provider, scene.Run());
        Assert.Equal(Decision.Allowed, await scene.UseAsync(next));

        TestOperationHost host = new();
        CmekException refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => beside.AfterAsync(accesses[0], scene.Provider, scene.Run(host)));
        Assert.Contains(path, refused.Message, StringComparison.Ordinal);
        Assert.NotEqual(Decision.Allowed, await scene.UseAsync(accesses[0]));
        Assert.DoesNotContain(scene.Writes, w => w.EndsWith("disable", StringComparison.OrdinalIgnoreCase));

        AccessSnapshot snapshot = await scene.Provider.CaptureAsync(scene.Target(stranger), scene.Run());
        ReceiptStore.Save(path, receipt with
        {
            Accesses = [.. receipt.Accesses, new ReceiptAccess(stranger.Region, stranger.KeyUri!, stranger.AuthPrincipal!, snapshot)],
        });
        await LifeScene.RefusedAsync("AccessRevoked", () => beside.AfterAsync(next, scene.Provider, scene.Run()));
        Assert.NotEqual(Decision.Allowed, await scene.UseAsync(next));
    }

    [Fact]
    public async Task ACutThatTheKeyShowsTakesItBackAlsoFromAPrincipalThatIsNew()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(options: scene.Named("reader"));
        GrantBesideRevocation beside = await BeforeAsync(scene, accesses[0].AuthPrincipal!);

        // Another one's cut, or another cluster's, is not this one's.
        await scene.CutAsync(accesses[0]);
        await beside.AfterAsync(next, scene.Provider, scene.Run());
        Assert.Equal(Decision.Allowed, await scene.UseAsync(next));
        await scene.CutAsync(next);
        CmekException refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => beside.AfterAsync(next, scene.Provider, scene.Run()));
        Assert.Contains("says that it was cut off meanwhile", refused.Message, StringComparison.Ordinal);
        Assert.Equal("shop was revoked while", refused.Message[.."shop was revoked while".Length]);
    }

    [Fact]
    public async Task ACutOfAnotherClusterTakesNothingBack()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekAccess next = await scene.AccessAsync(options: scene.Named("reader"));
        GrantBesideRevocation beside = await BeforeAsync(scene, accesses[0].AuthPrincipal!);
        await scene.CutAsync(next, scene.Orders);
        await beside.AfterAsync(next, scene.Provider, scene.Run());
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task ARevocationThatOnlyTheServiceKnowsTakesItBackFromWhoeverActs(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud, new SandboxOptions { VendorRecovers = false });
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekAccess stranger = await scene.AccessAsync(options: scene.Named("reader"));
        GrantBesideRevocation beside = await BeforeAsync(scene, accesses[0].AuthPrincipal!);
        await beside.AfterAsync(accesses[0], scene.Provider, scene.Run());
        await scene.RevokeAsync();
        await scene.SettledAsync();
        await beside.AfterAsync(stranger, scene.Provider, scene.Run());
        Assert.Equal(Decision.Allowed, await scene.UseAsync(stranger));
        CmekException refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => beside.AfterAsync(accesses[0], scene.Provider, scene.Run()));
        Assert.Contains("the service says shop: REVOKED", refused.Message, StringComparison.Ordinal);
        Assert.NotEqual(Decision.Allowed, await scene.UseAsync(accesses[0]));
    }

    [Fact]
    public async Task ARevocationThatIsUnderWayTakesItBackToo()
    {
        await using LifeScene scene = await LifeScene.StartAsync(
            options: new SandboxOptions { VendorRecovers = false, RevokeFails = true });
        CmekAccess[] accesses = await scene.EnabledAsync();
        scene.Server.Options = scene.Server.Options with { StateTime = TimeSpan.FromMinutes(5) };
        GrantBesideRevocation beside = await BeforeAsync(scene, accesses[0].AuthPrincipal!);
        await scene.RevokeAsync();
        await LifeScene.RefusedAsync("AccessRevoked", () => beside.AfterAsync(accesses[0], scene.Provider, scene.Run()));
    }

    [Fact]
    public async Task AServiceThatDoesNotSayIsWarnedOfAndTheGrantStays()
    {
        await using LifeScene scene = await LifeScene.StartAsync();
        CmekAccess access = (await scene.EnabledAsync())[0];
        GrantBesideRevocation beside = await BeforeAsync(scene, access.AuthPrincipal!);
        scene.Answer(r => r.Operation == "GetCmek" ? LifeScene.Fault(403, "not for you") : null);
        TestOperationHost host = new();
        await beside.AfterAsync(access, scene.Provider, scene.Run(host));
        Assert.Contains("could not be seen", Assert.Single(host.Warnings), StringComparison.Ordinal);
        Assert.Equal(Decision.Allowed, await scene.UseAsync(access));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task AGrantTakesBackWhatItGaveWhereAReceiptWasWrittenWhileItWrote(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        (string path, ReceiptDocument receipt) = await scene.ReceiptAsync(accesses[0]);
        File.Delete(path);
        CmekKey key = await scene.KeyAsync(generation: 2);
        WriteBeside(scene, path, receipt, (_, _) => null);
        await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => Granting.GrantAsync(scene.Shop, scene.Region, key, null, new PrincipalOptions(), scene.Run()));
        Assert.NotEqual(Decision.Allowed, await scene.UseAsync(accesses[0] with { KeyUri = key.KeyUri }));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task AGrantThatFailsTakesBackWhatItHadWrittenByThen(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        (string path, ReceiptDocument receipt) = await scene.ReceiptAsync(accesses[0]);
        File.Delete(path);
        CmekKey key = await scene.KeyAsync(generation: 2);
        WriteBeside(scene, path, receipt, (_, _) => scene.Forbidden());
        CmekException refused = await LifeScene.RefusedAsync(
            "AccessRevoked",
            () => Granting.GrantAsync(scene.Shop, scene.Region, key, null, new PrincipalOptions(), scene.Run()));
        Assert.NotNull(refused.InnerException);
        Assert.NotEqual(Decision.Allowed, await scene.UseAsync(accesses[0] with { KeyUri = key.KeyUri }));
    }

    [Theory]
    [MemberData(nameof(Clouds))]
    public async Task AGrantThatFailsByItselfSaysWhyAndTakesNothingBack(string cloud)
    {
        await using LifeScene scene = await LifeScene.StartAsync(cloud);
        CmekAccess[] accesses = await scene.EnabledAsync();
        CmekKey key = await scene.KeyAsync(generation: 2);
        scene.Server.After = (r, _) => Task.FromResult(LifeScene.WritesPolicy(r) ? scene.Forbidden() : null);
        CmekException failed = await Assert.ThrowsAnyAsync<CmekException>(
            () => Granting.GrantAsync(scene.Shop, scene.Region, key, null, new PrincipalOptions(), scene.Run()));
        Assert.NotEqual("AccessRevoked", failed.ErrorId);
        scene.Server.After = null;
        Assert.Equal(Decision.Allowed, await scene.UseAsync(accesses[0] with { KeyUri = key.KeyUri }));
    }

    private static async Task<GrantBesideRevocation> BeforeAsync(LifeScene scene, params string[] acting) =>
        GrantBesideRevocation.Before(scene.Shop, await scene.StatusAsync(), acting, scene.Run());

    // A receipt comes with the first write of a policy.
    private static void WriteBeside(
        LifeScene scene,
        string path,
        ReceiptDocument receipt,
        Func<SandboxRequest, SandboxResponse, SandboxResponse?> answer)
    {
        bool done = false;
        scene.Server.After = (request, response) =>
        {
            if (done || !LifeScene.WritesPolicy(request))
            {
                return Task.FromResult<SandboxResponse?>(null);
            }

            done = true;
            ReceiptStore.Save(path, receipt);
            return Task.FromResult(answer(request, response));
        };
    }
}
