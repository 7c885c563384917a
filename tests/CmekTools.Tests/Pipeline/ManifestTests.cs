using System.Diagnostics;
using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Manifests, Terraform, drift and preflight.</summary>
public sealed class ManifestTests
{
    [Theory]
    [InlineData("shop")]
    [InlineData("ledger")]
    public async Task ARoundTripIsTheSameJson(string cluster)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await shell.EnableAllAsync();
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N") + ".json");
        try
        {
            (await shell.RunAsync($"param($Path) Export-CmekManifest {cluster} $Path", new { Path = path })).Expect();
            string written = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
            string again = Assert.Single(
                (
                    await shell.RunAsync(
                        $"param($Path) Import-CmekManifest $Path {cluster} | Export-CmekManifest",
                        new { Path = path })).Expect().Values<string>());
            Assert.Equal(written, again);
            Assert.Equal(2, JsonNode.Parse(again)!["region_specs"]!.AsArray().Count);
            Assert.DoesNotContain(
                (
                    await shell.RunAsync(
                        $"param($Path) Compare-CmekCluster {cluster} -ManifestPath $Path",
                        new { Path = path })).Expect().Values<CmekDifference>(),
                d => d.Kind != "Weakened");
            Assert.Empty(shell.Writes);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("shop")]
    [InlineData("ledger")]
    public async Task TheTerraformTextIsInItsOwnForm(string cluster)
    {
        ExternalProgram.Need("terraform");
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await shell.EnableAllAsync();
        string text = Assert.Single((await shell.RunAsync($"Export-CmekManifest {cluster} -As Terraform")).Expect().Values<string>());
        FinishedProgram run = await ExternalProgram.RunAsync("terraform", ["fmt", "-check", "-diff", "-"], input: text);
        Assert.True(run.Code == 0, run.Output + text);
    }

    [Fact]
    public async Task DriftIsNamed()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Gcp);
        await shell.EnableAllAsync();
        PowerShellResult result = (await shell.RunAsync("""
            $declared = Export-CmekManifest ledger
            $path = [System.IO.Path]::GetTempFileName()
            [System.IO.File]::WriteAllText($path, $declared)
            $null = New-CmekKey ledger -Region us-east1 -KeyRing other | Grant-CmekAccess |
                Update-CmekCluster -Wait -WarningAction SilentlyContinue
            Compare-CmekCluster ledger -ManifestPath $path
            [System.IO.File]::Delete($path)
            """)).Expect();
        CmekDifference difference = Assert.Single(result.Values<CmekDifference>(), d => d.Kind == "KeyChanged");
        Assert.Equal("us-east1", difference.Region);
    }

    [Theory]
    [InlineData("shop")]
    [InlineData("ledger")]
    public async Task PreflightOfASoundClusterPassesAndReadsInOneRound(string cluster)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await shell.EnableAllAsync();
        CmekAccess[] accesses =
        [
            .. (await shell.RunAsync($"New-CmekKey {cluster} -EnableRotation | Grant-CmekAccess")).Expect().Values<CmekAccess>(),
        ];
        Assert.DoesNotContain(
            (await shell.RunAsync("param($Access) $Access | Test-CmekAccess", new { Access = accesses })).Expect().Values<CmekCheck>(),
            c => c.Result is CmekCheckResult.Fail or CmekCheckResult.Unknown);
        TimeSpan answer = TimeSpan.FromMilliseconds(250);
        shell.Server.Options = shell.Server.Options with { AnswerTime = answer };
        shell.Server.ClearExchanges();
        Stopwatch watch = Stopwatch.StartNew();
        Assert.True(
            (bool)Assert.Single(
                (
                    await shell.RunAsync(
                        "param($Access) $Access | Test-CmekAccess -Quiet",
                        new { Access = accesses })).Expect().Output).BaseObject);
        int reads = shell.Server.Exchanges.Count;

        // The cluster, then everything that depends only on it; the role's own policies are a list and what it names.
        Assert.True(watch.Elapsed < 5 * answer, $"{reads} reads took {watch.Elapsed}");
        Assert.True(reads > 8);
        Assert.Empty(shell.Writes);
    }
}
