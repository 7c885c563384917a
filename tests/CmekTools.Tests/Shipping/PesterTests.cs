using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The suite in tests/Pester, in the real PowerShell: as the module's users see it. Each Pester test is a test here.</summary>
public sealed class PesterTests(ITestOutputHelper output)
{
    /// <summary>What became of each Pester test: they have all been run when the first of them is looked at.</summary>
    public static async Task<IEnumerable<TheoryDataRow<PesterTest>>> Run() =>
        (await PesterRun.AllAsync()).Select(t => new TheoryDataRow<PesterTest>(t) { TestDisplayName = "Pester: " + t, Label = "" });

    [Theory(DisableDiscoveryEnumeration = true)]
    [MemberData(nameof(Run))]
    public void Suite(PesterTest test)
    {
        output.WriteLine($"{test.Place}, {test.Seconds:F1} s");
        switch (test.Result)
        {
            case "Passed":
                break;
            case "Skipped" or "Inconclusive" or "NotRun":
                Assert.Skip(test.Message.Length > 0 ? test.Message : test.Result);
                break;
            default:
                Assert.Fail($"{test.Message}\nin {test.Place}");
                break;
        }
    }
}
