using System.Diagnostics;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine;
using CmekTools.Engine.Aws;
using CmekTools.Engine.BreakGlass;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>
/// What it claims is true: a key is cut only where that was read, and what was missing, refused or not looked at proves nothing.
/// </summary>
public sealed class ClaimTests
{
    [Fact]
    public async Task AKeyThatIsNotFoundIsMissingAndProvesNothing()
    {
        await using Life life = await Life.StartAsync("AWS");
        string hidden = await life.KeyAsync(life.Regions[0]);
        life.Answer(r => r.Service == "kms" && r.Names(hidden) ? Faults.Missing : null);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(CmekCutState.Missing, Assert.Single(steps, s => s.Step == "Proof" && s.KeyUri == hidden).CutState);
        Assert.All(steps, s => Assert.Null(s.KeyCut));

        // What is proven of one key is not denied by what is not known of another.
        Assert.StartsWith(
            "this key cut, the others not seen yet",
            Assert.Single(steps, s => s.Step == "Proof" && s.KeyUri != hidden).Now,
            StringComparison.Ordinal);
        Assert.Contains(result.Errors, e => e.FullyQualifiedErrorId.StartsWith("CutNotSeen,", StringComparison.Ordinal));
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task APolicyThatMayNotBeWrittenIsFollowedByDisablingTheKey(bool mayDisable)
    {
        await using Life life = await Life.StartAsync("AWS");
        string shut = await life.KeyAsync(life.Regions[0]);
        life.Answer(
            r => (r.Operation == "PutKeyPolicy" || (r.Operation == "DisableKey" && !mayDisable)) && r.Names(shut) ? Faults.Refused : null);
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        life.Server.Before = null;
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        CmekStep proof = Assert.Single(steps, s => s.Step == "Proof" && s.KeyUri == shut);
        Assert.Equal(mayDisable ? CmekCutState.Cut : CmekCutState.Open, proof.CutState);
        Assert.Equal(mayDisable, steps[^1].KeyCut);
        Assert.Equal(mayDisable ? CmekKeyState.Disabled : CmekKeyState.Enabled, await life.KeyStateAsync(shut));
        if (!mayDisable)
        {
            Assert.Contains(steps, s => s.Step == "Cut" && s.KeyUri == shut && s.Result.StartsWith("NOT cut", StringComparison.Ordinal));
            Assert.Contains(result.Errors, e => e.FullyQualifiedErrorId.StartsWith("CutNotEffective,", StringComparison.Ordinal));
            return;
        }

        // Each rung is taken back.
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop -Wait");
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(shut));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APrincipalWhoseKeyWasSwitchedOffInPlaceOfACutGetsNoNewKeyEither(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        life.Answer(r => r.Operation is "PutKeyPolicy" ? Faults.Refused
            : r.Operation is "cryptoKeys.setIamPolicy" or "serviceAccounts.setIamPolicy"
                ? new SandboxResponse { Status = 403, Body = """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""" }
                : null);
        await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Server.Before = null;
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(await life.KeyAsync(life.Regions[0])));

        // Another machine has no receipt: the key itself says it.
        foreach (string receipt in life.Receipts())
        {
            File.Delete(receipt);
        }

        PowerShellResult granted = await life.TryAsync("New-CmekKey shop -NewGeneration | Grant-CmekAccess");
        Assert.All(granted.Errors, e => Assert.StartsWith("AccessRevoked,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Equal(life.Regions.Length, granted.Errors.Count);
        Assert.Empty(granted.Values<CmekAccess>());
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyOfTwoClustersThatWasSwitchedOffKeepsBothOutAlsoWhereTheSecondFindsItOff(string provider)
    {
        string region = provider == "AWS" ? "us-east-1" : "us-east1";
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast with { Clusters =
        [
            new SandboxClusterOptions("shop", provider, [region]),
            new SandboxClusterOptions("stock", provider, [region]),
        ] });
        (
            await shell.RunAsync(
                $"$key = New-CmekKey shop; $key | Grant-CmekAccess | Enable-CmekCluster -Wait; "
                    + $"$key | Grant-CmekAccess -ClusterName stock -Region {region} | Enable-CmekCluster -Wait")).Expect();
        shell.Server.Before = r => Task.FromResult(
            r.Operation == "PutKeyPolicy" ? Faults.Refused
            : r.Operation is "cryptoKeys.setIamPolicy" or "serviceAccounts.setIamPolicy"
                ? new SandboxResponse { Status = 403, Body = """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""" }
                : null);
        await shell.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        await shell.RunAsync("Revoke-CmekAccess stock -Force -KeyOnly");
        shell.Server.Before = null;
        await using SandboxShell elsewhere = await SandboxShell.StartAsync(server: shell.Server);
        foreach (string cluster in (string[])["shop", "stock"])
        {
            PowerShellResult granted = await elsewhere.RunAsync($"New-CmekKey {cluster} -NewGeneration | Grant-CmekAccess");
            granted.ExpectError("AccessRevoked");
            Assert.Empty(granted.Values<CmekAccess>());
        }
    }

    [Fact]
    public async Task TheLastLookWaitsAlsoWhereTheWriteIsInAndItsTryFailed()
    {
        await using Life life = await Life.StartAsync(
            "AWS",
            change: o => o with { Clusters = [new SandboxClusterOptions("shop", "AWS", ["us-east-1"])] });
        TimeSpan settle = TimeSpan.FromMilliseconds(600);
        using EngineKit kit = EngineKit.Create(life.Server, Timings.Sandbox with { PolicySettle = settle });
        long lastBehind = 0;
        long lastLook = 0;
        int looks = 0;
        bool written = false;
        string before = string.Empty;
        life.Server.Before = r =>
        {
            written |= r.Operation == "PutKeyPolicy";
            if (r.Operation != "GetKeyPolicy" || !written)
            {
                return Task.FromResult<SandboxResponse?>(null);
            }

            // Each look of the try that wrote meets a machine that has not heard of it yet; those of the next try do not.
            bool isBehind = ++looks <= AwsChanges.ReadBackTries;
            if (looks == 1)
            {
                before = life.Server.Exchanges.Last(e => e.Request.Operation == "GetKeyPolicy").ResponseBody;
            }

            (isBehind ? ref lastBehind : ref lastLook) = Stopwatch.GetTimestamp();
            return Task.FromResult(isBehind ? new SandboxResponse { ContentType = Faults.Refused.ContentType, Body = before } : null);
        };
        TestOperationHost host = new();
        await Revocation.RevokeAsync(
            op => SubjectFinder.FindAsync([new ClusterRef("shop", null, null)], op),
            new RevokeOptions { Unasked = true, NoWait = true },
            kit.Run(host, "Revoke-CmekAccess"));
        Assert.Equal(true, host.Output.OfType<CmekStep>().Last().KeyCut);
        Assert.Single(life.Sent("PutKeyPolicy"));
        Assert.True(
            Stopwatch.GetElapsedTime(lastBehind, lastLook) >= settle - TimeSpan.FromMilliseconds(20),
            $"{Stopwatch.GetElapsedTime(lastBehind, lastLook)}");
    }

    [Fact]
    public async Task APastKeyThatTwoRevocationsFoundOnAndOffIsOnAgainAfterTheSecondOnesRestore()
    {
        await using Life life = await Life.StartAsync("GCP");
        string past = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("""
            $WarningPreference = 'SilentlyContinue'
            New-CmekKey shop -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait
            """);
        life.Answer(r => r.Operation is "cryptoKeys.setIamPolicy" && r.Names(past)
            ? new SandboxResponse { Status = 403, Body = """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""" }
            : null);
        await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Server.Before = null;
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(past));

        // Another machine finds the key off, revokes for good, and gives all of it back.
        await life.RunAsync("""
            param($Sandbox, $State)
            $WarningPreference = 'SilentlyContinue'
            $null = Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State
            $null = Revoke-CmekAccess shop -Force -Permanent -ConfirmClusterName shop
            """, new
        {
            Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = life.Server.Environment },
            State = Path.Combine(life.Shell.StateFolder, "other"),
        });
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop -AcceptChanges -Wait");
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
    }

