using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Update-CmekCluster -RotateKey in its less usual forms.</summary>
public sealed class RotateKeyTests
{
    [Fact]
    public async Task KeysThatShareTheirMaterialAreRotatedOnce()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        (await shell.RunAsync("New-CmekKey shop -MultiRegion | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        shell.Server.ClearExchanges();
        (await shell.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait")).Expect();
        Assert.Single(shell.Writes, w => w.Request.Operation == "RotateKeyOnDemand");
        Assert.Single(shell.Writes, w => w.Request.Operation == "UpdateCmek");
    }

    [Theory]
    [InlineData("AWS", 2)]
    [InlineData("GCP", 2)]
    public async Task KeysInUseThatArePipedAreWrappedAnewToo(string provider, int keys)
    {
        await using Life life = await Life.StartAsync(provider);
        PowerShellResult result = await life.RunAsync("New-CmekKey shop | Grant-CmekAccess | Update-CmekCluster -RotateKey -Wait");
        Assert.True(Assert.Single(result.Values<CmekStatus>()).Changed);
        Assert.Equal(
            keys,
            life.Writes.Count(
                w => w.Contains(life.IsAws ? "RotateKeyOnDemand" : "updatePrimaryVersion", StringComparison.OrdinalIgnoreCase)));
        Assert.Single(life.Writes, w => w.EndsWith(":UpdateCmek", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS", 23, 0)]
    [InlineData("AWS", 25, 2)]
    [InlineData("GCP", 23, 0)]
    [InlineData("GCP", 25, 2)]
    public async Task ARunThatNeverEndedIsGoneOnWithForADayAndNoLonger(string provider, int hours, int rotations)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = await life.StatusAsync();
        ManualClock then = new();
        then.Advance(TimeSpan.FromHours(-hours));
        using (EngineKit kit = EngineKit.Create(life.Server))
        {
            // What an earlier run wrote: it rotated both keys, and stopped before it told the service.
            JournalWriter journal = new(life.Shell.StateFolder, then);
            Operation op = kit.Run(new TestOperationHost(), "Update-CmekCluster");
            await journal.BeginAsync(op, new PlannedChange("cmek:RotateRun", status.ClusterId, "rotate the keys of shop"));
            foreach (CmekRegionStatus region in status.Regions)
            {
                string kind = kit.Session.GetProvider(life.IsAws ? CmekProvider.AWS : CmekProvider.GCP).RotationChange;
                await journal.EndAsync(await journal.BeginAsync(op, new PlannedChange(kind, region.KeyUri!, "rotate")), "done");
            }
        }

        PowerShellResult result = await life.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait");
        Assert.Equal(
            rotations,
            life.Writes.Count(
                w => w.Contains(life.IsAws ? "RotateKeyOnDemand" : "updatePrimaryVersion", StringComparison.OrdinalIgnoreCase)));
        Assert.Equal(rotations, Assert.Single(result.Values<CmekStatus>()).Rotations.Count);
        Assert.Equal(rotations > 0, result.Warnings.Any(w => w.Contains("too long ago to go on with", StringComparison.Ordinal)));
        Assert.Equal(rotations == 0, result.Warnings.Any(w => w.Contains("it is not rotated again", StringComparison.Ordinal)));
    }
}
