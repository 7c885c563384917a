using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>The whole way in a sandbox that does to a client what the real services do (Start-CmekSandbox -Realistic).</summary>
public sealed class RealisticTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task FromNothingToEnabledToRevokedAndBack(string provider)
    {
        await using Life life = await Life.StartAsync(provider, enable: false, change: o => o.AsReal());
        CmekStatus enabled = Assert.Single(
            (await life.RunAsync("New-CmekKey shop -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait")).Values<CmekStatus>());
        Assert.Equal(CmekState.ENABLED, enabled.State);
        Assert.All((await life.RunAsync("Test-CmekAccess shop")).Values<CmekCheck>(), c => Assert.NotEqual(CmekCheckResult.Fail, c.Result));
        PowerShellResult revoked = await life.RunAsync("Revoke-CmekAccess shop -Force");
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
        Assert.Contains(revoked.Values<CmekStep>(), s => s.KeyCut == true);
        await life.RunAsync("Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue");
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.All((await life.RunAsync("Test-CmekAccess shop")).Values<CmekCheck>(), c => Assert.NotEqual(CmekCheckResult.Fail, c.Result));
    }
}
