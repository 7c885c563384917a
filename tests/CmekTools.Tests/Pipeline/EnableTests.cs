using System.Management.Automation;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>From no CMEK to ENABLED, through the real engine and over the wire.</summary>
public sealed class EnableTests
{
    private const string Whole = "Get-CmekCluster shop | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait";

    [Fact]
    public async Task OnePipelineTakesAClusterToEnabledInBothRegions()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        CmekStatus status = Assert.Single((await shell.RunAsync(Whole)).Expect().Values<CmekStatus>());
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.True(status.Changed);
        Assert.Equal(["us-east-1", "us-west-2"], status.Regions.Select(r => r.Region));
        Assert.All(status.Regions, r =>
        {
            Assert.Equal(CmekState.ENABLED, r.State);
            Assert.StartsWith($"arn:aws:kms:{r.Region}:", r.KeyUri, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task ASecondRunChangesNothingAndSaysSo()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        await shell.EnableAllAsync();
        PowerShellResult again = (
            await shell.RunAsync(
                "Get-CmekCluster shop | New-CmekKey -EnableRotation -Verbose | Grant-CmekAccess -Verbose | "
                    + "Enable-CmekCluster -Wait -Verbose")).Expect();
        Assert.Empty(shell.Writes);
        Assert.False(Assert.Single(again.Values<CmekStatus>()).Changed);
        Assert.Equal(5, again.Verbose.Count(v => v.Contains("nothing was changed", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("New-CmekKey shop -EnableRotation -WhatIf")]
    [InlineData("Get-CmekCluster shop | New-CmekKey -MultiRegion -WhatIf | Grant-CmekAccess -WhatIf | Enable-CmekCluster -WhatIf")]
    [InlineData("$WhatIfPreference = $true; Get-CmekCluster shop | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait")]
    [InlineData("New-CmekCluster other-one -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } -Wait -WhatIf")]
    public async Task WhatIfSendsNoWriteAndShowsTheChange(string script)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        PowerShellResult result = (await shell.RunAsync(script)).Expect();
        Assert.Empty(shell.Writes);
        Assert.NotEmpty(shell.Server.Exchanges);
        Assert.Contains("What if:", shell.Shell.Host.TakeText(), StringComparison.Ordinal);
        Assert.False(Directory.Exists(shell.StateFolder), "a -WhatIf run leaves nothing on disk");
        Assert.Equal(PSInvocationState.Completed, result.State);
    }

    [Fact]
    public async Task WhatIfOfEnablingPrintsTheExactBody()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        CmekAccess[] accesses = [.. (await shell.RunAsync("New-CmekKey shop | Grant-CmekAccess")).Expect().Values<CmekAccess>()];
        shell.Server.ClearExchanges();
        shell.Shell.Host.TakeText();
        (await shell.RunAsync("param($Access) $Access | Enable-CmekCluster -WhatIf", new { Access = accesses })).Expect();
        string shown = shell.Shell.Host.TakeText();
        (await shell.RunAsync("param($Access) $Access | Enable-CmekCluster", new { Access = accesses })).Expect();
        string sent = shell.Server.Exchanges.Single(e => e.Request.Operation == "EnableCmek").Request.Text;
        string body = shown[shown.IndexOf('{', StringComparison.Ordinal)..(shown.LastIndexOf('}') + 1)];
        Assert.Equal(Normal(sent), Normal(body));

        static string Normal(string json) => System.Text.Json.Nodes.JsonNode.Parse(json)!.ToJsonString();
    }

    [Fact]
    public async Task RecordsBindByPropertyName()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        PowerShellResult result = (await shell.RunAsync("""
            $keys = New-CmekKey shop
            $plain = foreach ($key in $keys) { [pscustomobject]@{ ClusterId = $key.ClusterId; Region = $key.Region; KeyUri = $key.KeyUri } }
            $plain | Grant-CmekAccess
            """)).Expect();
        Assert.Equal(["us-east-1", "us-west-2"], result.Values<CmekAccess>().Select(a => a.Region));
        Assert.All(result.Values<CmekAccess>(), a => Assert.Equal("shop", a.ClusterName));

        // A cluster is one, however many of its keys say it.
        Assert.Equal(
            "shop",
            Assert.Single((await shell.RunAsync("New-CmekKey shop | Get-CmekStatus")).Expect().Values<CmekStatus>()).ClusterName);
    }

    [Fact]
    public async Task AForeignKeyCanBeNamedByItsArn()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        PowerShellResult result = (await shell.RunAsync("""
            $keys = New-CmekKey shop
            foreach ($key in $keys) { Get-CmekKey $key.KeyUri | Grant-CmekAccess -ClusterName shop -Region $key.Region }
            """)).Expect();
        Assert.Equal(2, result.Values<CmekAccess>().Count);
    }

    [Fact]
    public async Task ARegionWithoutAKeyIsRefusedBeforeAnyWrite()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        (await shell.RunAsync("$global:access = New-CmekKey shop -Region us-east-1 | Grant-CmekAccess")).Expect();
        shell.Server.ClearExchanges();
        ErrorRecord error = (await shell.RunAsync("$access | Enable-CmekCluster -Wait")).ExpectError("RegionWithoutKey");
        Assert.Equal(ErrorCategory.InvalidArgument, error.CategoryInfo.Category);
        Assert.Contains("us-west-2", error.Exception.Message, StringComparison.Ordinal);
        Assert.NotNull(error.ErrorDetails.RecommendedAction);
        Assert.Empty(shell.Writes);
    }

