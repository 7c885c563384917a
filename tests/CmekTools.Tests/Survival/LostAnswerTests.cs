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
        using EngineKit kit = EngineKit.Create(server, Timings.Sandbox with { PropagationLimit = TimeSpan.FromMilliseconds(300) });
        TestOperationHost host = new();
        Operation op = kit.Run(host);
        CmekCluster cluster = await kit.Session.Cloud.GetClusterAsync(server.Get<CmekTools.Sandbox.CloudApi.CloudApiService>().IdOf("shop"), op.Cancellation);
        await Keys.MakeAsync(cluster, [], false, false, new KeyOptions(), op);
        Assert.Empty(host.Errors);
        Assert.Single(server.Get<AwsService>().World.Keys.Keys);
        Assert.Contains(server.Exchanges, e => e.Fault is not null);
        Assert.DoesNotContain(CmekTools.Engine.State.JournalReader.Read(kit.Session.Journal.FilePath), e => e.IsUnsettled);
    }
}
