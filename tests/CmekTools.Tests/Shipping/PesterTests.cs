using System.Globalization;
using System.Text.RegularExpressions;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The suite in tests/Pester, in a real pwsh: as the module's users see it.</summary>
public sealed partial class PesterTests(ITestOutputHelper output)
{
    private const int FewestTests = 100;

    [Fact]
    public async Task ThePesterSuitePasses()
    {
        ExternalProgram.Need("pwsh");
        string suite = Path.Combine(ExternalProgram.RepositoryRoot, "tests", "Pester");
        const string Script = """
            if (-not (Get-Module Pester -ListAvailable | Where-Object { $_.Version.Major -ge 5 })) { 'no Pester'; exit 0 }
            $configuration = New-PesterConfiguration
            $configuration.Run.Path = $env:CMEKTOOLS_PESTER
            $configuration.Run.PassThru = $true
            $configuration.Output.Verbosity = 'None'
            $run = Invoke-Pester -Configuration $configuration
            "passed $($run.PassedCount) failed $($run.FailedCount) skipped $($run.SkippedCount) containers $($run.FailedContainersCount)"
            foreach ($test in $run.Failed) { "$($test.ExpandedPath): $($test.ErrorRecord)" }
            foreach ($container in $run.FailedContainers) { "$($container.Item): $($container.ErrorRecord)" }
            """;
        FinishedProgram run = (await ExternalProgram.RunAsync(
            "pwsh",
            ["-NoProfile", "-NonInteractive", "-Command", Script],
            [("CMEKTOOLS_PESTER", suite), ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest)])).Expect();
        if (run.Output.Trim() == "no Pester")
        {
            Assert.Skip("pwsh has no Pester 5.");
        }

        output.WriteLine(run.Output);
        Match counts = Counts().Match(run.Output);
        Assert.True(counts.Success && counts.Groups["failed"].Value == "0" && counts.Groups["containers"].Value == "0", run.Output + run.Errors);
        Assert.True(int.Parse(counts.Groups["passed"].Value, CultureInfo.InvariantCulture) >= FewestTests, run.Output);
    }

    [GeneratedRegex(@"passed (?<passed>\d+) failed (?<failed>\d+) skipped (?<skipped>\d+) containers (?<containers>\d+)")]
    private static partial Regex Counts();
}