    [Fact]
    public async Task CtrlCDuringTheWaitStopsAtOnceAndIsNoError()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws with { StateTime = TimeSpan.FromMinutes(30) });
        RunningScript run = shell.Shell.Start(Whole);
        await run.WaitForProgressAsync(p => p.Activity.StartsWith("Enabling CMEK", StringComparison.Ordinal));
        System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
        PowerShellResult result = await run.StopAsync();
        Assert.Equal(PSInvocationState.Stopped, result.State);
        Assert.Empty(result.Errors);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"stopping took {watch.Elapsed}");

        // The next run watches what the first one began, and sends nothing again.
        shell.Server.Options = shell.Server.Options with { StateTime = TimeSpan.FromMilliseconds(1) };
        shell.Server.ClearExchanges();
        Assert.Equal(CmekState.ENABLED, Assert.Single((await shell.RunAsync(Whole)).Expect().Values<CmekStatus>()).State);
        Assert.DoesNotContain(shell.Server.Exchanges, e => e.Request.Operation == "EnableCmek");
    }

    [Fact]
    public async Task ADownstreamThatHasEnoughEndsTheCommand()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        PowerShellResult result = await shell.RunAsync("""
            try { Get-CmekCluster | ForEach-Object { throw 'enough' } } catch { "caught $_" }
            """);
        Assert.Equal("caught enough", Assert.Single(result.Values<string>()));
    }

    [Fact]
    public async Task TheTimeoutIsAnErrorWithWhatWasSeen()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws with { StateTime = TimeSpan.FromMinutes(30) });
        ErrorRecord error = (await shell.RunAsync(Whole + " -TimeoutSeconds 1")).ExpectError("StatusTimeout");
        Assert.Equal(ErrorCategory.OperationTimeout, error.CategoryInfo.Category);
        Assert.Contains("us-east-1=ENABLING", error.Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AManifestEnablesWhatOtherToolsMade()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N") + ".json");
        try
        {
            (
                await shell.RunAsync(
                    "param($Path) $null = New-CmekKey shop | Grant-CmekAccess | Export-CmekManifest -Path $Path",
                    new { Path = path })).Expect();
            PowerShellResult result = (
                await shell.RunAsync("param($Path) Enable-CmekCluster shop -ManifestPath $Path -Wait", new { Path = path })).Expect();
            Assert.Equal(CmekState.ENABLED, Assert.Single(result.Values<CmekStatus>()).State);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task IamLagIsWaitedOut()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws with { IamLag = TimeSpan.FromMilliseconds(700) });
        Assert.Equal(CmekState.ENABLED, Assert.Single((await shell.RunAsync(Whole)).Expect().Values<CmekStatus>()).State);
        Assert.Contains(shell.Server.Exchanges, e => e.Request.Operation == "PutKeyPolicy" && e.Status == 400);
    }

    [Fact]
    public async Task TablesAreMadeToBeRead()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        await shell.EnableAllAsync();
        string clusters = (await shell.RunAsync("Get-CmekCluster")).Expect().Text;
        Assert.Matches(@"shop\s+AWS\s+ADVANCED\s+CREATED\s+PRIVATE\s+us-east-1, us-west-2", clusters);
        string status = (await shell.RunAsync("Get-CmekStatus shop")).Expect().Text;
        Assert.Matches(@"shop\s+AWS\s+ENABLED\s+us-east-1=ENABLED", status);
        string keys = (await shell.RunAsync("New-CmekKey shop -EnableRotation")).Expect().Text;
        Assert.Matches(@"shop\s+us-east-1\s+Enabled\s+[0-9a-f]{8}-[0-9a-f-]{27}\s+365 d", keys);
    }
}
