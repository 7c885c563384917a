using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>A region that does not answer keeps no other region's key from coming back, and comes back itself later.</summary>
public sealed class SilentRegionTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARestoreGivesBackWhatAnswersAndNamesWhatDoesNot(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus[] regions = [.. (await life.StatusAsync()).Regions];
        string silent = regions[0].KeyUri!;
        await life.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force");
        life.Answer(r => r.Names(silent) ? new SandboxResponse { Status = 503, Body = "{}" } : null);
        PowerShellResult result = await life.TryAsync("Restore-CmekAccess shop");
        life.Server.Before = null;
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(regions[1].KeyUri, Assert.Single(steps, s => s.Step == "Restore").KeyUri);
        Assert.Equal(
            silent,
            Assert.Single(
                result.Errors,
                e => e.FullyQualifiedErrorId.StartsWith("KeySilent,", StringComparison.Ordinal)).TargetObject);
        Assert.NotEmpty((await life.RunAsync("Get-CmekReceipt shop | Where-Object { -not $_.RestoredAt }")).Output);

        // The same command again, when the region is back.
        await life.RunAsync("Restore-CmekAccess shop -Wait");
        Assert.Equal([true], (await life.RunAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }
}
