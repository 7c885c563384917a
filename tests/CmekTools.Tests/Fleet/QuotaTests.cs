using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Fleet;

/// <summary>The quotas of the providers: what is paced is not refused, and what is refused all the same comes to its end.</summary>
public sealed class QuotaTests
{
    private const int Count = 10;

    private static SandboxOptions Options { get; } = SandboxShell.Fast with
    {
        AwsQuotas = true,
        Clusters = [.. Enumerable.Range(1, Count).Select(i => new SandboxClusterOptions($"q{i:00}", "AWS", ["us-east-1", "us-west-2"]))],
    };

    [Fact]
    public async Task KeysOfAFleetAreMadeAtThePaceOfEachRegionAndRefusedLessThanWithoutOne()
    {
        await using SandboxServer free = SandboxServer.Start(Options);
        await using SandboxServer paced = SandboxServer.Start(Options);
        int without = await MakeAllAsync(free, Timings.Sandbox with { RetryBase = TimeSpan.FromMilliseconds(200), RetryCount = 12 });
        int with = await MakeAllAsync(paced, Timings.Sandbox with { RetryCount = 12, PacesLoopback = true });

        // Both regions of ten clusters are 2 × 10 keys at 5 a second: without a pace at least the second five of each are refused.
        Assert.True(without >= Count, $"{without} refusals without a pace.");
        Assert.True(with <= without / 4, $"{with} refusals with a pace, {without} without.");
    }

    private static async Task<int> MakeAllAsync(SandboxServer server, Timings timings)
    {
        using EngineKit kit = EngineKit.Create(server, timings);
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        List<Task> makes = [];
        await foreach (CmekCluster cluster in kit.Session.Cloud.ListClustersAsync(op.Cancellation))
        {
            makes.Add(Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op.ForRecord(host, op.Cancellation, op.Abort)));
        }

        await Task.WhenAll(makes);
        Assert.Empty(host.Errors);
        AwsService aws = server.Get<AwsService>();
        Assert.Equal(2 * Count, host.Output.OfType<CmekKey>().Select(k => k.KeyUri).Distinct().Count());
        Assert.Equal(2 * Count, server.Exclusively(() => aws.Keys.Keys.Count));
        return server.Exclusively(() => aws.World.Quota.Refusals);
    }
}
