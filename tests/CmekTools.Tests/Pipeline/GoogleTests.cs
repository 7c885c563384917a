using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The same words on Google Cloud.</summary>
public sealed class GoogleTests
{
    private const string Key = "projects/customer-project/locations/us-central1/keyRings/r/cryptoKeys/k";

    [Fact]
    public async Task OnePipelineTakesAMixedSetEachToItsOwnProvider()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        CmekStatus[] statuses =
        [
            .. (
                await shell.RunAsync(
                    "Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect().Values<CmekStatus>(),
        ];
        // Side by side, and whichever is done comes out.
        Assert.Equal(["AWS ENABLED", "GCP ENABLED"], statuses.Select(s => $"{s.Provider} {s.State}").Order(StringComparer.Ordinal));
        shell.Server.ClearExchanges();
        (await shell.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        Assert.Empty(shell.Writes);
    }

    [Theory]
    [InlineData("Get-CmekKey " + Key + "/cryptoKeyVersions/1", "KeyUriInvalid")]
    [InlineData("Get-CmekKey //cloudkms.googleapis.com/" + Key, "KeyUriInvalid")]
    [
        InlineData(
            "Grant-CmekAccess ledger -Region us-central1 -KeyUri "
                + "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "KeyProviderMismatch"),
    ]
    [InlineData("New-CmekKey ledger -Project 123456789012", "ProjectInvalid")]
    [InlineData("New-CmekKey ledger -Location mars", "LocationInvalid")]
    [InlineData("New-CmekKey ledger -Region us-centrall1", "RegionUnknown")]
    [
        InlineData(
            "Enable-CmekCluster ledger -Region "
                + "us-central1, us-east1 -KeyUri " + Key + "," + Key + " -AuthPrincipal abcde@customer-project.iam.gserviceaccount.com",
            "PrincipalInvalid"),
    ]
    [InlineData("New-CmekKey ledger | Grant-CmekAccess -ServiceAccount abcde -WhatIf", "PrincipalInvalid")]
    [
        InlineData(
            "New-CmekKey ledger -WhatIf | Grant-CmekAccess -ServiceAccount a234567890123456789012345678901 -WhatIf",
            "PrincipalInvalid"),
    ]
    public async Task BadInputIsAClearErrorAndChangesNoAccess(string script, string id)
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Gcp);
        PowerShellResult result = await shell.RunAsync(script);
        Assert.NotEmpty(result.Errors);
        Assert.All(result.Errors, e =>
        {
            Assert.StartsWith(id, e.FullyQualifiedErrorId, StringComparison.Ordinal);
            Assert.Equal(ErrorCategory.InvalidArgument, e.CategoryInfo.Category);
            Assert.False(string.IsNullOrWhiteSpace(e.ErrorDetails?.RecommendedAction));
        });
        Assert.DoesNotContain(
            shell.Writes,
            w => !w.Request.Operation.StartsWith("keyRings", StringComparison.Ordinal)
                && !w.Request.Operation.StartsWith("cryptoKeys.create", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AFarLocationIsAWarning()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Gcp);
        PowerShellResult far = (await shell.RunAsync("New-CmekKey ledger -Region us-central1 -Location europe-west1")).Expect();
        Assert.Contains("far from us-central1", Assert.Single(far.Warnings), StringComparison.Ordinal);
        Assert.Empty((await shell.RunAsync("New-CmekKey ledger -Region us-central1 -Location us -KeyRing near")).Expect().Warnings);
    }

    [Fact]
    public async Task MissingCredentialsAreSaid()
    {
        using EngineKit kit = EngineKit.Create(new ProviderOptions { GoogleProject = "customer-project" });
        string? was = Environment.GetEnvironmentVariable("GOOGLE_APPLICATION_CREDENTIALS");
        Environment.SetEnvironmentVariable(
            "GOOGLE_APPLICATION_CREDENTIALS",
            Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString("N")));
        try
        {
            CmekException e = await Assert.ThrowsAsync<CmekException>(
                () => new GcpKeyProvider(kit.Session).GetKeyAsync(Key, kit.Run(new TestOperationHost())));
            Assert.Equal("GoogleCredentialsMissing", e.ErrorId);
            Assert.Contains("gcloud auth application-default login", e.RecommendedAction, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("GOOGLE_APPLICATION_CREDENTIALS", was);
        }
    }

    [Fact]
    public async Task ALagOfIamIsWaitedOut()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Gcp with { IamLag = TimeSpan.FromMilliseconds(600) });
        CmekStatus status = Assert.Single(
            (await shell.RunAsync("New-CmekKey ledger | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect().Values<CmekStatus>());
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.Contains(shell.Server.Exchanges, e => e.Status == 400 && e.Request.Operation == "cryptoKeys.setIamPolicy");
    }

    [Fact]
    public async Task TwoOperatorsWhoGrantAtTheSameMomentBothSucceed()
    {
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Gcp);
        using EngineKit one = EngineKit.Create(server);
        using EngineKit two = EngineKit.Create(server);
        Operation first = one.Run(new TestOperationHost());
        Operation second = two.Run(new TestOperationHost());
        CmekCluster cluster = await FirstAsync(one, first);
        GcpKeyProvider mine = new(one.Session);
        GcpKeyProvider theirs = new(two.Session);
        CmekKey key = await mine.EnsureKeyAsync(cluster, "us-central1", new KeyOptions(), first);
        for (int race = 0; race < 100; race++)
        {
            PrincipalOptions a = new() { ServiceAccount = $"racer-a-{race:000}" };
            PrincipalOptions b = new() { ServiceAccount = $"racer-b-{race:000}" };
            CmekAccess[] both = await Task.WhenAll(
                mine.GrantAsync(cluster, key, "us-central1", a, first),
                theirs.GrantAsync(cluster, key, "us-central1", b, second));
            Assert.All(both, x => Assert.False(x.Planned));
        }

        string policy = server.Get<CmekTools.Sandbox.Gcp.GcpService>().Policies.Get(key.KeyUri!).ToJsonString();
        Assert.Equal(
            200,
            Enumerable.Range(0, 100).Sum(
                r => (
                    policy.Contains($"racer-a-{r:000}@", StringComparison.Ordinal)
                        ? 1
                        : 0) + (policy.Contains($"racer-b-{r:000}@", StringComparison.Ordinal) ? 1 : 0)));
        Assert.Contains(server.Exchanges, e => e.Status == 409);
        mine.Dispose();
        theirs.Dispose();
    }

    private static async Task<CmekCluster> FirstAsync(EngineKit kit, Operation op)
    {
        await foreach (CmekCluster cluster in kit.Session.Cloud.ListClustersAsync(op.Cancellation))
        {
            return cluster;
        }

        throw new InvalidOperationException("the sandbox has no cluster");
    }
}
