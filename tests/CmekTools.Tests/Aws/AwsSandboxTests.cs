using CmekTools.Engine.Aws;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>The AWS provider against the project's own sandbox, which evaluates policies.</summary>
public sealed class AwsSandboxTests
{
    private const string Region = "us-east-1";

    [Fact]
    public async Task FromNothingToAccessCutAndBack()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await ClusterAsync(kit);
        TestOperationHost host = new();
        CmekKey key = await aws.EnsureKeyAsync(
            cluster,
            Region,
            new KeyOptions { EnableRotation = true, RotationPeriodDays = 90 },
            kit.Run(host));
        CmekAccess access = await aws.GrantAsync(cluster, key, Region, new PrincipalOptions(), kit.Run(host));
        AccessTarget target = MotoTests.Target(access, cluster, kit.Session.Organization.Id);
        Assert.Equal(90, key.RotationPeriodDays);
        await AllPassAsync(aws, target, kit);

        AccessSnapshot snapshot = await aws.CaptureAsync(target, kit.Run(host));
        await aws.CutAsync(target, new CutOptions(false), kit.Run(host));
        AccessDecision cut = await aws.EvaluateAsync(target, kit.Run(host));
        Assert.Equal(CmekCutState.Cut, cut.Cut);
        Assert.Equal(["AwsKeyPolicyDeny"], await FailsAsync(aws, target, kit));
        CmekException revoked = await Assert.ThrowsAsync<CmekException>(
            () => aws.GrantAsync(cluster, key, Region, new PrincipalOptions(), kit.Run(host)));
        Assert.Equal("AccessRevoked", revoked.ErrorId);
        TestOperationHost again = new();
        await aws.CutAsync(target, new CutOptions(false), kit.Run(again));
        Assert.Empty(again.Questions);

