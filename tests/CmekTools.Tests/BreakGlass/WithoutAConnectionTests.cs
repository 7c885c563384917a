using CmekTools.Engine;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.Clusters;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>What is cut without any connection has a receipt that is good for something later, and claims nothing of the cluster.</summary>
public sealed class WithoutAConnectionTests
{
    [Theory]
    [InlineData("AWS", false)]
    [InlineData("AWS", true)]
    [InlineData("GCP", false)]
    public async Task AReceiptOfACutByHandIsGivenBackLater(string provider, bool inventory)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = await life.StatusAsync();
        string seen = Path.Combine(life.Shell.StateFolder, "inventory");
        if (!inventory)
        {
            Directory.Move(seen, seen + "-away");
        }

        CmekStep[] steps = await CutAsync(
            life,
            op => SubjectFinder.OfKeysAsync(
                [.. status.Regions.Select(r => UnlistedAccess.Of(r.KeyUri!, r.AuthPrincipal!, r.Region))],
                [],
                op));
        Assert.Equal((true, "key cut, cluster's state not seen"), (steps[^1].KeyCut, steps[^1].Now));
        if (!inventory)
        {
            Directory.Move(seen + "-away", seen);
        }

        CmekReceipt receipt = Assert.Single((await life.RunAsync("Get-CmekReceipt shop -Open")).Values<CmekReceipt>());
        Assert.Equal(
            (CmekSealState.Verified, inventory ? life.Server.Options.OrganizationId : string.Empty),
            (receipt.Seal, receipt.OrganizationId));

        // Once more with a connection: the same receipt is gone on with, for what it captured is what undoes the cut.
        Assert.True((await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()[^1].KeyCut);
        Assert.Equal(
            receipt.Id,
            Assert.Single((await life.RunAsync("Get-CmekReceipt shop -Open")).Values<CmekReceipt>()).Id);
        PowerShellResult restore = await life.TryAsync(
            inventory ? "Restore-CmekAccess shop" : "Get-CmekReceipt shop -Open | Restore-CmekAccess");
        Assert.Empty(restore.Errors);
        Assert.DoesNotContain(restore.Warnings, w => w.Contains("no open receipt", StringComparison.Ordinal));
        Assert.Empty((await life.RunAsync("Get-CmekReceipt -Open")).Output);
        Assert.Equal([true], (await life.RunAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatIsNotThereLeavesNoOpenReceipt(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string gone = life.IsAws
            ? region.KeyUri![..^12] + "000000000000"
            : region.KeyUri! + "-gone";
        CmekStep[] steps = await CutAsync(
            life,
            op => SubjectFinder.OfKeysAsync([UnlistedAccess.Of(gone, region.AuthPrincipal!, region.Region)], [], op));
        Assert.Contains(steps, s => s.Step == "Cut" && s.Result.StartsWith("NOT cut", StringComparison.Ordinal));
        Assert.Contains("is closed: nothing was changed", steps[^1].Result, StringComparison.Ordinal);
        Assert.Empty((await life.RunAsync("Get-CmekReceipt -Open")).Output);
        Assert.NotNull(Assert.Single((await life.RunAsync("Get-CmekReceipt")).Values<CmekReceipt>()).SupersededAt);
    }

    private static async Task<CmekStep[]> CutAsync(
        Life life,
        Func<Operation, Task<IReadOnlyList<RevocationSubject>>> find)
    {
        using EngineKit kit = EngineKit.Unconnected(life.Server, life.Shell.StateFolder);
        TestOperationHost host = new();
        await Revocation.RevokeAsync(
            find,
            new RevokeOptions { Scope = RevokeScope.KeyOnly, Unasked = true },
            kit.Run(host, "Revoke-CmekAccess"));
        return [.. host.Output.OfType<CmekStep>()];
    }
}
