using CmekTools.Tests.Kit;
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
}
