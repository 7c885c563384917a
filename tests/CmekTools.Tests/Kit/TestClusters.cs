namespace CmekTools.Tests.Kit;

/// <summary>Clusters for tests that need one and no service that has it.</summary>
internal static class TestClusters
{
    public static readonly CmekCluster Shop = new()
    {
        Id = "3f1c2b7a-0000-4000-8000-00000000abcd",
        Name = "shop",
        Provider = CmekProvider.AWS,
        Plan = "ADVANCED",
        State = "CREATED",
        AccountId = "999988887777",
        Regions = [new CmekRegion { Name = "us-east-1", NodeCount = 3 }, new CmekRegion { Name = "us-west-2", NodeCount = 3 }],
    };
}
