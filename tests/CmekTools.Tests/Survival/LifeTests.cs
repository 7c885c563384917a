using CmekTools.Benchmarks.Survival;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>The small version of the thousand lives that the benchmark lives.</summary>
public sealed class LifeTests
{
    [Theory]
    [InlineData("AWS", 101)]
    [InlineData("GCP", 102)]
    public async Task ALifeInWhichATenthOfTheRequestsGoesWrongEndsRight(string provider, int seed)
    {
        LifeResult life = await WholeLife.LiveAsync(
            new LifeOptions
            {
                Seed = seed,
                Provider = provider,
                Clusters = 1,
                Regions = 1,
                Rate = 0.1,
                IamLag = TimeSpan.Zero,
                StaleReads = TimeSpan.Zero,
                Live = true,
            },
            TestContext.Current.CancellationToken);
        Assert.True(life.Faults.Count == 0, string.Join('\n', life.Faults.Concat(life.Trace)));
        Assert.InRange(life.Hit, 20, int.MaxValue);
    }
}
