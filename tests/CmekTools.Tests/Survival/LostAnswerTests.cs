using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Faults;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>An answer that is lost fails no command and makes nothing twice, whichever call it was and however it was lost.</summary>
public sealed class LostAnswerTests
{
    private static readonly string[] s_losses =
        ["ResetAfter", "ResetBefore", "CutShort", "Empty", "Html", "ServerErrorAfter", "ServerErrorBefore", "Throttled"];

    public static TheoryData<string> Losses => [.. s_losses];

    // The forms of a loss that differ for a client; what comes before the effect is tried with CreateKey.
    private static readonly string[] s_changeLosses = ["ResetAfter", "CutShort", "Empty", "Html"];

    private static readonly string[] s_aws =
        [
            "kms:CreateAlias",
            "kms:EnableKeyRotation",
            "kms:PutKeyPolicy",
            "iam:CreateRole",
            "cloud:EnableCmek",
            "cloud:UpdateCmek",
            "kms:RotateKeyOnDemand",
        ];

    private static readonly string[] s_google =
    [
        "gcp-kms:keyRings.create", "gcp-kms:cryptoKeys.create", "gcp-kms:cryptoKeys.setIamPolicy", "gcp-iam:serviceAccounts.create",
        "gcp-iam:serviceAccounts.setIamPolicy",
        "gcp-kms:cryptoKeyVersions.create",
        "gcp-kms:cryptoKeys.updatePrimaryVersion",
        "cloud:UpdateCmek",
    ];

