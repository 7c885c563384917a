using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Other keys, the same keys wrapped anew, and more regions; what is not named stays as it is.</summary>
public sealed class UpdateTests
{
    [Theory]
    [InlineData("AWS", "-AliasName second")]
    [InlineData("GCP", "-KeyRing second")]
    public async Task ARegionMovesToAnotherKeyAndTheOthersStay(string provider, string other)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        string move = $"New-CmekKey shop -Region {life.Regions[0]} {other} | Grant-CmekAccess | Update-CmekCluster -Wait";
        PowerShellResult result = await life.RunAsync(move);
        CmekStatus after = Assert.Single(result.Values<CmekStatus>());
        CmekRegionStatus moved = after.Regions[0];
        Assert.True(after.Changed);
        Assert.Equal(CmekState.ENABLED, moved.State);
        Assert.NotEqual(before.Regions[0].KeyUri, moved.KeyUri);
        Assert.Equal(
            new JsonObject { ["region_specs"] = new JsonArray(Spec(life, moved.Region, moved.KeyUri, moved.AuthPrincipal)) }.ToJsonString(),
            Assert.Single(life.Sent("UpdateCmek")).ToJsonString());

        // The other region was not touched, not even with the same value, and the old key is in the history.
        Assert.Equal(before.Regions[1].Current, after.Regions[1].Current);
        Assert.Contains(moved.Keys, k => k.KeyUri == before.Regions[0].KeyUri && k.State == CmekState.DISABLED);
        Assert.Contains(
            result.Warnings,
            w => w.Contains("must stay usable", StringComparison.Ordinal)
                && w.Contains(before.Regions[0].KeyUri!, StringComparison.Ordinal)
                && !w.Contains(before.Regions[1].KeyUri!, StringComparison.Ordinal));

