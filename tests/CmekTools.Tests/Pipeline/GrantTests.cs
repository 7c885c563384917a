using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>What Grant-CmekAccess refuses, and what it does not mistake for a mistake.</summary>
public sealed class GrantTests
{
    [Theory]
    [InlineData("AWS", "")]
    [InlineData("AWS", "-KeyOnly")]
    [InlineData("GCP", "")]
    [InlineData("GCP", "-KeyOnly")]
    public async Task ItDoesNotUndoARevocation(string provider, string how)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync($"Revoke-CmekAccess shop -Force {how}");
        PowerShellResult result = await life.TryAsync("New-CmekKey shop | Grant-CmekAccess");
        Assert.Equal(2, result.Errors.Count);
        Assert.All(result.Errors, e => Assert.StartsWith("AccessRevoked,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task NorOnAMachineThatHasNoReceiptOfIt(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        await using SandboxShell other = await SandboxShell.StartAsync(server: life.Server);
        PowerShellResult result = await other.RunAsync("New-CmekKey shop | Grant-CmekAccess");
        Assert.All(result.Errors, e => Assert.StartsWith("AccessRevoked,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Equal(2, result.Errors.Count);
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task NorByAKeyThatWasMadeForAnotherCluster()
    {
        SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with { Clusters =
        [
            new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
            new SandboxClusterOptions("stock", "AWS", ["us-east-1"]),
        ] });
        await using SandboxShell one = shell;
        (await shell.RunAsync("New-CmekKey shop | Grant-CmekAccess | Enable-CmekCluster -Wait; Revoke-CmekAccess shop -Force")).Expect();
        await using SandboxShell elsewhere = await SandboxShell.StartAsync(server: shell.Server);
        PowerShellResult result = await elsewhere.RunAsync("New-CmekKey stock | Grant-CmekAccess -ClusterName shop -Region us-east-1");
        result.ExpectError("AccessRevoked");
    }

    [Theory]
    [InlineData("AWS", "us-west-1", "us-esat-1")]
    [InlineData("GCP", "us-east4", "us-centrall1")]
    public async Task ANewRegionMayHaveANameLikeAnothers(string provider, string region, string misspelt)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekAccess access = Assert.Single(
            (
                await life.RunAsync(
                    "param($Region) New-CmekKey shop -Region $Region -NewRegion | Grant-CmekAccess",
                    new { Region = region })).Values<CmekAccess>());
        Assert.Equal(region, access.Region);
        (
            await life.TryAsync(
                "param($Region, $Uri) Grant-CmekAccess shop -Region $Region -KeyUri $Uri",
                new { Region = misspelt, Uri = await life.KeyAsync(life.Regions[0]) })).ExpectError("RegionUnknown");
    }

    [Fact]
    public async Task AKeyThatWasMadeForAClusterIsKnownByItsUriOnBothClouds()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        PowerShellResult result = (
            await shell.RunAsync(
                "Get-CmekCluster | New-CmekKey -Ordered | ForEach-Object { Get-CmekKey $_.KeyUri } | Grant-CmekAccess -Ordered")).Expect();
        Assert.Equal(["us-central1", "us-east1", "us-east-1", "us-west-2"], result.Values<CmekAccess>().Select(a => a.Region));
    }

    [Fact]
    public async Task ListsCanBeIndexed()
    {
        await using Life life = await Life.StartAsync("AWS");
        PowerShellResult result = await life.RunAsync("""
            (Get-CmekCluster shop).Regions[1].Name
            (Get-CmekStatus shop).Regions[0].Region
            (Get-CmekStatus shop).Regions[0].Keys[0].KeyType
            $null = Revoke-CmekAccess shop -Force -KeyOnly
            (Get-CmekReceipt shop).Accesses[-1].Region
            """);
        Assert.Equal(["us-west-2", "us-east-1", "AWS_KMS", "us-west-2"], result.Output.Select(o => o.ToString()));
    }

    [Theory]
    [InlineData("Export-CmekManifest", "\"region_specs\"")]
    [InlineData("Compare-CmekCluster", null)]
    [InlineData("Test-CmekAccess", "Pass")]
    public async Task AClusterThatIsGoneDoesNotStopTheOthers(string command, string? shown)
    {
        await using Life life = await Life.StartAsync("AWS");
        PowerShellResult result = await life.TryAsync($$"""
            $real = New-CmekKey shop | Grant-CmekAccess
            $gone = [CmekTools.CmekAccess]@{
                ClusterId = '00000000-0000-0000-0000-000000000000'
                Region = 'us-east-1'
                KeyUri = $real[0].KeyUri
                AuthPrincipal = $real[0].AuthPrincipal
            }
            @($gone) + @($real) | {{command}}
            """);
        ErrorRecord error = Assert.Single(result.Errors);
        Assert.StartsWith("CloudApiNotFound,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        if (shown is not null)
        {
            Assert.Contains(shown, result.Text, StringComparison.Ordinal);
        }
    }
}
