using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Under pressure not everything works: what fails for one key must not leave the others open, nor keep them shut.</summary>
public sealed class BreakGlassTests
{
    [Theory]
    [InlineData("")]
    [InlineData("-RoleName rescue")]
    public async Task APastKeyThatIsGoneDoesNotKeepTheClusterFromItsKeysInUse(string principal)
    {
        await using Life life = await Life.StartAsync("AWS");
        string[] past = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        await life.RunAsync(
            "$WarningPreference = 'SilentlyContinue'; New-CmekKey shop -AliasName second | Grant-CmekAccess | Update-CmekCluster -Wait; "
                + "$null = Revoke-CmekAccess shop -Force");
        life.Server.Before = r => Task.FromResult(r.Service == "kms" && r.Text.Contains(past[0], StringComparison.Ordinal)
            ? new SandboxResponse { Status = 400, Body = """{"__type":"NotFoundException","message":"gone"}""" }
            : null);
        PowerShellResult result = await life.TryAsync($"Restore-CmekAccess shop {principal} -Wait");
        life.Server.Before = null;
        Assert.Contains(result.Errors, e => e.FullyQualifiedErrorId.StartsWith("KeyNotFound,", StringComparison.Ordinal));
        Assert.Contains(result.Output, o => o.BaseObject is CmekStep { Step: "Enabled" });
        CmekStatus status = await life.StatusAsync();
        Assert.Equal(CmekState.ENABLED, status.State);
        Assert.All(status.Regions, r => Assert.EndsWith(principal.Split(' ')[^1], r.AuthPrincipal, StringComparison.Ordinal));
        Assert.Empty((await life.RunAsync("Get-CmekReceipt shop -Open")).Output);
    }

    [Fact]
    public async Task WhoWasCutOffBeforeStaysCutOff()
    {
        await using Life life = await Life.StartAsync("AWS");
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync(
            "$WarningPreference = 'SilentlyContinue'; $null = Revoke-CmekAccess shop -Force; $null = Restore-CmekAccess shop -RoleName "
                + "second -Wait; $null = Revoke-CmekAccess shop -Force; $null = Restore-CmekAccess shop -Wait");
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        foreach (string region in life.Regions)
        {
            string key = await life.KeyAsync(region);
            string policy = life.Server.Exchanges.Last(
                e => e.Request.Operation == "PutKeyPolicy" && e.Request.Text.Contains(key, StringComparison.Ordinal)).Request.Text;
            JsonArray statements = JsonNode.Parse((string)JsonNode.Parse(policy)!["Policy"]!)!["Statement"]!.AsArray();
            Assert.Contains(
                statements,
                s => (string?)s!["Effect"] == "Deny" && s.ToJsonString().Contains(burnt + "\"", StringComparison.Ordinal));
            Assert.DoesNotContain(
                statements,
                s => (string?)s!["Effect"] == "Allow" && s.ToJsonString().Contains(burnt + "\"", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task AKeyThatAnotherClusterUsesIsNotDeleted()
    {
        SandboxOptions two = SandboxShell.Fast with { Clusters =
        [
            new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
            new SandboxClusterOptions("books", "AWS", ["us-east-1"]),
        ] };
        await using SandboxShell shell = await SandboxShell.StartAsync(two);
        (await shell.RunAsync("""
            $key = New-CmekKey shop
            $key | Grant-CmekAccess | Enable-CmekCluster -Wait
            Grant-CmekAccess books -Region us-east-1 -KeyUri $key.KeyUri | Enable-CmekCluster -Wait
            """)).Expect();
        shell.Server.ClearExchanges();
        PowerShellResult result = await shell.RunAsync("Revoke-CmekAccess shop -Permanent -ConfirmClusterName shop -Force");
        result.ExpectError("KeyInUse,");
        Assert.Contains("books/us-east-1", result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(shell.Writes, w => w.Request.Operation == "ScheduleKeyDeletion");

        // Nor with an API key that does not see the other one: the key names it.
        string books = shell.Server.Get<CloudApiService>().IdOf("books");
        shell.Server.After = (request, answer) =>
        {
            if (request.Operation != "ListClusters")
            {
                return Task.FromResult<SandboxResponse?>(null);
            }

            JsonObject list = JsonNode.Parse(answer.Body!)!.AsObject();
            JsonArray clusters = list["clusters"]!.AsArray();
            clusters.Remove(clusters.Single(c => (string?)c!["id"] == books));
            return Task.FromResult<SandboxResponse?>(new SandboxResponse { Status = answer.Status, Body = list.ToJsonString() });
        };
        result = await shell.RunAsync("Revoke-CmekAccess shop -Permanent -ConfirmClusterName shop -Force");
        shell.Server.After = null;
        result.ExpectError("KeyInUse,");
        Assert.Contains(books[..8], result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(shell.Writes, w => w.Request.Operation == "ScheduleKeyDeletion");
        Assert.Equal(CmekState.ENABLED, Assert.Single((await shell.RunAsync("Get-CmekStatus books")).Expect().Values<CmekStatus>()).State);
    }

    [Theory]
    [InlineData("AWS", "europe-west1")]
    [InlineData("AWS", "narnia-1x")]
    public async Task ARegionThatIsNoneIsRefusedBeforeAnyWrite(string provider, string region)
    {
        await using Life life = await Life.StartAsync(provider);
        (
            await life.TryAsync(
                "param($Region) New-CmekKey shop -Region $Region -NewRegion",
                new { Region = region })).ExpectError("RegionUnknown,");
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task ReceiptsCanBeReadWithoutAConnection()
    {
        await using Life life = await Life.StartAsync("AWS");
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force -KeyOnly");
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        PowerShellResult result = (
            await shell.InvokeAsync(
                "param($Folder) Get-CmekReceipt shop -Open -StateFolder $Folder",
                new { Folder = life.Shell.StateFolder })).Expect();
        Assert.Equal(life.Receipts(), result.Values<CmekReceipt>().Select(r => r.Path));
    }
}
