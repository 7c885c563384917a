using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Every request that the client sends, and every answer of the sandbox, fits the vendor's description of the API.</summary>
public sealed class ContractTests
{
    [Fact]
    public async Task EveryRequestOfAWholeLifeFitsTheVendorsDescription()
    {
        OpenApiContract contract = OpenApiContract.LoadOrSkip();
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        (await shell.RunAsync("""
            $WarningPreference = 'SilentlyContinue'
            Get-CmekOrganization
            New-CmekCluster fresh-one -Provider AWS -RegionNodes @{ 'us-east-1' = 3 } -Wait
            Get-CmekCluster | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
            Update-CmekCluster shop -Rewrap -Wait
            New-CmekKey shop -Region eu-west-1 -NewRegion | Grant-CmekAccess | Add-CmekRegion -NodeCount 3 -Wait
            Revoke-CmekAccess shop -Force
            Restore-CmekAccess shop -Wait
            Disable-CmekCluster ledger
            """)).Expect();
        SandboxExchange[] cloud = [.. shell.Server.Exchanges.Where(e => e.Request.Service == "cloud")];
        string[] faults =
        [
            .. cloud.SelectMany(e => contract.RequestFaults(e.Request.Method, Target(e), e.Request.Body.Length == 0 ? null : e.Request.Text)
                .Concat(contract.ResponseFaults(e.Request.Method, Target(e), e.Status, e.ResponseBody))
                .Select(f => $"{e.Request}: {f}")),
        ];
        Assert.Empty(faults);
        Assert.Superset(
            new HashSet<string>
            {
                "GetOrganization",
                "ListClusters",
                "GetCluster",
                "CreateCluster",
                "UpdateCluster",
                "GetCmek",
                "EnableCmek",
                "UpdateCmek",
                "UpdateCmekStatus",
            },
            cloud.Select(e => e.Request.Operation).ToHashSet());
        Assert.All(cloud, e => Assert.Equal("2024-09-16", e.Request.Headers["Cc-Version"]));

        static string Target(SandboxExchange e) =>
            e.Request.RawPath + (e.Request.RawQuery.Length == 0 ? string.Empty : "?" + e.Request.RawQuery);
    }
}
