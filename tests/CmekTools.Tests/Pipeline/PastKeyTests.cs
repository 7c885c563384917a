using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// A cluster that went back to CockroachDB-managed encryption: its past keys still open old data, and can be cut off and given back.
/// </summary>
public sealed class PastKeyTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task PastKeysAreCutAndTheServiceHasNothingToRevoke(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync("Disable-CmekCluster shop -Confirm:$false");
        life.Shell.Shell.Answer("Y");
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop")).Values<CmekStep>()];
        Assert.Equal(["Cut", "Cut", "Proof", "Proof", "Receipt"], steps.Select(s => s.Step).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(life.Writes, w => w.Contains("Revoke", StringComparison.Ordinal));
        string question = life.Shell.Shell.Host.Questions[^1].Message;
        Assert.Contains("goes on", question, StringComparison.Ordinal);
        Assert.DoesNotContain("The database stops", question, StringComparison.Ordinal);
        Assert.Equal(CmekState.DISABLED, (await life.StatusAsync()).State);

        // Nothing comes back from the vendor, so that nothing is waited for and no ticket is written.
        PowerShellResult restored = await life.RunAsync("Restore-CmekAccess shop -Wait -TimeoutSeconds 20");
        Assert.Equal(["Restore", "Restore", "Access"], restored.Values<CmekStep>().Select(s => s.Step));
        Assert.True(restored.Values<CmekStep>()[^1].KeyCut == false);
    }
}