        Assert.NotNull(await aws.ScheduleDeletionAsync(key.KeyUri!, 7, kit.Run(host)));
        await aws.RestoreAsync(target, snapshot, kit.Run(host));
        AccessSnapshot after = await aws.CaptureAsync(target, kit.Run(host));
        Assert.Equal(snapshot.Data.ToJsonString(), after.Data.ToJsonString());
        await AllPassAsync(aws, target, kit);
        await aws.RestoreAsync(target, snapshot, kit.Run(again));
        Assert.Empty(again.Questions);
        Assert.Empty(host.Warnings);
    }

    [Fact]
    public async Task OneLookThatIsBehindIsTakenForNobodysWrite()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await ClusterAsync(kit);
        CmekKey key = await aws.EnsureKeyAsync(cluster, Region, new KeyOptions(), kit.Run(new TestOperationHost()));
        SandboxResponse? behind = null;
        int late = 0;
        server.Before = request =>
        {
            string[] seen = [.. server.Exchanges.Where(e => e.Request.Operation == "GetKeyPolicy").Select(e => e.ResponseBody)];
            behind ??= seen.Length > 0
                ? new SandboxResponse { Status = 200, ContentType = "application/x-amz-json-1.1", Body = seen[^1] }
                : null;

            // The read-back has seen what was written; the next look meets a machine that has not.
            return Task.FromResult(
                request.Operation == "GetKeyPolicy" && seen.Any(b => b.Contains("CmekToolsUse", StringComparison.Ordinal))
                    && Interlocked.Increment(ref late) == 1
                    ? behind
                    : null);
        };
        TestOperationHost host = new();
        Assert.True((await aws.GrantAsync(cluster, key, Region, new PrincipalOptions(), kit.Run(host))).Changed);
        server.Before = null;
        Assert.True(late > 0);
        Assert.Single(server.Exchanges, e => e.Request.Operation == "PutKeyPolicy");
        Assert.Empty(host.Warnings);
    }

    [Fact]
    public async Task ARoleThatWasDeletedIsMadeAgainAndThePolicyIsWrittenForIt()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        (AccessTarget target, CmekKey _) = await GrantedAsync(aws, kit);
        AccessSnapshot snapshot = await aws.CaptureAsync(target, kit.Run(new TestOperationHost()));
        await aws.CutAsync(target, new CutOptions(false), kit.Run(new TestOperationHost()));
        await RunAwsAsync(server, "iam", "delete-role", "--role-name", AwsNames.TryParseRole(target.AuthPrincipal)!.Name);
        await aws.RestoreAsync(target, snapshot, kit.Run(new TestOperationHost()));
        await AllPassAsync(aws, target, kit);
    }

    [Fact]
    public async Task KmsRefusesANewRoleForAWhileAndTheGrantWaits()
    {
        await using SandboxServer server = SandboxServer.Start(new SandboxOptions { IamLag = TimeSpan.FromMilliseconds(700) });
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await ClusterAsync(kit);
        TestOperationHost host = new();
        CmekKey key = await aws.EnsureKeyAsync(cluster, Region, new KeyOptions(), kit.Run(host));
        CmekAccess access = await aws.GrantAsync(cluster, key, Region, new PrincipalOptions(), kit.Run(host));
        Assert.Equal(2, access.Changes.Count);
        Assert.Contains(host.Progress, p => p.Activity == "Waiting for IAM" && !p.Completed);
    }

    [Fact]
    public async Task RotationIsSeenBeforeItIsReported()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekKey key = await aws.EnsureKeyAsync(await ClusterAsync(kit), Region, new KeyOptions(), kit.Run(new TestOperationHost()));
        Assert.NotNull(await aws.RotateKeyAsync(key.KeyUri!, kit.Run(new TestOperationHost())));
        Assert.NotNull((await aws.GetKeyAsync(key.KeyUri!, kit.Run(new TestOperationHost()))).LastRotation);
    }

    [Fact]
    public async Task FindKeysGivesWhatIsMarkedAsTheClusters()
    {
        await using SandboxServer server = SandboxServer.Start();
        using EngineKit kit = EngineKit.Create(server);
        IKeyProvider aws = kit.Session.GetProvider(CmekProvider.AWS);
        CmekCluster cluster = await ClusterAsync(kit);
        foreach (CmekRegion region in cluster.Regions)
        {
            await aws.EnsureKeyAsync(cluster, region.Name, new KeyOptions { MultiRegion = true }, kit.Run(new TestOperationHost()));
        }

        List<CmekKey> found = [];
        await foreach (CmekKey key in aws.FindKeysAsync(cluster, null, new KeyOptions(), kit.Run(new TestOperationHost())))
        {
            found.Add(key);
        }

        Assert.Equal(["us-east-1", "us-west-2"], found.Select(k => k.Region));
        Assert.All(found, k => Assert.True(k.MultiRegion));
    }

    [Theory]
    [InlineData("alias/shop", "is an alias")]
    [InlineData("arn:aws:kms:us-east-1:111122223333:alias/shop", "is the ARN of an alias")]
    [InlineData("1234abcd-12ab-34cd-56ef-1234567890ab", "bare key id")]
    [InlineData("arn:aws:kms:us-east-1:1111:key/a", "not a key's ARN")]
    [InlineData("arn:aws-cn:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "partition")]
    [InlineData("arn:aws:kms:cn-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "contradicts")]
    public void AWrongKeyUriIsRefusedWithoutARequest(string uri, string says)
    {
        using EngineKit kit = EngineKit.Create();
        CmekException e = Assert.Throws<CmekException>(
            () => kit.Session.GetProvider(CmekProvider.AWS).ValidateKeyUri(uri, TestClusters.Shop, Region));
        Assert.Equal("KeyUriInvalid", e.ErrorId);
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
    }

    internal static async Task<CmekCluster> ClusterAsync(EngineKit kit)
    {
        await foreach (CmekCluster cluster in kit.Session.Cloud.ListClustersAsync(TestContext.Current.CancellationToken))
        {
            if (cluster.Provider == CmekProvider.AWS)
            {
                return cluster;
            }
        }

        throw new InvalidOperationException("The sandbox has no AWS cluster.");
    }

    internal static async Task<(AccessTarget Target, CmekKey Key)> GrantedAsync(IKeyProvider aws, EngineKit kit)
    {
        CmekCluster cluster = await ClusterAsync(kit);
        CmekKey key = await aws.EnsureKeyAsync(cluster, Region, new KeyOptions { EnableRotation = true }, kit.Run(new TestOperationHost()));
        CmekAccess access = await aws.GrantAsync(cluster, key, Region, new PrincipalOptions(), kit.Run(new TestOperationHost()));
        return (MotoTests.Target(access, cluster, kit.Session.Organization.Id), key);
    }

    private static async Task AllPassAsync(IKeyProvider aws, AccessTarget target, EngineKit kit)
    {
        await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
        {
            Assert.True(check.Result == CmekCheckResult.Pass, check.ToString());
        }

        AccessDecision verdict = await aws.EvaluateAsync(target, kit.Run(new TestOperationHost()));
        Assert.True(verdict.Use == Decision.Allowed, string.Join("; ", verdict.Reasons));
    }

    private static async Task<List<string>> FailsAsync(IKeyProvider aws, AccessTarget target, EngineKit kit)
    {
        List<string> names = [];
        await foreach (CmekCheck check in aws.CheckAsync(target, kit.Run(new TestOperationHost())))
        {
            if (check.Result == CmekCheckResult.Fail)
            {
                names.Add(check.Name);
            }
        }

        return names;
    }

    private static async Task RunAwsAsync(SandboxServer server, params string[] arguments)
    {
        ExternalProgram.Need("aws");
        (
            await ExternalProgram.RunAsync(
                "aws",
                arguments,
                [
                    .. server.Environment.Select(v => (v.Key, (string?)v.Value)),
                    ("AWS_DEFAULT_REGION", Region),
                    ("AWS_PAGER", string.Empty),
                ])).Expect();
    }
}
