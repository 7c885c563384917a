using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>
/// Where the service does not say as whom a cluster acts, what was given or remembered may be wrong or old: nothing is called cut that the
/// key itself shows open.
/// </summary>
public sealed class GivenPrincipalTests
{
    private const string Quiet = "$WarningPreference = 'SilentlyContinue'";
    private const string ByUri = "param($Uri, $Principal) Revoke-CmekAccess -KeyUri $Uri -AuthPrincipal $Principal -Force";

    [Theory]
    [InlineData("AWS", "-RoleName second-role")]
    [InlineData("GCP", "-ServiceAccount second-account")]
    public async Task AnOldManifestIsNoProofThatTheClusterIsCut(string provider, string moved)
    {
        await using Life life = await Life.StartAsync(provider);
        string manifest = Path.Combine(life.Shell.StateFolder, "cmek_config.json");
        await life.RunAsync("param($Path) $null = Export-CmekManifest shop -Path $Path", new { Path = manifest });
        await life.RunAsync($"{Quiet}; Revoke-CmekAccess shop -KeyOnly -Force; Restore-CmekAccess shop {moved} -Wait");
        CmekRegionStatus[] regions = [.. (await life.StatusAsync()).Regions];
        Assert.All(regions, r => Assert.Contains("second", r.AuthPrincipal!, StringComparison.Ordinal));

        await using SandboxShell other = await EmptyAsync(life);
        PowerShellResult result = await other.RunAsync(
            "param($Path) Revoke-CmekAccess -ManifestPath $Path -Force",
            new { Path = manifest });
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        if (provider == "AWS")
        {
            // The statement says for which cluster it lets in: whoever it names is cut off too.
            Assert.Equal(true, steps[^1].KeyCut);
            Assert.Contains(result.Warnings, w => w.Contains("second-role", StringComparison.Ordinal));
            Assert.All(
                regions,
                r => Assert.Contains(
                    steps,
                    s => s is { Step: "Proof", CutState: CmekCutState.Cut } && s.KeyUri == r.KeyUri
                        && s.AuthPrincipal == r.AuthPrincipal));
        }
        else
        {
            Assert.DoesNotContain(steps, s => s.KeyCut == true);
            Assert.Contains(
                result.Errors,
                e => e.FullyQualifiedErrorId.StartsWith("CutNotSeen,", StringComparison.Ordinal)
                    && e.Exception.Message.Contains("second-account@", StringComparison.Ordinal));

            // Named, it is done.
            result = await other.RunAsync(
                ByUri,
                new { Uri = regions.Select(r => r.KeyUri).ToArray(), Principal = regions[0].AuthPrincipal });
            Assert.Equal(true, result.Expect().Values<CmekStep>()[^1].KeyCut);
        }

        bool usable = (bool)(await life.TryAsync("Test-CmekAccess shop -Quiet")).Output[0].BaseObject;
        Assert.False(usable);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WithAMisspeltPrincipalWhomTheKeyNamesIsCutOff(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string misspelt = life.IsAws ? region.AuthPrincipal + "x" : "x" + region.AuthPrincipal;
        await using SandboxShell other = await EmptyAsync(life);
        PowerShellResult result = await other.RunAsync(ByUri, new { Uri = region.KeyUri, Principal = misspelt });
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Contains(
            steps,
            s => s.Step == "Proof" && s.AuthPrincipal == region.AuthPrincipal && s.Result.Contains("is cut off", StringComparison.Ordinal));
        Assert.Contains(result.Warnings, w => w.Contains(region.AuthPrincipal!, StringComparison.Ordinal));
        Assert.Equal([false], (await life.TryAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AnotherClusterThatSharesTheKeyIsLeftAndDoesNotSpoilTheProof(string provider)
    {
        string place = Life.RegionsOf(provider)[0];
        SandboxOptions two = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
        [
            new SandboxClusterOptions("shop", provider, [place]),
            new SandboxClusterOptions("books", provider, [place]),
        ] };
        await using SandboxShell shell = await SandboxShell.StartAsync(two);
        CmekAccess access = (await shell.RunAsync($$"""
            $key = New-CmekKey shop
            $access = $key | Grant-CmekAccess
            $null = $access | Enable-CmekCluster -Wait
            $null = Grant-CmekAccess books -Region {{place}} -KeyUri $key.KeyUri | Enable-CmekCluster -Wait
            $access
            """)).Expect().Values<CmekAccess>()[^1];
        await using SandboxShell other = await SandboxShell.StartAsync(server: shell.Server, stateFolder: shell.StateFolder + "-empty");
        PowerShellResult result = await other.RunAsync(ByUri, new { Uri = access.KeyUri, Principal = access.AuthPrincipal });
        Assert.Equal(true, result.Expect().Values<CmekStep>()[^1].KeyCut);
        Assert.Equal([true], (await shell.RunAsync("Test-CmekAccess books -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AFoundKeyOfWhichNobodyKnowsWhoUsesItLeavesItsClusterUnproven(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string hidden = await life.KeyAsync(life.Regions[0]);
        await using SandboxShell other = await EmptyAsync(life);
        life.Answer(r => r.Names(hidden) && (r.Operation == "GetKeyPolicy" || r.RawPath.Contains(":getIamPolicy", StringComparison.Ordinal))
            ? Faults.Refused
            : null);
        string find = life.IsAws
            ? "Get-CmekKey -Discover -Region us-east-1, us-west-2"
            : $"Get-CmekKey -Discover -Project {GcpWire.Project}";
        PowerShellResult result = await other.RunAsync($"{find} | Revoke-CmekAccess -Force");
        life.Server.Before = null;
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Contains(steps, s => s is { Step: "Proof", CutState: CmekCutState.Cut });
        Assert.All(steps, s => Assert.Null(s.KeyCut));
        Assert.Contains(result.Errors, e => e.FullyQualifiedErrorId.StartsWith("KeyPrincipalUnknown,", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatWasRememberedOfASilentServiceIsNotTakenForThePresentPrincipal()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekStatus before = await life.StatusAsync();
        await using SandboxShell other = await EmptyAsync(life);
        (await other.RunAsync($"{Quiet}; Revoke-CmekAccess shop -KeyOnly -Force; Restore-CmekAccess shop -RoleName second-role -Wait"))
            .Expect();
        life.Answer(r => r.Service == "cloud" ? new SandboxResponse { Status = 401, Body = "{}" } : null);
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()];
        life.Server.Before = null;
        Assert.Equal(true, steps[^1].KeyCut);
        Assert.All(
            before.Regions,
            r => Assert.Contains(
                steps,
                s => s.Step == "Proof" && s.KeyUri == r.KeyUri && s.AuthPrincipal!.EndsWith("/second-role", StringComparison.Ordinal)));
    }

    private static Task<SandboxShell> EmptyAsync(Life life) =>
        SandboxShell.StartAsync(server: life.Server, stateFolder: life.Shell.StateFolder + "-empty");
}
