using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Faults;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>
/// No key is made beside one that may be the cluster's own: a key that a run has left without a name is known by its tags, and where
/// those cannot be read, New-CmekKey says so before it makes another. What is told to be another's does not stop it.
/// </summary>
public sealed class HiddenKeyTests
{
    private const string Region = "us-east-1";
    private const string Own = "CMEK of the CockroachDB Cloud cluster shop (ID), region us-east-1";
    private const string DeniesTags = "kms:ListResourceTags Denied";

    // A key without a name or with one, described so, whose policy lets the caller in or not; is it told to be another's?
    public static TheoryData<string, string?, bool, string?, bool> Strangers => new()
    {
        { "another's by its description", "payroll", true, null, true },
        { "another cluster's", "CMEK of the CockroachDB Cloud cluster shop (another-id), region us-east-1", true, null, true },
        { "another region's", "CMEK of the CockroachDB Cloud cluster shop (ID), region us-west-2", true, null, true },
        { "the cluster's own", Own, true, null, false },
        { "the cluster's own, under another name", Own, true, "alias/renamed", false },
        { "the cluster's own of an earlier version", "CMEK of the CockroachDB Cloud cluster shop, region us-east-1", true, null, false },
        { "not described, not named", string.Empty, true, null, false },
        { "not described, named", string.Empty, true, "alias/payroll", true },
        { "not to be looked at, not named", "payroll", false, null, false },
        { "not to be looked at, named", Own, false, "alias/payroll", true },
    };

    [Theory]
    [MemberData(nameof(Strangers))]
    public async Task AKeyWithHiddenTagsStopsTheMakingUnlessItIsToldToBeAnothers(
        string what, string? description, bool open, string? alias, bool others)
    {
        await using SandboxServer server = Start();
        using EngineKit kit = EngineKit.Create(server);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        CmekCluster cluster = await ClusterAsync(server, kit, op);
        AwsWorld world = server.Get<AwsService>().World;
        AddKey(world, description!.Replace("ID", cluster.Id, StringComparison.Ordinal), open, alias);
        server.Faults = new FaultPlan(0, [FaultRule.Parse(DeniesTags)], TimeProvider.System);
        Task making = Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        CmekException? error = await Record.ExceptionAsync(() => making) as CmekException ?? host.Errors.FirstOrDefault();
        if (others)
        {
            Assert.True(error is null, $"{what}: {error?.ErrorId}: {error?.Message}");
            Assert.Equal(2, world.Keys.Keys.Count);
        }
        else
        {
            Assert.True(error is not null, what + ": another key was made");
            Assert.Equal("KeyTagsUnread", error.ErrorId);
            Assert.Contains("kms:ListResourceTags", error.RecommendedAction, StringComparison.Ordinal);
            Assert.Single(world.Keys.Keys);
            Assert.DoesNotContain(server.Exchanges, e => e.Request.Service == "kms" && e.Request.IsWrite);
        }
    }

    [Fact]
    public async Task AnInterruptedRunsKeyIsFoundAgainOnceItsTagsCanBeRead()
    {
        await using SandboxServer server = Start();
        using EngineKit kit = EngineKit.Create(server);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        CmekCluster cluster = await ClusterAsync(server, kit, op);
        AwsWorld world = server.Get<AwsService>().World;
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        world.Keys.Remove(Assert.Single(world.Keys.AliasesIn(server.Options.AwsAccountId, Region)));
        foreach (KeyOptions options in new[] { new KeyOptions(), new KeyOptions { AliasName = "another" } })
        {
            server.Faults = new FaultPlan(0, [FaultRule.Parse(DeniesTags)], TimeProvider.System);
            CmekException error = await FailureAsync(host, () => Keys.MakeAsync(cluster, [], false, false, options, op));
            Assert.Equal("KeyTagsUnread", error.ErrorId);
            Assert.Contains(world.Keys.Keys.Single().Arn, error.Message, StringComparison.Ordinal);
        }

        server.Faults = null;
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        Assert.Single(world.Keys.Keys);
    }

    // The look for what a lost answer may have made was blind, and took that for "not there".
    [Fact]
    public async Task ALostAnswerIsNotFollowedByASecondKeyWhereTagsAreHidden()
    {
        await using SandboxServer server = Start();
        using EngineKit kit = EngineKit.Create(server);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        CmekCluster cluster = await ClusterAsync(server, kit, op);
        server.Faults = new FaultPlan(
            0,
            [FaultRule.Parse("kms:CreateKey ResetAfter nth=1"), FaultRule.Parse(DeniesTags)],
            TimeProvider.System);
        CmekException error = await FailureAsync(host, () => Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op));
        Assert.Equal(AnswerLoss.OutcomeUnknown, error.ErrorId);
        Assert.Contains("kms:ListResourceTags", error.RecommendedAction, StringComparison.Ordinal);
        Assert.Single(server.Get<AwsService>().World.Keys.Keys);

        // The same command looks first, and does not make another either.
        CmekException again = await FailureAsync(host, () => Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), kit.Run(host)));
        Assert.Equal("KeyTagsUnread", again.ErrorId);
        server.Faults = null;
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), kit.Run(host));
        Assert.Single(server.Get<AwsService>().World.Keys.Keys);
        Assert.DoesNotContain(JournalReader.Read(kit.Session.Journal.FilePath), e => e.IsUnsettled);
    }

    private static SandboxServer Start() => SandboxServer.Start(new SandboxOptions
    {
        RateLimit = 0,
        Clusters = [new SandboxClusterOptions("shop", "AWS", [Region])],
    });

    private static Task<CmekCluster> ClusterAsync(SandboxServer server, EngineKit kit, Operation op) =>
        kit.Session.Cloud.GetClusterAsync(server.Get<CloudApiService>().IdOf("shop"), op.Cancellation);

    private static async Task<CmekException> FailureAsync(TestOperationHost host, Func<Task> work)
    {
        host.Errors.Clear();
        CmekException? thrown = await Record.ExceptionAsync(work) as CmekException ?? host.Errors.FirstOrDefault();
        Assert.NotNull(thrown);
        host.Errors.Clear();
        return thrown;
    }

    private static void AddKey(AwsWorld world, string description, bool open, string? alias)
    {
        string principal = open ? $"arn:aws:iam::{world.CustomerAccount}:root" : "arn:aws:iam::444455556666:root";
        StoredPolicy policy = StoredPolicy.Resource(
            $$"""
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"{{principal}}"},"Action":"kms:*","Resource":"*"}]}
            """,
            PolicyKind.Key,
            p => p);
        KmsKey key = new(world.CustomerAccount, Region, Guid.NewGuid().ToString(), world.Now, new KmsMaterial(world.Now), policy)
        {
            Description = description,
        };
        world.Keys.Add(key);
        if (alias is not null)
        {
            world.Keys.Put(new KmsAlias(world.CustomerAccount, Region, alias, key.Id, world.Now, world.Now));
        }
    }
}
