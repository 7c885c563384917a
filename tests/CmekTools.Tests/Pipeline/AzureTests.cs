using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Clusters on Azure pass through: what CmekTools can do without touching a vault it does, and says what it cannot.</summary>
public sealed class AzureTests
{
    private const string Manifest = """
        {
          "region_specs": [
            {
              "region": "eastus",
              "key_spec": {
                "type": "AZURE_KEY_VAULT",
                "uri": "https://vault-a.vault.azure.net/keys/cmek/0123456789abcdef0123456789abcdef",
                "auth_principal": "5e0b1f0a-7c0d-4e6e-9a54-1f2d9b6c8e10"
              }
            },
            {
              "region": "westus2",
              "key_spec": {
                "type": "AZURE_KEY_VAULT",
                "uri": "https://vault-b.vault.azure.net/keys/cmek/fedcba9876543210fedcba9876543210",
                "auth_principal": "5e0b1f0a-7c0d-4e6e-9a54-1f2d9b6c8e10"
              }
            }
          ]
        }
        """;

    [Fact]
    public async Task AManifestIsEnabledComparedAndWrittenAgain()
    {
        await using SandboxShell shell = await StartAsync();
        using TempFolder folder = new();
        string path = folder.Write("cmek_config.json", Manifest);
        object file = new { Path = path };
        Assert.Equal(CmekState.DISABLED, (await StatusAsync(shell)).State);
        CmekDifference[] before =
        [
            .. (
                await shell.RunAsync(
                    "param($Path) Compare-CmekCluster vaults -ManifestPath $Path",
                    file)).Expect().Values<CmekDifference>(),
        ];
        Assert.Equal(["StateNotEnabled eastus", "StateNotEnabled westus2"], before.Select(d => $"{d.Kind} {d.Region}"));
        Assert.Equal(
            CmekState.ENABLED,
            Assert.Single(
                (
                    await shell.RunAsync(
                        "param($Path) Enable-CmekCluster vaults -ManifestPath $Path -Wait",
                        file)).Expect().Values<CmekStatus>()).State);
        string sent = Assert.Single(shell.Writes).Request.Text;
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Manifest), JsonNode.Parse(sent)), sent);
        CmekStatus status = await StatusAsync(shell);
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.All(status.Regions, r => Assert.Equal("AZURE_KEY_VAULT", r.Current?.KeyType));
        Assert.Empty((await shell.RunAsync("param($Path) Compare-CmekCluster vaults -ManifestPath $Path", file)).Expect().Output);
        string exported = Assert.Single((await shell.RunAsync("Export-CmekManifest vaults")).Expect().Values<string>());
        string again = Assert.Single(
            (await shell.RunAsync("param($Path) Import-CmekManifest $Path vaults | Export-CmekManifest", file)).Expect().Values<string>());
        Assert.Equal(exported, again);
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(Manifest), JsonNode.Parse(exported)), exported);
        Assert.Contains(
            "AZURE_KEY_VAULT",
            Assert.Single((await shell.RunAsync("Export-CmekManifest vaults -As Terraform")).Expect().Values<string>()),
            StringComparison.Ordinal);

        folder.Write("cmek_config.json", Manifest.Replace("vault-b", "vault-c", StringComparison.Ordinal));
        CmekDifference drift = Assert.Single(
            (await shell.RunAsync("param($Path) Compare-CmekCluster vaults -ManifestPath $Path", file)).Expect().Values<CmekDifference>());
        Assert.Equal(("KeyChanged", "westus2"), (drift.Kind, drift.Region));
    }

    [Fact]
    public async Task WhatIsNotLookedIntoIsUnknownAndNoPass()
    {
        await using SandboxShell shell = await StartAsync();
        using TempFolder folder = new();
        string path = folder.Write("cmek_config.json", Manifest);
        CmekCheck[] keys =
        [
            .. (
                await shell.RunAsync(
                    "param($Path) Test-CmekAccess vaults -ManifestPath $Path",
                    new { Path = path })).Expect().Values<CmekCheck>().Where(c => c.Name == "KeyAccess"),
        ];
        Assert.Equal(["eastus", "westus2"], keys.Select(c => c.Region));
        Assert.All(keys, c => Assert.Equal(CmekCheckResult.Unknown, c.Result));
        Assert.False(
            Assert.Single(
                (
                    await shell.RunAsync(
                        "param($Path) Test-CmekAccess vaults -ManifestPath $Path -Quiet",
                        new { Path = path })).Expect().Values<bool>()));
    }

    [Theory]
    [InlineData("New-CmekKey vaults")]
    [InlineData("Get-CmekCluster vaults | New-CmekKey")]
    [
        InlineData(
            "Grant-CmekAccess vaults -Region eastus -KeyUri https://vault-a.vault.azure.net/keys/cmek/0123456789abcdef0123456789abcdef"),
    ]
    public async Task WhatIsNotDoneYetIsSaid(string script)
    {
        await using SandboxShell shell = await StartAsync();
        ErrorRecord error = (await shell.RunAsync(script)).ExpectError("ProviderNotSupported");
        Assert.Contains("AZURE", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("-ManifestPath", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(shell.Writes);
    }

    private static Task<SandboxShell> StartAsync() =>
        SandboxShell.StartAsync(
            SandboxShell.Fast with { Clusters = [new SandboxClusterOptions("vaults", "AZURE", ["eastus", "westus2"])] });

    private static async Task<CmekStatus> StatusAsync(SandboxShell shell) =>
        Assert.Single((await shell.RunAsync("Get-CmekStatus vaults")).Expect().Values<CmekStatus>());
}