        result = await life.RunAsync(move + " -Verbose");
        Assert.Empty(life.Writes);
        Assert.False(Assert.Single(result.Values<CmekStatus>()).Changed);
        Assert.Contains(result.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task RewrapSendsTheSameKeysAndOnlyTheRegionsThatAreNamed(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        PowerShellResult result = await life.RunAsync("Update-CmekCluster shop -Rewrap -Wait");
        Assert.Equal(["cloud:UpdateCmek"], life.Writes);
        Assert.Equal(
            new JsonObject { ["region_specs"] = new JsonArray(
                [.. before.Regions.Select(r => (JsonNode)Spec(life, r.Region, r.KeyUri, r.AuthPrincipal))]) }.ToJsonString(),
            Assert.Single(life.Sent("UpdateCmek")).ToJsonString());
        CmekStatus after = Assert.Single(result.Values<CmekStatus>());
        Assert.Equal(CmekState.ENABLED, after.State);
        Assert.All(after.Regions.Zip(before.Regions), pair =>
        {
            Assert.Equal(pair.Second.KeyUri, pair.First.KeyUri);
            Assert.True(pair.First.Current!.UpdatedAt > pair.Second.Current!.UpdatedAt, "the key's time of change shows the rotation");
        });
        Assert.Contains(result.Warnings, w => w.Contains("older versions must stay usable", StringComparison.Ordinal));

        await life.RunAsync($"Get-CmekCluster shop | Update-CmekCluster -Rewrap -Region {life.Regions[1]} -Wait");
        Assert.Equal(life.Regions[1], (string?)Assert.Single(Assert.Single(life.Sent("UpdateCmek"))["region_specs"]!.AsArray())!["region"]);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task RotateKeyMakesExactlyOneVersionOfEachKeyEachTimeItIsAskedFor(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] one = life.IsAws
            ? ["kms:RotateKeyOnDemand"]
            : ["gcp-kms:cryptoKeyVersions.create", "gcp-kms:cryptoKeys.updatePrimaryVersion"];

        // New versions first, then the service is told; a run that has ended is not gone on with, so the next one rotates once more.
        for (int run = 0; run < 2; run++)
        {
            PowerShellResult result = await life.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait");
            Assert.Equal([.. one, .. one, "cloud:UpdateCmek"], life.Writes);
            Assert.Contains(result.Warnings, w => w.Contains("older versions must stay usable", StringComparison.Ordinal));
        }

        if (!life.IsAws)
        {
            Assert.Equal(
                "3",
                Assert.Single(
                    (
                        await life.RunAsync(
                            "param($Uri) Get-CmekKey $Uri",
                            new { Uri = await life.KeyAsync(life.Regions[0]) })).Values<CmekKey>()).PrimaryVersion);
        }
    }

    [Fact]
    public async Task WhatIsRevokedIsNotMoved()
    {
        await using Life life = await Life.StartAsync("AWS");
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        ErrorRecord error = (await life.TryAsync("Update-CmekCluster shop -Rewrap -RotateKey")).ExpectError("ClusterRevoked");
        Assert.Contains("Restore-CmekAccess", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ANewRegionComesWithItsKeyInOneRequest(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        CmekCluster cluster = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string add = $"New-CmekKey shop -Region {life.NewRegion} -NewRegion | Grant-CmekAccess | Add-CmekRegion -NodeCount 5 -Wait";
        CmekStatus after = Assert.Single((await life.RunAsync(add)).Values<CmekStatus>());
        CmekRegionStatus added = after.Regions.Single(r => r.Region == life.NewRegion);
        SortedDictionary<string, int> nodes = new(
            cluster.Regions.ToDictionary(r => r.Name, r => r.NodeCount),
            StringComparer.Ordinal) { [life.NewRegion] = 5 };
        Assert.Equal(
            new JsonObject
            {
                ["dedicated"] = new JsonObject
                {
                    ["region_nodes"] = new JsonObject(nodes.Select(n => KeyValuePair.Create(n.Key, (JsonNode?)n.Value))),
                    ["cmek_region_specs"] = new JsonArray(Spec(life, life.NewRegion, added.KeyUri, added.AuthPrincipal)),
                },
            }.ToJsonString(),
            Assert.Single(life.Sent("UpdateCluster")).ToJsonString());
        Assert.DoesNotContain("cloud:UpdateCmek", life.Writes);
        Assert.Equal(CmekState.ENABLED, added.State);
        Assert.Equal(before.Regions.Select(r => r.Current), after.Regions.Where(r => r.Region != life.NewRegion).Select(r => r.Current));
        CmekCluster grown = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        Assert.Equal(
            nodes,
            new SortedDictionary<string, int>(grown.Regions.ToDictionary(r => r.Name, r => r.NodeCount), StringComparer.Ordinal));

        await life.RunAsync(add.Replace(" -NewRegion", string.Empty, StringComparison.Ordinal));
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARegionWithoutAUsableKeyIsNotAdded(string provider)
    {
        await using Life life = await Life.StartAsync(provider);

        // Only planned: there is no key.
        (
            await life.TryAsync(
                $"New-CmekKey shop -Region {life.NewRegion} -NewRegion -WhatIf | Grant-CmekAccess -WhatIf | Add-CmekRegion -NodeCount 3"))
                    .ExpectError("AccessPlanned");
        Assert.Empty(life.Writes);

        // A key that the cluster was never let in to.
        string uri = (await life.RunAsync($"(New-CmekKey shop -Region {life.NewRegion} -NewRegion).KeyUri")).Values<string>()[0];
        string principal = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        ErrorRecord error = (await life.TryAsync(
            $"param($Uri, $Principal) Add-CmekRegion shop -Region {life.NewRegion} -KeyUri $Uri -AuthPrincipal $Principal -NodeCount 3",
            new { Uri = uri, Principal = principal })).ExpectError("PreflightFailed");
        Assert.NotNull(error.ErrorDetails.RecommendedAction);
        Assert.Empty(life.Writes);

        // A region that is there already with another key; and the number of nodes has no default.
        (await life.TryAsync(
            $"param($Uri, $Principal) Add-CmekRegion shop -Region {life.Regions[0]} -KeyUri $Uri -AuthPrincipal $Principal -NodeCount 3",
            new { Uri = uri, Principal = principal })).ExpectError("RegionExists");
        Assert.Contains(
            "NodeCount",
            (
                await life.TryAsync(
                    "Add-CmekRegion shop -Region x -KeyUri y -AuthPrincipal z -NodeCount 0")).ExpectError(
                        "ParameterArgumentValidationError").Exception.Message,
            StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    private static JsonObject Spec(Life life, string region, string? uri, string? principal) => new JsonObject
    {
        ["region"] = region,
        ["key_spec"] = new JsonObject
        {
            ["type"] = life.IsAws ? "AWS_KMS" : "GCP_CLOUD_KMS",
            ["uri"] = uri,
            ["auth_principal"] = principal,
        },
    };
}
