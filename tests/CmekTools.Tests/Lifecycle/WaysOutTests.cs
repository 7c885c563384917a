using CmekTools.Engine.Lifecycle;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Lifecycle;

/// <summary>The table of docs/states.md, cell by cell, and the error of each way.</summary>
public sealed class WaysOutTests
{
    // A row's cells: Enable, Update, Rewrap, AddRegion, Disable.
    [Theory]
    [InlineData(CmekState.DISABLED, "Go UseEnable UseEnable UseEnable Done")]
    [InlineData(CmekState.DISABLING, "Wait Wait Wait Wait Done")]
    [InlineData(CmekState.DISABLE_FAILED, "UseRewrap Go Go UseRewrap Go")]
    [InlineData(CmekState.ENABLED, "UseUpdate Go Go Go Go")]
    [InlineData(CmekState.ENABLING, "Wait Wait Wait Wait Wait")]
    [InlineData(CmekState.ENABLE_FAILED, "Go UseEnable UseEnable UseEnable Go")]
    [InlineData(CmekState.ROTATING, "UseUpdate Go Done Wait Wait")]
    [InlineData(CmekState.ROTATE_FAILED, "UseUpdate Go Go UseRewrap Go")]
    [InlineData(CmekState.REVOKED, "UseRestore UseRestore UseRestore UseRestore UseRestore")]
    [InlineData(CmekState.REVOKING, "UseRestore UseRestore UseRestore UseRestore UseRestore")]
    [InlineData(CmekState.REVOKE_FAILED, "UseRestore UseRestore UseRestore UseRestore UseRestore")]
    [InlineData(CmekState.UNKNOWN, "Go UseEnable UseEnable UseEnable Go")]
    public void EveryStateHasItsWay(CmekState state, string ways) => Assert.Equal(
        ways.Split(' ').Select(Enum.Parse<Way>),
        Enum.GetValues<SwitchCommand>().Select(command => WaysOut.Of(state, command)));

    [Theory]
    [InlineData("UseRestore", "ClusterRevoked", "Restore-CmekAccess -ClusterName shop")]
    [InlineData("Wait", "ClusterBusy", "Wait-CmekStatus -ClusterName shop")]
    [InlineData("UseUpdate", "AlreadyEnabled", "Update-CmekCluster")]
    [InlineData("UseRewrap", "OperationUnfinished", "-Rewrap -Wait")]
    [InlineData("UseEnable", "CmekNotEnabled", "Enable-CmekCluster")]
    public void EveryWayHasItsError(string way, string errorId, string action)
    {
        CmekStatus status = new() { ClusterId = TestClusters.Shop.Id, ClusterName = "shop", State = CmekState.ENABLED };
        CmekException refused = WaysOut.Refuse(TestClusters.Shop, status, "us-east-1", Enum.Parse<Way>(way));
        Assert.Equal(errorId, refused.ErrorId);
        Assert.Contains(action, refused.RecommendedAction, StringComparison.Ordinal);
        Assert.Same(status, refused.Target);
        Assert.Equal(way == "Wait" ? CmekErrorKind.ResourceUnavailable : CmekErrorKind.InvalidOperation, refused.Kind);
    }
}