    // One life a cloud: each loss of each call is one more cluster of it.
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhateverAnswerIsLostNothingFailsAndNothingIsMadeTwice(string provider)
    {
        (string Call, string Kind)[] losses =
        [
            .. (provider == "AWS" ? s_aws : s_google).SelectMany(call => s_changeLosses.Select(kind => (call, kind))),
        ];
        string region = provider == "AWS" ? "us-east-1" : "us-central1";
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(5),
            Clusters = [.. losses.Select((_, n) => new SandboxClusterOptions($"shop-{n}", provider, [region]))],
        });
        using EngineKit kit = EngineKit.Create(
            server,
            Timings.Sandbox with
            {
                Visibility = TimeSpan.FromMilliseconds(400),
                StatusPoll = TimeSpan.FromMilliseconds(10),
                RetryBase = TimeSpan.FromMilliseconds(5),
            });
        SwitchOptions wait = new(true, TimeSpan.FromSeconds(20), true);
        HashSet<string> hit = [];
        for (int n = 0; n < losses.Length; n++)
        {
            string about = $"{losses[n].Call} {losses[n].Kind}";
            server.Faults = new FaultPlan(n, [FaultRule.Parse(about + " nth=1")], TimeProvider.System);
            server.ClearExchanges();
            TestOperationHost host = new();
            Operation op = kit.Run(host);
            string id = server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf($"shop-{n}");
            CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(id, op.Cancellation);
            try
            {
                await Keys.MakeAsync(
                    cluster,
                    [],
                    false,
                    false,
                    new KeyOptions { EnableRotation = true, KeyRing = provider == "GCP" ? $"ring-{n}" : null },
                    op);
                CmekKey key = Assert.Single(host.Output.OfType<CmekKey>());
                CmekAccess access = await Granting.GrantAsync(cluster, region, key, null, new PrincipalOptions(), op);
                await Enabling.EnableAsync(cluster, [access], wait, op);
                await Updating.RewrapAsync(cluster, [], true, wait, op);
            }
            catch (CmekException e)
            {
                Assert.Fail($"{about}: {e.ErrorId}: {e.Message}");
            }

            Assert.True(host.Errors.IsEmpty, $"{about}: {string.Join("; ", host.Errors)}");
            hit.UnionWith(
                server.Exchanges.Where(e => e.Fault is not null).Select(e => $"{e.Request.Service}:{e.Request.Operation} {e.Fault}"));
        }

        // Each of them did happen.
        Assert.Equal(losses.Select(l => $"{l.Call} {l.Kind}").Order(StringComparer.Ordinal), hit.Order(StringComparer.Ordinal));
        if (provider == "AWS")
        {
            AwsWorld world = server.Get<AwsService>().World;
            Assert.Equal(losses.Length, world.Keys.Keys.Count);
            Assert.All(world.Keys.Keys, k => Assert.Equal(1, k.Material.OnDemandCount));
            Assert.All(world.Keys.Keys, k => Assert.Single(world.Keys.AliasesIn(k.AccountId, k.Region), a => a.KeyId == k.Id));
            Assert.Equal(losses.Length, world.Roles(server.Options.AwsAccountId).Count());
        }
        else
        {
            CmekTools.Sandbox.Gcp.GcpService google = server.Get<CmekTools.Sandbox.Gcp.GcpService>();
            Assert.Equal(losses.Length, google.Kms.Keys.Count);
            Assert.All(google.Kms.Keys, k => Assert.Equal(2, k.Versions.Count));
            Assert.Equal(losses.Length, google.Accounts.All.Count);
        }

        Assert.DoesNotContain(CmekTools.Engine.State.JournalReader.Read(kit.Session.Journal.FilePath), e => e.IsUnsettled);
    }

    // Found by a life: the project's number could not be read once, and the key in use was taken for a new one.
    [Fact]
    public async Task ANewGenerationIsNewAlsoWhereTheProjectCouldNotBeReadOnce()
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(5),
            Clusters = [new SandboxClusterOptions("shop", "GCP", ["us-central1"])],
        });
        SwitchOptions wait = new(true, TimeSpan.FromSeconds(20), true);
        string used;
        using (EngineKit first = EngineKit.Create(server))
        {
            TestOperationHost host = new();
            Operation op = first.Run(host);
            CmekCluster cluster = await first.Session.Cloud.GetClusterAsync(
                server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
                op.Cancellation);
            await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
            CmekAccess access = await Granting.GrantAsync(
                cluster,
                "us-central1",
                host.Output.OfType<CmekKey>().Single(),
                null,
                new PrincipalOptions(),
                op);
            await Enabling.EnableAsync(cluster, [access], wait, op);
            used = access.KeyUri!;
        }

        for (int nth = 1; nth <= 3; nth++)
        {
            server.Faults = new FaultPlan(0, [FaultRule.Parse($"gcp-crm:* Denied nth={nth}")], TimeProvider.System);
            using EngineKit kit = EngineKit.Create(server);
            TestOperationHost host = new();
            Operation op = kit.Run(host);
            CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(
                server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
                op.Cancellation);
            await Keys.MakeAsync(cluster, [], false, true, new KeyOptions(), op);
            Assert.All(host.Output.OfType<CmekKey>(), k => Assert.NotEqual(used, k.KeyUri));
        }

        Assert.Contains(server.Exchanges, e => e.Fault is not null);
    }

    // Found by a life: enabling and moving waited for IAM, and adding a region did not.
    [Theory]
    [InlineData("AWS", "us-east-1", "us-west-2")]
    [InlineData("GCP", "us-central1", "us-east1")]
    public async Task AddingARegionWaitsForTheGrantToSpread(string provider, string region, string added)
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(5),
            Clusters = [new SandboxClusterOptions("shop", provider, [region])],
        });
        using EngineKit kit = EngineKit.Create(server);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        SwitchOptions wait = new(true, TimeSpan.FromSeconds(20), false);
        CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(
            server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
            op.Cancellation);
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        CmekAccess access = await Granting.GrantAsync(
            cluster,
            region,
            host.Output.OfType<CmekKey>().Single(),
            null,
            new PrincipalOptions(),
            op);
        await Enabling.EnableAsync(cluster, [access], wait, op);
        server.Options = server.Options with { IamLag = TimeSpan.FromMilliseconds(600) };
        await Keys.MakeAsync(cluster, [added], true, false, new KeyOptions(), op);
        CmekAccess more = await Granting.GrantAsync(cluster, added, host.Output.OfType<CmekKey>().Last(), null, new PrincipalOptions(), op);
        CmekStatus status = await AddingRegion.AddAsync(cluster, [more], 3, wait, op);
        Assert.All(status.Regions, r => Assert.Equal(CmekState.ENABLED, r.State));
        Assert.Contains(server.Exchanges, e => e.Request.Operation == "UpdateCluster" && e.Status == 400);
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public async Task OneKeyIsMadeWhereTheAnswerToCreateKeyIsLost(string kind)
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            Clusters = [new SandboxClusterOptions("shop", "AWS", ["us-east-1"])],
            Faults = [FaultRule.Parse($"kms:CreateKey {kind} nth=1")],
        });
        using EngineKit kit = EngineKit.Create(server, Timings.Sandbox with { Visibility = TimeSpan.FromMilliseconds(300) });
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(
            server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"),
            op.Cancellation);
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        Assert.Empty(host.Errors);
        Assert.Single(server.Get<AwsService>().World.Keys.Keys);
        Assert.Contains(server.Exchanges, e => e.Fault is not null);
        Assert.DoesNotContain(CmekTools.Engine.State.JournalReader.Read(kit.Session.Journal.FilePath), e => e.IsUnsettled);
    }
}
