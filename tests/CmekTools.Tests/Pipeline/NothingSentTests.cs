using System.Diagnostics;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;
using WireState = CmekTools.Sandbox.CloudApi.CmekState;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// Errors that say "nothing was sent" or "nothing was changed" (docs/errors.md), for those that no other test meets: each is met, and
/// no write was tried.
/// </summary>
public sealed class NothingSentTests
{
    [Fact]
    public async Task WhatSaysThatNothingWasDoneDidNothing()
    {
        await using Life life = await Life.StartAsync(
            "AWS", enable: false, o => o with { Clusters = [.. o.Clusters, new SandboxClusterOptions("orders", "AWS", ["us-east-1"])] });
        CmekCluster shop = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string derived = $"cmektools-shop-{shop.Id[..8]}";

        // Somebody else has the names that are derived from the cluster.
        string foreign = (await life.Aws.KeyAsync()).Arn;
        await life.Aws.Kms.CreateAliasAsync($"alias/{derived}-us-east-1", foreign, AwsWire.Cancel);
        await NothingAsync(life, "AliasTaken", "New-CmekKey shop -Region us-east-1");
        await life.RunAsync("$global:keys = New-CmekKey shop -AliasName own");
        await life.Aws.RoleAsync(derived, AwsWire.Trust("arn:aws:iam::444455556666:root"));
        await NothingAsync(life, "RoleExists", "$keys[0] | Grant-CmekAccess");

        // A statement of others names who is gone: KMS takes no policy any more, and ours stays out.
        string gone = await life.Aws.RoleAsync("gone");
        await life.Aws.Kms.PutKeyPolicyAsync(
            new() { KeyId = foreign, PolicyName = "default", Policy = AwsWire.Policy(
                AwsWire.RootStatement(),
                AwsWire.Statement("Allow", gone, "kms:DescribeKey")) },
            AwsWire.Cancel);
        await life.Aws.IamAsync("DeleteRole", ("RoleName", "gone"));
        string before = (await life.Aws.Kms.GetKeyPolicyAsync(foreign, "default", AwsWire.Cancel)).Policy;
        await life.RunAsync("$global:access = $keys | Grant-CmekAccess -RoleName own; $access | Enable-CmekCluster -Wait");
        (
            await life.TryAsync(
                "param($Uri) Grant-CmekAccess shop -Region us-east-1 -KeyUri $Uri -RoleName own",
                new { Uri = foreign })).ExpectError("PolicyDeadPrincipal");
        Assert.DoesNotContain(life.Shell.Writes, w => w.Status == 200);
        Assert.Equal(before, (await life.Aws.Kms.GetKeyPolicyAsync(foreign, "default", AwsWire.Cancel)).Policy);

        await life.RunAsync("$global:other = New-CmekKey shop -AliasName other | Grant-CmekAccess -RoleName own");
        await life.RunAsync(
            "$global:more = New-CmekKey shop -Region eu-west-1 -NewRegion | Grant-CmekAccess -RoleName own -WarningAction "
                + "SilentlyContinue");
        await NothingAsync(
            life,
            "ClusterContradicts",
            "[pscustomobject]@{ ClusterName = 'shop'; ClusterId = (Get-CmekCluster orders).Id } | Disable-CmekCluster");
        await NothingAsync(life, "ScopeContradicts", "Revoke-CmekAccess shop -KeyOnly -ServiceOnly -Force");
        await NothingAsync(life, "AlreadyEnabled", "$other | Enable-CmekCluster");
        await NothingAsync(life, "RegionDuplicate", "$other[0], $access[0] | Update-CmekCluster");
        life.Server.Before = request => Task.FromResult(request.Operation == "GetCmek"
            ? new SandboxResponse { Status = 403, Body = """{"code":7,"message":"no","details":[]}""" }
            : null);
        await NothingAsync(life, "ClusterKeysUnknown", "Revoke-CmekAccess orders -Force");
        life.Server.Before = null;

        // A region is left over from a rotation that failed.
        CloudRegion region = KeyModelTests.Cluster(life).Regions[0];
        KeyModelTests.Force(life, region, WireState.ROTATE_FAILED, inUse: true);
        await NothingAsync(life, "OperationUnfinished", "$more | Add-CmekRegion -NodeCount 3");
        KeyModelTests.Force(life, region, WireState.ENABLED, inUse: true);

        // Somebody adds nodes between what was shown and what is sent.
        life.Server.Before = request =>
        {
            if (request.Operation == "GetCluster")
            {
                region.NodeCount++;
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        await NothingAsync(life, "ClusterChanged", "$more | Add-CmekRegion -NodeCount 3");
        life.Server.Before = null;

        // A receipt that somebody changed, and that is named all the same.
        await life.RunAsync("$null = Revoke-CmekAccess shop -KeyOnly -Force");
        string receipt = Assert.Single(life.Receipts());
        JsonObject changed = JsonNode.Parse(await File.ReadAllTextAsync(receipt, TestContext.Current.CancellationToken))!.AsObject();
        changed["cluster_name"] = "shop2";
        await File.WriteAllTextAsync(receipt, changed.ToJsonString(), TestContext.Current.CancellationToken);
        await NothingAsync(life, "ReceiptTampered", $"Restore-CmekAccess shop -ReceiptPath '{receipt}'");
    }

    [Fact]
    public async Task NoRequestGoesOutForAConnectionThatIsRefused()
    {
        await using SandboxServer server = SandboxServer.Start(SandboxShell.Aws);
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        const string Host = "nobody-else-asks.cockroachlabs.cloud";
        using Sent sent = new(Host);
        const string Key = "(& { $s = [securestring]::new(); $s.AppendChar('x'); $s })";
        (await shell.InvokeAsync($"Connect-CmekCloud -Server http://{Host} -ApiKey {Key}")).ExpectError("ServerInsecure");
        (
            await shell.InvokeAsync(
                "param($Server) Connect-CmekCloud -Server $Server -ApiKey ([securestring]::new())",
                new { Server = server.BaseAddress })).ExpectError("ApiKeyMissing");
        Assert.Equal(0, sent.Count);
        Assert.Empty(server.Exchanges);

        // The watch does see what is sent.
        using HttpClient client = new();
        await Assert.ThrowsAnyAsync<Exception>(
            () => client.GetAsync(new Uri($"http://{Host}.invalid/"), TestContext.Current.CancellationToken));
        Assert.Equal(1, sent.Count);
    }

    [Fact]
    public async Task KeysGivenByHandAreCutWithoutAConnection()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        life.Server.ClearExchanges();
        using TempFolder folder = new();
        FinishedProgram run = await ExternalProgram.PwshAsync(
            [
                "-NoProfile", "-NonInteractive", "-Command",
                $"Import-Module $env:TEST_MODULE; (Revoke-CmekAccess -KeyUri {region.KeyUri} -AuthPrincipal {region.AuthPrincipal} "
                    + "-Force)[-1].KeyCut",
            ],
            [
                ("TEST_MODULE", PowerShellSession.ModuleManifest),
                ("CMEKTOOLS_STATE", folder.Path),
                .. life.Server.Environment.Where(
                    v => v.Key.StartsWith("AWS_", StringComparison.Ordinal)).Select(v => (v.Key, (string?)v.Value)),
                ("COCKROACH_API_KEY", null),
            ]);
        Assert.True(run.Output.Trim() == "True", run.Output + run.Errors);
        Assert.DoesNotContain(life.Server.Exchanges, e => e.Request.Service == "cloud");
        Assert.Contains("kms:PutKeyPolicy", life.Writes);
    }

    private static async Task NothingAsync(Life life, string id, string command)
    {
        (await life.TryAsync($"$WarningPreference = 'SilentlyContinue'; {command}")).ExpectError(id + ",");
        Assert.True(life.Writes.Length == 0, $"{id}: {string.Join(", ", life.Writes)}");
    }

    // Counts the requests of this process to one host, by whichever client.
    private sealed class Sent : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly string _host;
        private readonly List<IDisposable> _subscriptions = [];
        private int _count;

        public Sent(string host)
        {
            _host = host;
            _subscriptions.Add(DiagnosticListener.AllListeners.Subscribe(this));
        }

        public int Count => _count;

        public void Dispose() => _subscriptions.ForEach(s => s.Dispose());

        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == "HttpHandlerDiagnosticListener")
            {
                _subscriptions.Add(value.Subscribe(this));
            }
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value.Key == "System.Net.Http.HttpRequestOut.Start"
                && value.Value?.GetType().GetProperty("Request")?.GetValue(value.Value) is HttpRequestMessage { RequestUri: { } uri }
                && uri.Host.StartsWith(_host, StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _count);
            }
        }

        public void OnCompleted()
        {
            // Nothing is kept.
        }

        public void OnError(Exception error)
        {
            // Nothing is kept.
        }
    }
}
