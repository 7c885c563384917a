using Xunit;
using static CmekTools.Tests.Pipeline.Mending;

namespace CmekTools.Tests.Pipeline;

/// <summary>The Cloud API's side and the declaration, broken in one way after another; the keys are sound.</summary>
public sealed class PreflightCloudTests(SharedSession shared) : IClassFixture<SharedSession>
{
    internal static SortedDictionary<string, Defect> Table { get; } = new(StringComparer.Ordinal)
    {
        ["api key: refused"] = new(
            s => Do(() => s.Shell.Server.Options = s.Shell.Server.Options with { ApiKey = "CCDB1_another" }),
            "Fail CloudApiToken",
            "Make an API key",
            SaysWhereToGo),
        ["plan: STANDARD"] = new(
            s => Do(() => s.Cloud.SetPlan(s.ClusterId, "STANDARD")),
            "Fail ClusterPlan",
            "New-CmekCluster",
            SaysWhereToGo),
        ["plan: BASIC"] = new(s => Do(() => s.Cloud.SetPlan(s.ClusterId, "BASIC")), "Fail ClusterPlan", "New-CmekCluster", SaysWhereToGo),
        ["network: public"] = new(
            s => Do(() => s.Cloud.SetNetworkVisibility(s.ClusterId, "PUBLIC")),
            "Fail ClusterNetwork",
            "New-CmekCluster",
            SaysWhereToGo),
        ["state: LOCKED"] = State("LOCKED"),
        ["state: CREATING"] = State("CREATING"),
        ["state: CREATION_FAILED"] = State("CREATION_FAILED"),
        ["state: DELETED"] = State("DELETED"),
        ["state: another operation runs"] = new(BusyAsync, "Fail ClusterState", "Wait until Get-CmekCluster shop"),
        ["status: an enabling failed"] = new(FailedAsync, "Warn ClusterState, Warn CmekStatus, Fail AwsKeyState", "Get-CmekStatus shop"),
        ["region: without a key"] = new(
            s => Do(() => s.Accesses.RemoveAt(0)),
            "Fail RegionCovered",
            "Get-CmekCluster shop | New-CmekKey -Region us-east-1",
            InSession,
            Everywhere: true),
        ["region: with two keys"] = new(TwoKeysAsync, "Fail RegionCovered", "Give each region one: ", Everywhere: true),
        ["region: misspelt"] = new(
            s => Do(() => s.Accesses[0] = s.First with { Region = "us-esat-1" }),
            "Fail RegionCovered, Fail RegionKnown",
            "Get-CmekCluster shop | New-CmekKey -Region us-east-1",
            SaysWhereToGo,
            Everywhere: true),
        ["region: of another cluster"] = new(
            s => Do(() => s.Accesses.Add(s.First with { Region = "eu-west-1" })),
            "Fail RegionKnown",
            "Its regions are us-east-1, us-west-2",
            SaysWhereToGo,
            Everywhere: true),
        ["sound: nothing is broken"] = new(_ => Task.CompletedTask, string.Empty, string.Empty),
        ["sound: region in capitals"] = new(
            s => Do(() => s.Accesses[0] = s.First with { Region = "US-EAST-1" }),
            string.Empty,
            string.Empty),
    };

    public static TheoryData<string> Names => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task TheRightChecksAreOffAndAgreeWithWhatHappens(string name)
    {
        await using DefectScene scene = await DefectScene.StartAsync(google: false, shared.Session);
        await PreflightDefectTests.ProveAsync(scene, Table[name]);
    }

    private static Defect State(string state) =>
        new(s => Do(() => s.Cloud.SetState(s.ClusterId, state)), "Fail ClusterState", string.Empty, SaysWhereToGo);

    private static async Task BusyAsync(DefectScene s)
    {
        (await s.EnableAsync()).Expect();
        s.Shell.Server.Options = s.Shell.Server.Options with { StateTime = TimeSpan.FromMinutes(10) };
        (await s.Shell.RunAsync("Update-CmekCluster shop -Rewrap")).Expect();
    }

    private static async Task FailedAsync(DefectScene s)
    {
        s.Shell.Server.Options = s.Shell.Server.Options with { StateTime = TimeSpan.FromMinutes(10) };
        (await s.Shell.RunAsync("param($Access) $Access | Enable-CmekCluster", new { Access = s.Accesses.ToArray() })).Expect();
        await s.Kms().DisableKeyAsync(s.Key, DefectScene.Stop);
        s.Shell.Server.Options = s.Shell.Server.Options with { StateTime = TimeSpan.Zero };
    }

    private static async Task TwoKeysAsync(DefectScene s) =>
        s.Accesses.Add(
            Assert.Single(
                (
                    await s.Shell.RunAsync(
                        "New-CmekKey shop -Region us-east-1 -AliasName second -EnableRotation | Grant-CmekAccess"))
                            .Expect().Values<CmekAccess>()));

    private static Task Do(Action act)
    {
        act();
        return Task.CompletedTask;
    }
}
