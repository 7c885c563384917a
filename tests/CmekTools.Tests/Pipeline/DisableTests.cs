using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Back to CockroachDB-managed encryption: only from a working state, and honest where the service refuses.</summary>
public sealed class DisableTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EveryRegionGetsNullKmsAndKeysAndGrantsAreLeftAlone(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] uris = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];
        PowerShellResult result = await life.RunAsync("Disable-CmekCluster shop");
        CmekStatus after = Assert.Single(result.Values<CmekStatus>());
        Assert.True(after.Changed);
        Assert.Equal(CmekState.DISABLED, after.State);
        Assert.All(after.Regions, r => Assert.Equal(CmekState.DISABLED, r.State));

        // One request, to the service; none to the provider.
        Assert.Equal(["cloud:UpdateCmek"], life.Writes);
        Assert.Equal(
            new JsonObject
            {
                ["region_specs"] = new JsonArray([.. life.Regions.Select(r => (JsonNode)new JsonObject
                {
                    ["region"] = r,
                    ["key_spec"] = new JsonObject { ["type"] = "NULL_KMS", ["uri"] = string.Empty, ["auth_principal"] = string.Empty },
                })]),
            }.ToJsonString(),
            Assert.Single(life.Sent("UpdateCmek")).ToJsonString());
        Assert.Contains(
            result.Warnings,
            w => w.Contains("were left as they are", StringComparison.Ordinal) && w.Contains("backups", StringComparison.Ordinal));
        foreach (string uri in uris)
        {
            Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
        }

        result = await life.RunAsync("Disable-CmekCluster shop -Verbose");
        Assert.Empty(life.Writes);
        Assert.False(Assert.Single(result.Values<CmekStatus>()).Changed);
        Assert.Contains(result.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AClusterThatCannotUseItsKeyIsRefusedBeforeAnyRequest(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string uri = await life.KeyAsync(life.Regions[1]);
        if (life.IsAws)
        {
            await life.Aws.KmsAs(life.Aws.Aws.Admin, life.Regions[1]).PutKeyPolicyAsync(
                new() { KeyId = uri, PolicyName = "default", Policy = AwsWire.Policy(AwsWire.RootStatement()) }, AwsWire.Cancel);
        }
        else
        {
            await life.Google.BindAsync(uri, "roles/cloudkms.viewer", "user:somebody@example.com");
        }

        ErrorRecord error = (await life.TryAsync("Disable-CmekCluster shop")).ExpectError("KeyAccessBroken");
        Assert.Contains(life.Regions[1], error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("Restore-CmekAccess", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        await life.TryAsync("Revoke-CmekAccess shop -Force");
        error = (await life.TryAsync("Disable-CmekCluster shop")).ExpectError("ClusterRevoked");
        Assert.Contains("REVOKED", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("Restore-CmekAccess", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AServiceThatRefusesIsSaidAndTheSupportRequestIsInTheError(string provider)
    {
        await using Life life = await Life.StartAsync(provider, change: o => o with { TakesNullKms = false });
        CmekStatus before = await life.StatusAsync();
        ErrorRecord error = (await life.TryAsync("Disable-CmekCluster shop")).ExpectError("DisableUnsupported");
        Assert.Equal(ErrorCategory.InvalidOperation, error.CategoryInfo.Category);
        string[] said = ["no public call", "nothing was changed", "NULL_KMS is not supported"];
        Assert.All(said, word => Assert.Contains(word, error.Exception.Message, StringComparison.Ordinal));
        string[] request =
        [
            "support.cockroachlabs.com",
            "Please move our cluster from CMEK back",
            before.ClusterId,
            life.Server.Options.OrganizationId,
            .. life.Regions.Select(r => $"{r}: ENABLED"),
            "PUT with NULL_KMS for every region was refused",
        ];
        Assert.All(request, word => Assert.Contains(word, error.ErrorDetails.RecommendedAction, StringComparison.Ordinal));
        Assert.Equal(before.Regions.Select(r => r.Current), (await life.StatusAsync()).Regions.Select(r => r.Current));
        CmekJournalEntry entry = (await life.RunAsync("Get-CmekJournal")).Values<CmekJournalEntry>()[^1];
        Assert.Equal(("cmek:Disable", "failed"), (entry.Kind, entry.Outcome));
    }
}
