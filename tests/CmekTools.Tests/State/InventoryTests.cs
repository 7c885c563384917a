using CmekTools.Engine.Clusters;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>What is known of a cluster's keys is what a cut goes by: no process may write another's knowledge away.</summary>
public sealed class InventoryTests : IDisposable
{
    private static readonly CmekOrganization s_organization = new() { Id = "o", Name = "o" };

    private readonly string _folder = Directory.CreateTempSubdirectory("cmektools-test-").FullName;

    [Fact]
    public void AProcessThatLooksAgainLaterKeepsWhatAnotherSawMeanwhile()
    {
        Inventory one = Open();
        Inventory other = Open();
        See(one, "first");
        See(other, "second");
        See(other, "third");
        See(one, "third");

        Assert.Equal(["first", "second", "third"], Known());
    }

    [Fact]
    public void OnesThatLookAtTheSameTimeKeepWhatEachSaw()
    {
        string[] keys = [.. Enumerable.Range(0, 64).Select(n => $"key{n:00}")];
        Inventory[] processes = [.. Enumerable.Range(0, 8).Select(_ => Open())];
        Parallel.ForEach(
            keys.Index(),
            new ParallelOptions { MaxDegreeOfParallelism = processes.Length, CancellationToken = TestContext.Current.CancellationToken },
            key => See(processes[key.Index % processes.Length], key.Item));

        Assert.Equal(keys, Known());
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string[] Known() =>
        [.. Open().Find(TestClusters.Shop.Id)!.Keys.Select(k => k.KeyUri).Order(StringComparer.Ordinal)];

    private Inventory Open() => new(_folder, TimeProvider.System, TimeSpan.FromMinutes(1));

    private static void See(Inventory inventory, string key) => inventory.Keep(
        s_organization,
        new Uri("http://localhost"),
        TestClusters.Shop,
        new CmekStatus
        {
            ClusterId = TestClusters.Shop.Id,
            ClusterName = TestClusters.Shop.Name,
            Regions =
            [
                new CmekRegionStatus
                {
                    ClusterId = TestClusters.Shop.Id,
                    Region = "us-east-1",
                    State = CmekState.ENABLED,
                    Keys = [new CmekKeyStatus { KeyUri = key, AuthPrincipal = "p", State = CmekState.ENABLED, Place = CmekKeyPlace.InUse }],
                },
            ],
        });
}
