using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Lifecycle;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Amazon.KeyManagementService.Model;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>A machine that knows nothing: keys are found by their marks and cut, and what is not known about them is not claimed.</summary>
public sealed class DiscoverTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task KeysAreFoundByTheirMarksAndCutWithoutTheService(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus[] regions = [.. (await life.StatusAsync()).Regions];
        await using SandboxShell other = await EmptyAsync(life);
        life.Server.ClearExchanges();
        CmekKey[] found = [.. (await other.RunAsync(Find(life))).Expect().Values<CmekKey>().OrderBy(k => k.Region, StringComparer.Ordinal)];
        Assert.Equal(regions.Select(r => (r.Region, r.KeyUri)), found.Select(k => (k.Region!, k.KeyUri)));
        Assert.All(found, (k, i) => Assert.Equal([regions[i].AuthPrincipal!], k.AuthPrincipals));
        Assert.All(found, k => Assert.NotNull(k.ClusterId));
        Assert.DoesNotContain(life.Server.Exchanges, e => e.Request.Service == "cloud" || e.Request.IsWrite);

        life.Server.ClearExchanges();
        CmekStep[] steps = [.. (await other.RunAsync($"{Find(life)} | Revoke-CmekAccess -Force")).Expect().Values<CmekStep>()];
        Assert.Equal(2, steps.Count(s => s is { Step: "Proof", CutState: CmekCutState.Cut }));
        Assert.Equal(true, steps[^1].KeyCut);
        Assert.DoesNotContain(life.Server.Exchanges, e => e.Request.Service == "cloud" && e.Request.IsWrite);

        // What was cut by its marks is the cluster's own cut: its own restore takes it back.
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop");
        await life.RunAsync("if (-not (Test-CmekAccess shop -Quiet)) { throw 'not usable' }");
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APlaceThatDoesNotAnswerIsAnErrorAndTheOthersAreFound(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus[] regions = [.. (await life.StatusAsync()).Regions];
        await using SandboxShell other = await EmptyAsync(life);
        life.Hang(
            r => provider == "AWS"
                ? r.Operation == "ListKeys" && r.Headers["Authorization"]!.Contains("/us-east-1/kms/", StringComparison.Ordinal)
                : r.RawPath.Contains("/locations/us-central1/keyRings", StringComparison.Ordinal));
        PowerShellResult result = await other.RunAsync(Find(life));
        life.Server.Before = null;
        Assert.Equal(regions[1].KeyUri, Assert.Single(result.Values<CmekKey>()).KeyUri);
        Assert.StartsWith("PlaceNotSearched,", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains(
            provider == "AWS" ? "us-east-1" : "us-central1",
            result.Errors[0].Exception.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoConnectionIsNeededAndNothingToLookWithIsSaid()
    {
        PowerShellResult result;
        await using (PowerShellSession shell = await PowerShellSession.OpenAsync())
        {
            result = await shell.InvokeAsync("Get-CmekKey -Discover -Project 'Not A Project'");
        }

        Assert.StartsWith("ProjectInvalid,", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task OneMisspeltPlaceEndsNoSearch(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell other = await EmptyAsync(life);
        PowerShellResult result = await other.RunAsync(life.IsAws
            ? "Get-CmekKey -Discover -Region us-east-1, 'Not A Region', us-west-2"
            : $"Get-CmekKey -Discover -Project 'Not A Project', {GcpWire.Project}");
        Assert.Equal(2, result.Values<CmekKey>().Count);
        Assert.StartsWith("PlaceNotSearched,", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", "AWS")]
    [InlineData("AWS", "Google Cloud")]
    [InlineData("GCP", "AWS")]
    public async Task ACloudThatThereAreNoCredentialsForIsNotLeftOutInSilence(string provider, string without)
    {
        await using Life life = await Life.StartAsync(provider);
        using EngineKit kit = EngineKit.Unconnected(
            life.Server,
            life.Shell.StateFolder,
            o => without == "AWS" ? o with { AwsCredentials = ("AKIAUNKNOWNUNKNOWN00", "wrong") } : o with { GoogleProject = null });
        TestOperationHost host = new();
        await Discovering.DiscoverAsync(new DiscoveryPlaces([], []), kit.Run(host));
        Assert.StartsWith($"{without} was not looked at", Assert.Single(host.Warnings), StringComparison.Ordinal);
        Assert.Equal((provider == "AWS") == (without == "AWS") ? 0 : 2, host.Output.Count);
        Assert.Empty(host.Errors);
    }

    [Fact]
    public async Task FoundKeysAreNotMixedWithClusters()
    {
        await using Life life = await Life.StartAsync("AWS");
        PowerShellResult mixed = await life.TryAsync($"@(Get-CmekCluster shop) + @({Find(life)}) | Revoke-CmekAccess -Force");
        mixed.ExpectError("ScopeContradicts");
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("the cluster's own principal", "GCP")]
    [InlineData("another account", "AWS")]
    [InlineData("a grant to another account", "AWS")]
    public async Task WhoeverMayBeTheClusterIsNotTakenForSomebodyElse(string who, string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        CmekCluster cluster = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string own = $"serviceAccount:crl-kms-user-{cluster.Id.Replace("-", null, StringComparison.Ordinal)[^12..]}"
            + $"@{cluster.AccountId}.iam.gserviceaccount.com";
        switch (who)
        {
            case "the cluster's own principal":
                // Above the key, where a cut does not reach.
                life.Bind(string.Join('/', region.KeyUri!.Split('/')[..2]), "roles/cloudkms.cryptoKeyDecrypter", own);
                break;
            case "another account":
                JsonNode policy = JsonNode.Parse(
                    (await life.Aws.Kms.GetKeyPolicyAsync(
                        new GetKeyPolicyRequest { KeyId = region.KeyUri, PolicyName = "default" },
                        AwsWire.Cancel)).Policy)!;
                policy["Statement"]!.AsArray().Add(
                    AwsWire.Statement("Allow", $"arn:aws:iam::{cluster.AccountId}:root", "kms:Decrypt"));
                await life.Aws.Kms.PutKeyPolicyAsync(
                    new PutKeyPolicyRequest { KeyId = region.KeyUri, PolicyName = "default", Policy = policy.ToJsonString() },
                    AwsWire.Cancel);
                break;
            default:
                await life.Aws.Kms.CreateGrantAsync(
                    new CreateGrantRequest
                    {
                        KeyId = region.KeyUri,
                        GranteePrincipal = $"arn:aws:iam::{cluster.AccountId}:root",
                        Operations = ["Decrypt"],
                    },
                    AwsWire.Cancel);
                break;
        }

        await using SandboxShell other = await EmptyAsync(life);
        PowerShellResult result = await other.RunAsync(
            "param($Uri, $Principal) Revoke-CmekAccess -KeyUri $Uri -AuthPrincipal $Principal -Force",
            new { Uri = region.KeyUri, Principal = region.AuthPrincipal });
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.DoesNotContain(steps, s => s.KeyCut == true);
        Assert.Contains(steps, s => s.Step == "Proof" && s.CutState is CmekCutState.Perhaps or CmekCutState.Open);
    }

    [Fact]
    public async Task TheClustersOwnPrincipalOnTheKeyIsCutOffAndComesBackWithoutTheService()
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        CmekCluster cluster = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string own = $"serviceAccount:crl-kms-user-{cluster.Id.Replace("-", null, StringComparison.Ordinal)[^12..]}"
            + $"@{cluster.AccountId}.iam.gserviceaccount.com";
        life.Bind(region.KeyUri!, "roles/cloudkms.cryptoKeyDecrypter", own);
        await using SandboxShell other = await EmptyAsync(life);
        CmekStep[] steps = [.. (await other.RunAsync(
            "param($Uri, $Principal) Revoke-CmekAccess -KeyUri $Uri -AuthPrincipal $Principal -Force",
            new { Uri = region.KeyUri, Principal = region.AuthPrincipal })).Values<CmekStep>()];
        Assert.Equal(true, steps[^1].KeyCut);
        Assert.DoesNotContain(own, life.Google.Google.Policies.Get(region.KeyUri!).ToJsonString(), StringComparison.Ordinal);
    }

    private static string Find(Life life) => life.IsAws
        ? "Get-CmekKey -Discover -Region us-east-1, us-west-2, eu-west-1"
        : $"Get-CmekKey -Discover -Project {GcpWire.Project}";

    private static Task<SandboxShell> EmptyAsync(Life life) =>
        SandboxShell.StartAsync(server: life.Server, stateFolder: life.Shell.StateFolder + "-empty");
}