    [Fact]
    public async Task APastKeyIsCutOffFromAPrincipalThatWasLetInSince()
    {
        await using Life life = await Life.StartAsync("AWS");
        string past = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("""
            $WarningPreference = 'SilentlyContinue'
            New-CmekKey shop -AliasName second | Grant-CmekAccess | Update-CmekCluster -Wait
            $null = Revoke-CmekAccess shop -Force
            $null = Restore-CmekAccess shop -RoleName rescue -Wait
            """);
        CmekStep last = (await life.TryAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()[^1];
        Assert.Equal(true, last.KeyCut);
        string policy = (
            await life.Aws.Kms.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = past, PolicyName = "default" }, AwsWire.Cancel)).Policy;
        System.Text.Json.Nodes.JsonArray statements = System.Text.Json.Nodes.JsonNode.Parse(policy)!["Statement"]!.AsArray();
        Assert.Contains(
            statements,
            s => (string?)s!["Effect"] == "Deny" && s.ToJsonString().Contains("role/rescue\"", StringComparison.Ordinal));
        Assert.DoesNotContain(
            statements,
            s => (string?)s!["Effect"] == "Allow" && s.ToJsonString().Contains("role/rescue\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ACopyThatTheServiceDoesNotListIsCutToo()
    {
        SandboxOptions options = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
        [
            new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
        ] };
        await using SandboxShell shell = await SandboxShell.StartAsync(options);
        (await shell.RunAsync("New-CmekKey shop -MultiRegion | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        CmekRegionStatus region = Assert.Single(
            Assert.Single((await shell.RunAsync("Get-CmekStatus shop")).Expect().Values<CmekStatus>()).Regions);
        await using AwsWire aws = AwsWire.At(shell.Server);
        string policy = (
            await aws.Kms.GetKeyPolicyAsync(
                new GetKeyPolicyRequest { KeyId = region.KeyUri, PolicyName = "default" },
                AwsWire.Cancel)).Policy;
        string copy = (
            await aws.Kms.ReplicateKeyAsync(
                new ReplicateKeyRequest { KeyId = region.KeyUri, ReplicaRegion = "eu-west-1", Policy = policy },
                AwsWire.Cancel)).ReplicaKeyMetadata.Arn;
        PowerShellResult result = (await shell.RunAsync("Revoke-CmekAccess shop -Force")).Expect();
        CmekStep[] steps = [.. result.Values<CmekStep>()];
        Assert.Equal(CmekCutState.Cut, Assert.Single(steps, s => s.Step == "Proof" && s.KeyUri == copy).CutState);
        string now = (
            await aws.KmsAs(aws.Aws.Admin, "eu-west-1").GetKeyPolicyAsync(
                new GetKeyPolicyRequest { KeyId = copy, PolicyName = "default" },
                AwsWire.Cancel)).Policy;
        Assert.Contains("\"Deny\"", now, StringComparison.Ordinal);

        // The whole is not claimed before the copy is proven.
        int proven = Array.FindIndex(steps, s => s.Step == "Proof" && s.KeyUri == copy);
        Assert.All(steps[..proven], s => Assert.True(s.KeyCut != true || s.Step == "Proof", s.ToString()));
        Assert.Contains(result.Warnings, w => w.Contains(copy, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("key", "MAY BE HIT")]
    [InlineData("both", "ALSO HIT")]
    [InlineData("principal", "MAY BE HIT")]
    public async Task WhoElseIsHitStandsInTheQuestion(string shared, string how)
    {
        SandboxOptions two = SandboxShell.Fast with { StateTime = TimeSpan.FromMilliseconds(30), Clusters =
        [
            new SandboxClusterOptions("shop", "AWS", ["us-east-1"]),
            new SandboxClusterOptions("books", "AWS", ["us-east-1"]),
        ] };
        await using SandboxShell shell = await SandboxShell.StartAsync(two);
        const string role = "-RoleName ($access.AuthPrincipal -split '/')[-1]";
        string grant = shared != "principal"
            ? $"Grant-CmekAccess books -Region us-east-1 -KeyUri $key.KeyUri {(shared == "both" ? role : string.Empty)}"
            : "New-CmekKey books | Grant-CmekAccess " + role;
        (await shell.RunAsync($$"""
            $key = New-CmekKey shop
            $access = $key | Grant-CmekAccess
            $access | Enable-CmekCluster -Wait
            {{grant}} | Enable-CmekCluster -Wait
            """)).Expect();
        shell.Shell.Answer("N");
        (await shell.RunAsync("Revoke-CmekAccess shop")).Expect();
        Assert.Matches(
            $"(?m)^{how}: books \\(the same {(shared == "both" ? "key .* as the same principal" : shared)}",
            Assert.Single(shell.Shell.Host.Questions).Message);
        PowerShellResult forced = await shell.RunAsync("Revoke-CmekAccess shop -KeyOnly -Force");
        Assert.Contains(forced.Warnings, w => w.StartsWith($"{how}: books", StringComparison.OrdinalIgnoreCase));

        // What the question says of the other cluster is what becomes of it.
        Assert.Equal(
            [how != "ALSO HIT"],
            (await shell.RunAsync("Test-CmekAccess books -Quiet")).Expect().Output.Select(o => o.BaseObject));
    }
}
