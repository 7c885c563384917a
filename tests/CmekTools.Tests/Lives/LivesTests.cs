using System.Globalization;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lives;

/// <summary>Whole lives in a random order of commands, by two operators: some here, thousands by benchmarks/lives.ps1.</summary>
public sealed class LivesTests
{
    private static int Number(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int number) ? number : otherwise;

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task NoLifeEndsWithALostKeyAPrincipalLetInOrADeadEnd(string provider)
    {
        int count = Number("CMEKTOOLS_LIVES", 6);
        int first = Number("CMEKTOOLS_SEED", 1);
        PowerShellSession[] sessions = await Task.WhenAll(PowerShellSession.OpenAsync(), PowerShellSession.OpenAsync());
        List<string> broken = [];
        for (int seed = first; seed < first + count && broken.Count < 10; seed++)
        {
            if (await TwoOperators.LiveAsync(provider, seed, Number("CMEKTOOLS_ACTS", 14), sessions) is { } story)
            {
                broken.Add(story);
            }
        }

        foreach (PowerShellSession session in sessions)
        {
            await session.DisposeAsync();
        }

        Assert.True(broken.Count == 0, string.Join("\n\n", broken));
        TestContext.Current.TestOutputHelper!.WriteLine($"{count} lives on {provider}, from seed {first}: no rule was broken.");
    }
}
