using System.Reflection;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Every runbook runs, on both clouds, and leaves the cluster where it says.</summary>
public sealed class RunbookTests
{
    private static string Folder { get; } = Path.GetFullPath(Path.Combine(
        typeof(RunbookTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!,
        "runbooks"));

    [Theory]
    [InlineData("shop", "eu-west-1")]
    [InlineData("ledger", "europe-west1")]
    public async Task TheyTakeAClusterThroughItsLife(string cluster, string newRegion)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await ExpectAsync("enable.ps1", CmekState.ENABLED);
        await ExpectAsync("rotate.ps1", CmekState.ENABLED);
        await ExpectAsync("add-region.ps1", CmekState.ENABLED, new { Region = newRegion, NodeCount = 3 });
        await ExpectAsync("emergency-revoke.ps1", CmekState.REVOKED, new { Force = true });
        await ExpectAsync("restore.ps1", CmekState.ENABLED, new { Wait = true });
        await ExpectAsync("disable.ps1", CmekState.DISABLED);

        async Task ExpectAsync(string name, CmekState state, object? more = null)
        {
            System.Collections.Hashtable arguments = new() { ["ClusterName"] = cluster };
            foreach (PropertyInfo property in more?.GetType().GetProperties() ?? [])
            {
                arguments[property.Name] = property.GetValue(more);
            }

            (
                await shell.RunAsync(
                    "param($Path, $Arguments) & $Path @Arguments",
                    new { Path = Path.Combine(Folder, name), Arguments = arguments })).Expect();
            CmekStatus status = Assert.Single(
                (await shell.RunAsync("param($Name) Get-CmekStatus $Name", new { Name = cluster })).Expect().Values<CmekStatus>());
            Assert.Equal(state, status.State);
            Assert.All(status.Regions, r => Assert.Equal(state, r.State));
        }
    }

    [Theory]
    [InlineData("shop")]
    [InlineData("ledger")]
    public async Task AnEmergencyOnAClusterThatUsesNoKeyEndsWellWithWhatIsTrue(string cluster)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        await shell.EnableAllAsync();
        (await shell.RunAsync($"Disable-CmekCluster {cluster} -Wait -Confirm:$false")).Expect();
        for (int i = 0; i < 2; i++)
        {
            PowerShellResult result = (await shell.RunAsync(
                "param($Path, $Name) & $Path -ClusterName $Name -Force",
                new { Path = Path.Combine(Folder, "emergency-revoke.ps1"), Name = cluster })).Expect();
            Assert.Equal((true, false), (result.Values<CmekStep>()[^1].KeyCut, result.Values<CmekStep>()[^1].Revoked));
            Assert.Contains(result.Warnings, w => w.Contains("It uses none of them now (DISABLED)", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("enable.ps1")]
    [InlineData("rotate.ps1")]
    [InlineData("add-region.ps1")]
    [InlineData("emergency-revoke.ps1")]
    [InlineData("restore.ps1")]
    [InlineData("disable.ps1")]
    public async Task WhatIfOfARunbookSendsNoWrite(string name)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        if (name != "enable.ps1")
        {
            await shell.EnableAllAsync();
        }

        foreach ((string cluster, string region) in ((string, string)[])[("shop", "eu-west-1"), ("ledger", "europe-west1")])
        {
            string more = name == "add-region.ps1" ? $"-Region {region} -NodeCount 3" : string.Empty;
            (
                await shell.RunAsync(
                    $"param($Path) & $Path -ClusterName {cluster} {more} -WhatIf",
                    new { Path = Path.Combine(Folder, name) })).Expect();
        }

        Assert.Empty(shell.Writes);
        string shown = shell.Shell.Host.TakeText();
        Assert.True(name == "restore.ps1" || shown.Contains("What if:", StringComparison.Ordinal), shown);
    }
}
