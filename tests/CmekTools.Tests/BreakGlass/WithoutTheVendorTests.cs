using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>The party that is to be cut off does not decide what is cut.</summary>
public sealed class WithoutTheVendorTests
{
    public static TheoryData<string, string> Failures =>
        new() { { "AWS", "503" }, { "AWS", "401" }, { "AWS", "silent" }, { "AWS", "reset" }, { "GCP", "403" }, { "GCP", "silent" } };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task TheKeysAreCutByWhatWasSeenBefore(string provider, string failure)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] keys = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        Break(life, failure);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        Assert.Empty(result.Errors);
        Assert.Equal(
            keys.Order(StringComparer.Ordinal),
            result.Values<CmekStep>().Where(
                s => s is { Step: "Proof", CutState: CmekCutState.Cut }).Select(s => s.KeyUri!).Order(StringComparer.Ordinal));
        Assert.True(result.Values<CmekStep>()[^1].KeyCut);
        Assert.Contains(
            result.Warnings,
            w => w.Contains("The keys of shop are those that are known here, by the inventory, last seen", StringComparison.Ordinal));

        // A new session with the same state folder: the service's own words, the age, and the break-glass works; the REVOKE that could
        // not be sent is the error at the end.
        PowerShellResult connect = await ConnectAsync(life);
        Assert.True(Assert.Single(connect.Values<CmekSession>()).IsOffline);
        Assert.Contains(
            connect.Warnings,
            w => w.Contains("offline session", StringComparison.Ordinal) && w.Contains("minutes ago", StringComparison.Ordinal)
                && (failure is "silent" or "reset" || w.Contains("the vendor says no", StringComparison.Ordinal)));
        result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        result.ExpectError("RevokeNotSent,");
        Assert.True(result.Values<CmekStep>()[^1].KeyCut);
        Assert.Contains(result.Values<CmekStep>(), s => s.Step == "Revoke" && s.Result.StartsWith("NOT told", StringComparison.Ordinal));

        // Everything else fails with the service's error.
        Assert.Single((await life.TryAsync("Get-CmekStatus shop")).Errors);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AccessIsGivenBackAtTheProviderByTheReceiptAlone(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.StatusAsync();
        Break(life, "503");
        await ConnectAsync(life);
        Assert.True((await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()[^1].KeyCut);
        PowerShellResult result = await life.TryAsync("Restore-CmekAccess shop");
        Assert.Empty(result.Errors);
        CmekStep last = result.Values<CmekStep>()[^1];
        Assert.Equal(("Access", "access is back, the service was not asked"), (last.Step, last.Now));
        Assert.Contains(result.Warnings, w => w.StartsWith("The service was not asked", StringComparison.Ordinal));
        Assert.DoesNotContain(life.Server.Exchanges, e => e.Request.Service == "cloud" && e.Request.IsWrite);

        // Another principal needs the service; and without a receipt nothing that was merely seen here gives anybody anything.
        Assert.Single(
            (
                await life.TryAsync(
                    provider == "AWS"
                        ? "Restore-CmekAccess shop -RoleName other"
                        : "Restore-CmekAccess shop -ServiceAccount other-account")).Errors);
        Assert.Empty(life.Writes);
        Directory.Delete(Path.Combine(life.Shell.StateFolder, "receipts"), recursive: true);
        (await life.TryAsync("Restore-CmekAccess shop")).ExpectError("NothingToRestore,");
        Assert.Empty(life.Writes);
        life.Server.Before = null;
        await ConnectAsync(life);
        Assert.Equal([true], (await life.RunAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Fact]
    public async Task AMachineThatKnowsNothingFailsToConnectAndSaysWhatToGive()
    {
        await using Life life = await Life.StartAsync("AWS");
        string folder = life.Shell.StateFolder + "-empty";
        await using SandboxShell other = await SandboxShell.StartAsync(server: life.Server, stateFolder: folder);
        Break(life, "503");
        ErrorRecord error = (await other.RunAsync("Revoke-CmekAccess shop -Force")).ExpectError("CloudApi");
        Assert.Contains("503", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        (await ConnectAsync(life, folder)).ExpectError("CloudApi");
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task KeysGivenByHandAreCutWithoutTheService(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekRegionStatus[] regions = [.. (await life.StatusAsync()).Regions];
        string manifest = Path.Combine(life.Shell.StateFolder, "cmek_config.json");
        await life.RunAsync("param($Path) $null = Export-CmekManifest shop -Path $Path", new { Path = manifest });
        string folder = life.Shell.StateFolder + "-empty";
        await using SandboxShell other = await SandboxShell.StartAsync(server: life.Server, stateFolder: folder);
        life.Answer(r => r.Service == "cloud" ? new SandboxResponse { Status = 401, Body = "{}" } : null);
        PowerShellResult one = (await other.RunAsync(
            "param($Uri, $Principal) Revoke-CmekAccess -KeyUri $Uri -AuthPrincipal $Principal -Force",
            new { Uri = regions[0].KeyUri, Principal = regions[0].AuthPrincipal })).Expect();
        Assert.Equal((regions[0].KeyUri, true), (one.Values<CmekStep>()[^1].KeyUri, one.Values<CmekStep>()[^1].KeyCut));
        PowerShellResult all = (
            await other.RunAsync("param($Path) Revoke-CmekAccess -ManifestPath $Path -Force", new { Path = manifest })).Expect();
        Assert.Equal(2, all.Values<CmekStep>().Count(s => s is { Step: "Proof", CutState: CmekCutState.Cut }));
        Assert.DoesNotContain(life.Server.Exchanges, e => e.Request.Service == "cloud" && e.Request.IsWrite);
    }

    [Fact]
    public async Task A404ForAClusterThatWasSeenWithKeysIsUnknownAndNotNoKey()
    {
        await using Life life = await Life.StartAsync("AWS");
        await life.StatusAsync();
        life.Answer(
            r => r.Service == "cloud" && r.Method == "GET" && r.RawPath.EndsWith("/cmek", StringComparison.Ordinal)
                ? new SandboxResponse { Status = 404, Body = """{"code":5,"message":"not found"}""" }
                : null);
        Assert.Equal(CmekState.UNKNOWN, (await life.StatusAsync()).State);
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force -NoWait")).Values<CmekStep>()];
        Assert.Equal(2, steps.Count(s => s is { Step: "Proof", CutState: CmekCutState.Cut }));
        Assert.Contains("cloud:UpdateCmekStatus", life.Writes);
    }

    [Fact]
    public async Task ServiceOnlyTellsAndCutsNothing()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekStep[] steps = [.. (await life.RunAsync("Revoke-CmekAccess shop -Force -ServiceOnly")).Values<CmekStep>()];
        Assert.Equal(["cloud:UpdateCmekStatus"], life.Writes);
        Assert.Equal(
            ("Revoked", null, "revoked at the service, cut of the key not seen"),
            (steps[^1].Step, steps[^1].KeyCut, steps[^1].Now));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhereInventoryAndReceiptsAreLostTheJournalKnowsTheKeys(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = await life.StatusAsync();

        // What is left of the inventory is another cluster's.
        string seen = Assert.Single(Directory.GetFiles(Path.Combine(life.Shell.StateFolder, "inventory"), "*.json"));
        string other = Guid.NewGuid().ToString();
        File.WriteAllText(
            Path.Combine(Path.GetDirectoryName(seen)!, other + ".json"),
            File.ReadAllText(seen).Replace(status.ClusterId, other, StringComparison.Ordinal).Replace(
                "\"shop\"",
                "\"elsewhere\"",
                StringComparison.Ordinal));
        File.Delete(seen);
        Break(life, "503");
        await ConnectAsync(life);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        Assert.Empty(result.Errors);
        Assert.Contains(
            result.Warnings,
            w => w.Contains("The keys of shop are those that are known here, by the journal.", StringComparison.Ordinal));
        Assert.Equal(
            status.Regions.Select(r => r.KeyUri!),
            result.Values<CmekStep>().Where(
                s => s is { Step: "Proof", CutState: CmekCutState.Cut }).Select(s => s.KeyUri!).Order(StringComparer.Ordinal));

        // A cluster that nobody knows is not found, and nothing is cut.
        life.Server.ClearExchanges();
        Assert.Single((await life.TryAsync("Revoke-CmekAccess nobody -Force -KeyOnly")).Errors);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", "503")]
    [InlineData("GCP", "reset")]
    public async Task ASessionThatWasConnectedAsksWhetherTheServiceAnswers(string provider, string failure)
    {
        await using Life life = await Life.StartAsync(provider);
        Assert.Equal([true], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet")).Output.Select(o => o.BaseObject));
        Break(life, failure);
        CmekCheck[] rows = [.. (await life.RunAsync("Test-CmekBreakGlass shop")).Values<CmekCheck>()];
        Assert.Equal(CmekCheckResult.Fail, Assert.Single(rows, r => r.Name == "CloudApi").Result);
        Assert.DoesNotContain(rows, r => r is { Name: "CloudApiRole", Result: CmekCheckResult.Pass });
        Assert.Equal([false], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet")).Output.Select(o => o.BaseObject));
        Assert.Equal([true], (await life.RunAsync("Test-CmekBreakGlass shop -KeyOnly -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Fact]
    public async Task AChangeOnRecordProvesTheRoleUntilALaterOneFails()
    {
        await using Life life = await Life.StartAsync("AWS");
        Assert.Equal(CmekCheckResult.Pass, await RoleAsync());
        life.Answer(r => r.Operation == "UpdateCmekStatus"
            ? new SandboxResponse { Status = 403, Body = """{"code":7,"message":"not you"}""" }
            : null);
        Assert.NotEmpty((await life.TryAsync("Revoke-CmekAccess shop -Force -NoWait")).Errors);
        life.Server.Before = null;
        Assert.Equal(CmekCheckResult.Warn, await RoleAsync());

        async Task<CmekCheckResult> RoleAsync()
        {
            await using SandboxShell later = await SandboxShell.StartAsync(server: life.Server, stateFolder: life.Shell.StateFolder);
            PowerShellResult rows = await later.RunAsync("Test-CmekBreakGlass shop");
            return Assert.Single(rows.Values<CmekCheck>(), r => r.Name == "CloudApiRole").Result;
        }
    }

    [Theory]
    [InlineData("Restore-CmekAccess shop")]
    [InlineData("Restore-CmekAccess -ClusterId 00000000-0000-0000-0000-000000000001")]
    public async Task ARestoreAsksAServiceThatIsGoneAFewTimesAndSaysHowItGoesOnWithoutIt(string command)
    {
        // How long it waits with the real service shows in how often it asks.
        await using Life life = await Life.StartAsync("AWS");
        Break(life, "503");
        ErrorRecord failed = (await life.TryAsync(command)).ExpectError("CloudApi");
        int asked = life.Server.Exchanges.Where(e => e.Request.Service == "cloud").GroupBy(
            e => e.Request.Method + e.Request.RawPath).Max(g => g.Count());
        Assert.InRange(asked, 1, 4);
        Assert.Contains(
            "Connect-CmekCloud again gives an offline session",
            failed.ErrorDetails.RecommendedAction,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnOfflineSessionSaysThatItIsOneAndHowItEnds()
    {
        await using Life life = await Life.StartAsync("AWS");
        await life.StatusAsync();
        Break(life, "503");
        PowerShellResult connected = await ConnectAsync(life);
        Assert.Contains("OFFLINE", life.Shell.Shell.Format(connected.Output), StringComparison.Ordinal);
        life.Server.Before = null;
        ErrorRecord error = (await life.TryAsync("Get-CmekStatus shop")).ExpectError("CloudApi");
        Assert.Contains("run Connect-CmekCloud again", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("OFFLINE", life.Shell.Shell.Format((await ConnectAsync(life)).Output), StringComparison.Ordinal);
    }

    private static void Break(Life life, string failure) => life.Server.Before = async r =>
    {
        if (r.Service != "cloud")
        {
            return null;
        }

        if (failure == "silent")
        {
            await Task.Delay(Timeout.Infinite);
        }

        return failure == "reset"
            ? throw new IOException("the connection is cut")
            : new SandboxResponse { Status = int.Parse(
                failure,
                System.Globalization.CultureInfo.InvariantCulture), Body = """{"code":7,"message":"the vendor says no"}""" };
    };

    private static Task<PowerShellResult> ConnectAsync(Life life, string? folder = null) => life.TryAsync(
        "param($Sandbox, $State) Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State",
        new
        {
            Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = life.Server.Environment },
            State = folder ?? life.Shell.StateFolder,
        });
}
