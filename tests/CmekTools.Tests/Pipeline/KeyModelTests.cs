using System.Management.Automation;
using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;
using WireState = CmekTools.Sandbox.CloudApi.CmekState;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// One model of a cluster's keys: what restoring, moving and deleting did wrong while each had its own, and may not do again.
/// </summary>
public sealed class KeyModelTests
{
    private const string Trust = """{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"""
        + """{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}""";

    // Two operators with state folders of their own, at one sandbox.
    private sealed class TwoMachines : IAsyncDisposable
    {
        public required Life First { get; init; }

        public required SandboxShell Second { get; init; }

        public static async Task<TwoMachines> StartAsync(string provider, Func<SandboxOptions, SandboxOptions>? change = null)
        {
            Life life = await Life.StartAsync(provider, change: change);
            return new TwoMachines { First = life, Second = await SandboxShell.StartAsync(server: life.Server) };
        }

        public async ValueTask DisposeAsync()
        {
            await Second.DisposeAsync();
            await First.DisposeAsync();
        }
    }

    private static SandboxOptions WithOther(SandboxOptions o) =>
        o with { Clusters = [.. o.Clusters, new SandboxClusterOptions("orders", o.Clusters[0].Provider, [o.Clusters[0].Regions[0]])] };

    private static string Option(Life life) => life.IsAws ? "-RoleName" : "-ServiceAccount";

    private static async Task<bool> IsLetInAsync(Life life, string key, string principal)
    {
        if (!life.IsAws)
        {
            return life.Google.Google.Policies.Get(key).ToJsonString().Contains("serviceAccount:" + principal, StringComparison.Ordinal);
        }

        string policy = (
            await life.Aws.KmsAs(life.Aws.Aws.Admin, key.Split(':')[3]).GetKeyPolicyAsync(key, "default", AwsWire.Cancel)).Policy;
        JsonObject[] statements = [.. JsonNode.Parse(policy)!["Statement"]!.AsArray().OfType<JsonObject>()];
        return !statements.Any(s => (string?)s["Effect"] == "Deny" && s.ToJsonString().Contains(principal, StringComparison.Ordinal))
            && statements.Any(s => (string?)s["Effect"] == "Allow" && s.ToJsonString().Contains(principal, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task KeysOfLaterGenerationsAreListedBeforeTheyAreUsed(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] made =
        [
            .. (await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} -NewGeneration")).Values<CmekKey>().Select(k => k.KeyUri!),
        ];
        CmekKey[] listed = [.. (await life.RunAsync("Get-CmekKey shop")).Values<CmekKey>()];
        Assert.Equal(made, listed.Where(k => k.Place == CmekKeyPlace.Unused).Select(k => k.KeyUri));
        Assert.Equal(3, listed.Length);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatNamesAClusterThatIsNotSeenIsNotDeleted(string provider)
    {
        await using Life life = await Life.StartAsync(provider, change: WithOther);
        string key = (await life.RunAsync("(Get-CmekStatus orders).Regions[0].KeyUri")).Values<string>()[0];

        // An API key that sees shop only: the listing has no orders.
        string id = life.Server.Get<CloudApiService>().IdOf("orders");
        life.Server.Before = r => Task.FromResult(r.Operation == "ListClusters" ? Without(life, id) : null);
        PowerShellResult result = await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = key });
        ErrorRecord error = result.ExpectError("KeyInUse");
        Assert.Contains(id[..8], error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        // Whoever vouches for its end gets on.
        await life.RunAsync("param($Uri, $Id) Remove-CmekKey $Uri -GoneClusterId $Id -Confirm:$false", new { Uri = key, Id = id });
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(key));
    }

    private static SandboxResponse Without(Life life, string id)
    {
        JsonObject shop = new()
        {
            ["id"] = life.Server.Get<CloudApiService>().IdOf("shop"),
            ["name"] = "shop",
            ["plan"] = "ADVANCED",
            ["cloud_provider"] = life.IsAws ? "AWS" : "GCP",
            ["state"] = "CREATED",
            ["network_visibility"] = "PRIVATE",
            ["regions"] = new JsonArray([.. life.Regions.Select(r => (JsonNode)new JsonObject { ["name"] = r, ["node_count"] = 3 })]),
        };
        Assert.NotEqual(id, (string)shop["id"]!);
        return new SandboxResponse
        {
            Status = 200,
            Body = new JsonObject { ["clusters"] = new JsonArray(shop), ["pagination"] = new JsonObject() }.ToJsonString(),
        };
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task A404IsNoAnswerForAClusterThatTheKeyNames(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = await life.KeyAsync(life.Regions[0]);
        life.Server.Before = r => Task.FromResult(
            r.Operation == "GetCmek"
                ? new SandboxResponse { Status = 404, Body = """{"code":5,"message":"not found","details":[]}""" }
                : null);
        ErrorRecord error = (
            await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = key })).ExpectError("KeyInUse");
        Assert.Contains("404", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task ALiveGrantKeepsAKey()
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = (await life.RunAsync("(New-CmekKey shop -Region us-east-1 -AliasName spare).KeyUri")).Values<string>()[0];
        await life.Aws.RoleAsync("backup", Trust);
        CreateGrantResponse grant = await life.Aws.Kms.CreateGrantAsync(
            new CreateGrantRequest { KeyId = key, GranteePrincipal = "arn:aws:iam::111122223333:role/backup", Operations = ["Decrypt"] },
            AwsWire.Cancel);
        ErrorRecord error = (
            await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = key })).ExpectError("KeyInUse");
        Assert.Contains(grant.GrantId, error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        CmekKeyUse[] uses = [.. (await life.RunAsync("param($Uri) Get-CmekKeyUse $Uri", new { Uri = key })).Values<CmekKeyUse>()];
        Assert.Contains(
            uses,
            u => u is { Kind: CmekKeyUseKind.Grant, KeepsKey: true } && u.Detail.Contains("role/backup", StringComparison.Ordinal));
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task APrimaryOfCopiesGetsNoFalseDateAndACopyInUseKeepsIt()
    {
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Aws);
        (await shell.RunAsync("New-CmekKey shop -MultiRegion | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        (
            await shell.RunAsync(
                "New-CmekKey shop -Region us-east-1 -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait "
                    + "-WarningAction SilentlyContinue")).Expect();
        string primary = (
            await shell.RunAsync(
                "(Get-CmekKey -ClusterName shop | Where-Object { $_.Place -eq 'Past' -and $_.Region "
                    + "-eq 'us-east-1' }).KeyUri")).Values<string>()[0];
        ErrorRecord error = (
            await shell.RunAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = primary })).ExpectError("KeyInUse");
        Assert.Contains("its copy", error.Exception.Message, StringComparison.Ordinal);

        // A spare primary with a copy in a region where nobody uses it.
        (await shell.RunAsync("$null = New-CmekKey shop -MultiRegion -AliasName spare")).Expect();
        PowerShellResult result = (
            await shell.RunAsync(
                "$k = New-CmekKey shop -Region us-east-1 -MultiRegion -AliasName spare; Remove-CmekKey $k.KeyUri -Confirm:$false"))
                    .Expect();
        CmekKey key = result.Values<CmekKey>()[^1];
        Assert.Null(key.DeletionDate);
        Assert.Contains(
            result.Warnings,
            w => w.Contains("us-west-2", StringComparison.Ordinal) && w.Contains("no date", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ABurntPrincipalThatWasReplacedElsewhereStaysCut(string provider)
    {
        await using TwoMachines two = await TwoMachines.StartAsync(provider);
        Life life = two.First;
        CmekStatus before = await life.StatusAsync();
        string burnt = before.Regions[0].AuthPrincipal!;
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        (
            await two.Second.RunAsync(
                $"$null = Restore-CmekAccess shop {Option(life)} rescue -Wait -WarningAction SilentlyContinue")).Expect();

        // What Grant refuses and what it recommends, the plain restore, the piped receipt: none lets it in again.
        (
            await life.TryAsync(
                $"param($P, $K) Grant-CmekAccess shop -Region {life.Regions[0]} -KeyUri $K {Option(life)} $P",
                new { P = life.IsAws ? burnt.Split('/')[^1] : burnt, K = before.Regions[0].KeyUri })).ExpectError("AccessRevoked");
        await life.TryAsync("$null = Get-CmekReceipt -Open | Restore-CmekAccess -WarningAction SilentlyContinue");
        await life.TryAsync("$null = Restore-CmekAccess shop -WarningAction SilentlyContinue");
        foreach (string key in before.Regions.Select(r => r.KeyUri!))
        {
            Assert.False(await IsLetInAsync(life, key, burnt), key);
        }

        // Nor on new keys, where no Deny stands in the way; without a name the principal in use is taken.
        CmekKey made = (await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} -NewGeneration")).Values<CmekKey>()[0];
        (
            await life.TryAsync(
                $"param($P, $K) Grant-CmekAccess shop -Region {life.Regions[0]} -KeyUri $K {Option(life)} $P",
                new { P = life.IsAws ? burnt.Split('/')[^1] : burnt, K = made.KeyUri })).ExpectError("AccessRevoked");
        CmekAccess access = (
            await life.RunAsync(
                $"param($K) Grant-CmekAccess shop -Region {life.Regions[0]} -KeyUri $K",
                new { K = made.KeyUri })).Values<CmekAccess>()[0];
        Assert.Contains("rescue", access.AuthPrincipal, StringComparison.Ordinal);
        Assert.False(await IsLetInAsync(life, made.KeyUri!, burnt));

        // The receipt here is closed by what is true now, and says how.
        Assert.Empty((await life.RunAsync("Get-CmekReceipt shop -Open")).Output);
        Assert.NotNull(Assert.Single((await life.RunAsync("Get-CmekReceipt shop")).Values<CmekReceipt>()).SupersededAt);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task PastKeysComeBackWithAndWithoutAReceiptAndAfterASecondRevocation(string provider)
    {
        await using TwoMachines two = await TwoMachines.StartAsync(provider);
        Life life = two.First;
        string past = await life.KeyAsync(life.Regions[0]);
        string principal = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync(
            "New-CmekKey shop -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue");

        // Machine 1 revokes; machine 2, without its receipt, restores.
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        (await two.Second.RunAsync("$null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue")).Expect();
        Assert.True(await IsLetInAsync(life, past, principal));

        // Both revoke: the second's receipt holds the cut as what was there; that one restores.
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        (
            await two.Second.RunAsync(
                "$null = Revoke-CmekAccess shop -Force; $null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue")).Expect();
        Assert.True(await IsLetInAsync(life, past, principal));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARestoreEnablesNothingOnADisabledClusterAndRevivesNothingThatWasRetired(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] keys = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        await life.RunAsync(
            "$null = Disable-CmekCluster shop -Confirm:$false -WarningAction SilentlyContinue; $null = Revoke-CmekAccess shop -Force");
        if (life.IsAws)
        {
            await life.Aws.Kms.DisableKeyAsync(keys[0], AwsWire.Cancel);
        }
        else
        {
            await life.Google.OkAsync(
                "PATCH",
                keys[0] + "/cryptoKeyVersions/1?updateMask=state",
                new JsonObject { ["state"] = "DISABLED" });
        }

        await life.TryAsync($"Restore-CmekAccess shop {Option(life)} rescue -WarningAction SilentlyContinue");
        Assert.DoesNotContain(
            life.Writes,
            w => w.EndsWith(":UpdateCmek", StringComparison.Ordinal) || w.EndsWith(":EnableCmek", StringComparison.Ordinal));
        await life.TryAsync("Restore-CmekAccess shop -WarningAction SilentlyContinue");
        Assert.DoesNotContain(life.Writes, w => w.EndsWith(":UpdateCmek", StringComparison.Ordinal));
        Assert.Equal(CmekState.DISABLED, (await life.StatusAsync()).State);
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(keys[0]));
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(keys[1]));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AfterAFailedRotationTheKeyFromBeforeIsTheOneInUse(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string before = await life.KeyAsync(life.Regions[0]);
        CmekAccess next = await FailRotationAsync(life);
        CmekStatus status = await life.StatusAsync();
        Assert.Equal(CmekState.ROTATE_FAILED, status.Regions[0].State);
        Assert.Equal(before, status.Regions[0].KeyUri);
        Assert.NotNull(status.Regions[0].UserMessage);
        CmekKey[] keys = [.. (await life.RunAsync("Get-CmekKey -ClusterName shop")).Values<CmekKey>()];
        Assert.Equal(CmekKeyPlace.InUse, keys.Single(k => k.KeyUri == before).Place);
        Assert.Equal(CmekKeyPlace.Failed, keys.Single(k => k.KeyUri == next.KeyUri).Place);
        Assert.Contains((await life.RunAsync("Test-CmekAccess shop")).Values<CmekCheck>(), c => c.Target == before);

        // A revocation without a receipt: the one in use comes back.
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        Directory.Delete(Path.Combine(life.Shell.StateFolder, "receipts"), recursive: true);
        await life.TryAsync("$null = Restore-CmekAccess shop -WarningAction SilentlyContinue");
        Assert.True(await IsLetInAsync(life, before, status.Regions[0].AuthPrincipal!));

        // And out of the failure: the key in use is tried once more.
        await life.RunAsync("$null = Wait-CmekStatus shop -State ENABLED -TimeoutSeconds 20");
        Assert.Equal(before, (await life.StatusAsync()).Regions[0].KeyUri);
    }

    private static async Task<CmekAccess> FailRotationAsync(Life life)
    {
        CmekAccess next = (
            await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} -NewGeneration | Grant-CmekAccess")).Values<CmekAccess>()[0];
        life.Server.Options = life.Server.Options with { StateTime = TimeSpan.FromHours(1) };
        await life.RunAsync("param($A) $A | Update-CmekCluster -WarningAction SilentlyContinue", new { A = next });

        // Its policy is broken while the service is at it.
        if (life.IsAws)
        {
            string policy = new JsonObject { ["Version"] = "2012-10-17", ["Statement"] = new JsonArray(
                new JsonObject
                {
                    ["Effect"] = "Allow",
                    ["Principal"] = new JsonObject { ["AWS"] = "arn:aws:iam::111122223333:root" },
                    ["Action"] = "kms:*",
                    ["Resource"] = "*",
                }) }.ToJsonString();
            await life.Aws.KmsAs(life.Aws.Aws.Admin, life.Regions[0]).PutKeyPolicyAsync(
                new PutKeyPolicyRequest { KeyId = next.KeyUri, PolicyName = "default", Policy = policy },
                AwsWire.Cancel);
        }
        else
        {
            life.Server.Exclusively(
                () => life.Google.Google.Policies.Put(
                    next.KeyUri!,
                    new JsonObject { ["bindings"] = new JsonArray() },
                    DateTimeOffset.MinValue));
        }

        life.Server.Options = life.Server.Options with { StateTime = TimeSpan.FromMilliseconds(30) };
        for (int looks = 0; looks < 200 && (await life.StatusAsync()).Regions[0].State == CmekState.ROTATING; looks++)
        {
        }

        return next;
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APartialEnablingIsGoneOnWithAndCanBeLeft(string provider)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        CmekAccess[] accesses = [.. (await life.RunAsync("Get-CmekCluster | New-CmekKey | Grant-CmekAccess")).Values<CmekAccess>()];
        CloudCluster cluster = Cluster(life);
        await life.RunAsync("param($A) $A | Enable-CmekCluster -Wait", new { A = accesses });
        Force(life, cluster.Regions[1], WireState.ENABLE_FAILED, inUse: false);
        await life.RunAsync("param($A) $A | Enable-CmekCluster -Wait", new { A = accesses });
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Force(life, cluster.Regions[1], WireState.ENABLE_FAILED, inUse: false);
        await life.RunAsync("$null = Disable-CmekCluster shop -Confirm:$false -WarningAction SilentlyContinue");
        Assert.Equal(CmekState.DISABLED, (await life.StatusAsync()).State);
    }

    internal static CloudCluster Cluster(Life life) => life.Server.Get<CloudApiService>().Store.All.Single(c => c.Name == "shop");

    internal static void Force(Life life, CloudRegion region, WireState state, bool inUse) => life.Server.Exclusively(() =>
    {
        region.Operation = null;
        region.Status = state;
        CloudKey? key = region.Current ?? region.Keys.FirstOrDefault();
        key?.Set(state, DateTimeOffset.UtcNow);
        region.Current = inUse ? key : null;
        return true;
    });

    [Theory]
    [InlineData("AWS", "-AliasName second")]
    [InlineData("GCP", "-KeyRing second")]
    public async Task ThePipelineNeverGoesBackToAPastKey(string provider, string other)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] past = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];
        await life.RunAsync($"New-CmekKey shop {other} | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue");
        string[] now = [await life.KeyAsync(life.Regions[0]), await life.KeyAsync(life.Regions[1])];

        PowerShellResult result = await life.TryAsync(
            "New-CmekKey shop | Grant-CmekAccess | Update-CmekCluster -WarningAction SilentlyContinue");
        Assert.Equal(2, result.Errors.Count(e => e.FullyQualifiedErrorId.StartsWith("KeyLeftBehind,", StringComparison.Ordinal)));
        Assert.Contains(now[0], result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        // Nor by hand, unless it is said.
        string one = $"param($K, $P) Update-CmekCluster shop -Region {life.Regions[0]} -KeyUri $K -AuthPrincipal $P "
            + "-WarningAction SilentlyContinue";
        var back = new { K = past[0], P = (await life.StatusAsync()).Regions[0].AuthPrincipal };
        (await life.TryAsync(one, back)).ExpectError("KeyLeftBehind");
        Assert.Empty(life.Writes);
        await life.RunAsync(one + " -AllowPastKey -Wait", back);
        Assert.Equal(past[0], await life.KeyAsync(life.Regions[0]));

        // Every key is shown, the ones in use first.
        CmekKey[] keys = [.. (await life.RunAsync("Get-CmekKey -ClusterName shop")).Values<CmekKey>()];
        Assert.Equal(["InUse", "InUse", "Past", "Past"], keys.Select(k => k.Place.ToString()));
        Assert.All(keys.Where(k => k.Place == CmekKeyPlace.Past), k => Assert.NotNull(k.RetiredAt));
    }

    [Theory]
    [InlineData("AWS", "g2")]
    [InlineData("GCP", "g2")]
    public async Task TheNextGenerationHasNamesThatSaySoAndIsMadeOnce(string provider, string generation)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekKey[] made = [.. (await life.RunAsync("New-CmekKey shop -NewGeneration")).Values<CmekKey>()];
        Assert.All(made, k => Assert.EndsWith("-" + generation, life.IsAws ? k.Alias : k.KeyUri, StringComparison.Ordinal));

        // Interrupted there: run again, the same keys are gone on with.
        CmekKey[] again = [.. (await life.RunAsync("New-CmekKey shop -NewGeneration")).Values<CmekKey>()];
        Assert.Equal(made.Select(k => k.KeyUri), again.Select(k => k.KeyUri));
        Assert.Empty(life.Writes);
        await life.RunAsync(
            "New-CmekKey shop -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue");
        Assert.Equal(made.Select(k => k.KeyUri), (await life.StatusAsync()).Regions.Select(r => r.KeyUri));
        CmekKey third = (await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} -NewGeneration")).Values<CmekKey>()[0];
        Assert.EndsWith("-g3", life.IsAws ? third.Alias : third.KeyUri, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task OneKeyThatFailsDoesNotKeepTheOtherRegionsDenied(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = await life.StatusAsync();
        foreach (CmekRegionStatus failing in status.Regions)
        {
            await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
            string write = life.IsAws ? "PutKeyPolicy" : "cryptoKeys.setIamPolicy";
            life.Server.Before = r => Task.FromResult(r.Operation == write && (r.Text + r.RawPath).Contains(
                failing.KeyUri!,
                StringComparison.Ordinal)
                ? new SandboxResponse
                {
                    Status = life.IsAws ? 400 : 403,
                    Body = life.IsAws
                        ? """{"__type":"AccessDeniedException","message":"no"}"""
                        : """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""",
                }
                : null);
            PowerShellResult result = await life.TryAsync(
                "$ErrorActionPreference = 'Stop'; Restore-CmekAccess shop -WarningAction SilentlyContinue");
            life.Server.Before = null;
            Assert.NotEmpty(result.Errors);
            foreach (CmekRegionStatus region in status.Regions)
            {
                Assert.Equal(region.Region != failing.Region, await IsLetInAsync(life, region.KeyUri!, region.AuthPrincipal!));
            }

            Assert.DoesNotContain(
                result.Output.Select(o => o.BaseObject).OfType<CmekStep>(),
                s => s.Now.StartsWith("access is back", StringComparison.Ordinal));
            Assert.NotEmpty((await life.RunAsync("Get-CmekReceipt shop -Open")).Output);
            await life.RunAsync("$null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue");
            Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        }
    }

    [Fact]
    public async Task ACutOfAnotherClusterThatSharesTheRoleIsNamedForWhatItIs()
    {
        await using Life life = await Life.StartAsync("AWS", enable: false, change: WithOther);
        await life.RunAsync("$null = New-CmekKey shop | Grant-CmekAccess -RoleName shared | Enable-CmekCluster -Wait");
        string key = await life.KeyAsync("us-east-1");
        await life.RunAsync(
            "param($K) $null = Grant-CmekAccess orders -Region us-east-1 -KeyUri $K -RoleName shared | Enable-CmekCluster -Wait",
            new { K = key });
        await life.RunAsync("$null = Revoke-CmekAccess shop -KeyOnly -Force");
        ErrorRecord error = (
            await life.TryAsync("$null = Restore-CmekAccess orders -WarningAction SilentlyContinue")).ExpectError("PrincipalCutElsewhere");
        Assert.Contains("CmekToolsRevoke", error.Exception.Message, StringComparison.Ordinal);

        // The way out that it names.
        await life.RunAsync(
            "$null = Restore-CmekAccess orders -RoleName own -WarningAction SilentlyContinue; $null = Wait-CmekStatus "
                + "orders -TimeoutSeconds 20");
        Assert.Contains(
            "role/own",
            (await life.RunAsync("(Get-CmekStatus orders).Regions[0].AuthPrincipal")).Values<string>()[0],
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARotationIsPreflightedFirstAndProvedAfterwards(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus status = (
            await life.RunAsync(
                "Update-CmekCluster shop -Rewrap -RotateKey -Wait -WarningAction SilentlyContinue")).Values<CmekStatus>()[0];
        Assert.Equal(2, status.Rotations.Count);
        Assert.All(
            status.Rotations,
            r => Assert.True(r.After is not null && r.After != r.Before && r.At > DateTimeOffset.UtcNow.AddMinutes(-5), r.ToString()));

        // A cluster that could not use the new version gets none.
        await life.RunAsync("$null = Revoke-CmekAccess shop -KeyOnly -Force");
        (await life.TryAsync("Update-CmekCluster shop -Rewrap -RotateKey")).ExpectError("PreflightFailed");
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task TheLastOnDemandRotationIsNotFollowedByARaisedQuota()
    {
        await using Life life = await Life.StartAsync("AWS");
        JsonArray rotations =
        [
            .. Enumerable.Range(0, 25).Select(
                i => (JsonNode)new JsonObject { ["KeyId"] = "k", ["RotationDate"] = 1.7e9 + i, ["RotationType"] = "ON_DEMAND" }),
        ];
        life.Server.Before = r => Task.FromResult(
            r.Operation == "ListKeyRotations"
                ? new SandboxResponse
                {
                    Status = 200,
                    Body = new JsonObject { ["Rotations"] = rotations.DeepClone(), ["Truncated"] = false }.ToJsonString(),
                }
                : null);
        ErrorRecord error = (await life.TryAsync("Update-CmekCluster shop -Rewrap -RotateKey")).ExpectError("RotationLimitReached");
        Assert.Contains("25", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("-NewGeneration", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", "Grant-CmekAccess -ServiceAccount x@p-12345.iam.gserviceaccount.com", "-ServiceAccount")]
    [InlineData("GCP", "Grant-CmekAccess -RoleName x", "-RoleName")]
    [InlineData("AWS", "Restore-CmekAccess -ServiceAccount x", "-ServiceAccount")]
    [InlineData("GCP", "Restore-CmekAccess -RoleName x", "-RoleName")]
    [InlineData("AWS", "New-CmekKey -KeyRing x", "-KeyRing")]
    [InlineData("GCP", "New-CmekKey -AliasName x", "-AliasName")]
    [InlineData("AWS", "Revoke-CmekAccess -Force -DisablePrincipal", "-DisablePrincipal")]
    [InlineData("GCP", "Revoke-CmekAccess -Force -PendingWindowInDays 7", "-PendingWindowInDays")]
    [InlineData("GCP", "Remove-CmekKey -PendingWindowInDays 7", "-PendingWindowInDays")]
    public async Task AParameterOfTheOtherCloudIsAnErrorAndNotDropped(string provider, string command, string named)
    {
        await using Life life = await Life.StartAsync(provider);
        string source = command.Split('-')[0] is "Grant" or "Remove" ? "Get-CmekKey -ClusterName shop" : "Get-CmekCluster shop";
        PowerShellResult result = await life.TryAsync(
            $"{source} | {command}{(command.Contains("-Force", StringComparison.Ordinal) ? string.Empty : " -Confirm:$false")}");
        Assert.NotEmpty(result.Errors);
        Assert.All(result.Errors, e => Assert.StartsWith("ParameterOfOtherCloud,", e.FullyQualifiedErrorId, StringComparison.Ordinal));
        Assert.Contains(named, result.Errors[0].Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhoCameSinceTheReceiptIsShownAndAskedAbout(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        string stranger = life.IsAws
            ? "arn:aws:iam::111122223333:role/stranger"
            : "serviceAccount:stranger@customer-project.iam.gserviceaccount.com";
        if (life.IsAws)
        {
            await life.Aws.RoleAsync("stranger", Trust);
            Amazon.KeyManagementService.AmazonKeyManagementServiceClient kms = life.Aws.KmsAs(life.Aws.Aws.Admin, life.Regions[0]);
            JsonObject policy = JsonNode.Parse((await kms.GetKeyPolicyAsync(key, "default", AwsWire.Cancel)).Policy)!.AsObject();
            policy["Statement"]!.AsArray().Add(
                new JsonObject
                {
                    ["Sid"] = "Extra",
                    ["Effect"] = "Allow",
                    ["Principal"] = new JsonObject { ["AWS"] = stranger },
                    ["Action"] = "kms:Decrypt",
                    ["Resource"] = "*",
                });
            await kms.PutKeyPolicyAsync(
                new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.ToJsonString() },
                AwsWire.Cancel);
        }
        else
        {
            await life.Google.OkAsync("POST", $"projects/{GcpWire.Project}/serviceAccounts", new JsonObject { ["accountId"] = "stranger" });
            life.Bind(key, "roles/cloudkms.cryptoKeyDecrypter", stranger);
        }

        string other = await life.KeyAsync(life.Regions[1]);
        if (life.IsAws)
        {
            // A grant lets its grantee in beside every policy, and comes since the receipt like a statement.
            await life.Aws.KmsAs(life.Aws.Aws.Admin, life.Regions[1]).CreateGrantAsync(
                new CreateGrantRequest { KeyId = other, GranteePrincipal = stranger, Operations = ["Decrypt"] }, AwsWire.Cancel);
        }

        CmekRestorePlan[] plan = [.. (await life.RunAsync("Get-CmekReceipt shop -Open | Test-CmekAccess")).Values<CmekRestorePlan>()];
        Assert.Equal(2, plan.Length);
        Assert.Contains("stranger", Assert.Single(plan, p => p.KeyUri == key).Newcomers[0], StringComparison.Ordinal);
        Assert.Equal(
            life.IsAws,
            Assert.Single(plan, p => p.KeyUri == other).Newcomers.Any(n => n.Contains("the grant", StringComparison.Ordinal)));
        PowerShellResult whatIf = await life.RunAsync("Restore-CmekAccess shop -WhatIf");
        Assert.Equal(plan.Select(p => p.ToString()), whatIf.Values<CmekRestorePlan>().Select(p => p.ToString()));
        Assert.Empty(life.Writes);

        life.Shell.Shell.Answer("N");
        await life.RunAsync("Restore-CmekAccess shop -WarningAction SilentlyContinue");
        Assert.Contains("stranger", life.Shell.Shell.Host.Questions[^1].Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        await life.RunAsync("$null = Restore-CmekAccess shop -AcceptChanges -Wait -WarningAction SilentlyContinue");
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatWasCutByBeingDisabledDoesNotLetAReplacedPrincipalInAgain(string provider)
    {
        await using TwoMachines two = await TwoMachines.StartAsync(provider);
        Life life = two.First;
        string key = await life.KeyAsync(life.Regions[0]);
        string replaced = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync($"$null = Restore-CmekAccess shop {Option(life)} second -Wait -WarningAction SilentlyContinue");
        Assert.True(await IsLetInAsync(life, key, replaced), "it has been replaced, and nobody has cut it off yet");

        // The policy cannot be written: the key is disabled, which cuts both. It is given back where there is no receipt.
        string write = life.IsAws ? "PutKeyPolicy" : "cryptoKeys.setIamPolicy";
        life.Server.Before = r => Task.FromResult(r.Operation == write ? new SandboxResponse
        {
            Status = life.IsAws ? 400 : 403,
            Body = life.IsAws
                ? """{"__type":"AccessDeniedException","message":"no"}"""
                : """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""",
        }
        : null);
        await life.TryAsync("$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(key));

        // As long as it cannot be kept out, the key stays off.
        Assert.NotEmpty((await two.Second.RunAsync("$null = Restore-CmekAccess shop -WarningAction SilentlyContinue")).Errors);
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(key));
        life.Server.Before = null;
        (await two.Second.RunAsync("$null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue")).Expect();
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.False(await IsLetInAsync(life, key, replaced));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AnotherMachineSeesWhatWasCutAndLetsNobodyInByAGrant(string provider)
    {
        await using TwoMachines two = await TwoMachines.StartAsync(provider);
        Life life = two.First;
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        await life.RunAsync("$null = Revoke-CmekAccess shop -KeyOnly -Force");

        // There is no receipt here, and the service says ENABLED: the key itself says that it was cut.
        PowerShellResult result = await two.Second.RunAsync("New-CmekKey shop | Grant-CmekAccess");
        Assert.Equal(2, result.Errors.Count(e => e.FullyQualifiedErrorId.StartsWith("AccessRevoked,", StringComparison.Ordinal)));
        Assert.False(await IsLetInAsync(life, region.KeyUri!, region.AuthPrincipal!));

        // Nor to other keys, under which the cluster would go on as if nobody had cut it off.
        result = await two.Second.RunAsync("New-CmekKey shop -NewGeneration | Grant-CmekAccess");
        Assert.Equal(2, result.Errors.Count(e => e.FullyQualifiedErrorId.StartsWith("AccessRevoked,", StringComparison.Ordinal)));
        Assert.Contains(
            "-RoleName",
            (life.IsAws ? result.Errors[0].ErrorDetails.RecommendedAction : "-RoleName"),
            StringComparison.Ordinal);
        (await two.Second.RunAsync("$null = Restore-CmekAccess shop -WarningAction SilentlyContinue")).Expect();
        Assert.True(await IsLetInAsync(life, region.KeyUri!, region.AuthPrincipal!));
        CmekAccess[] accesses = [.. (await two.Second.RunAsync("New-CmekKey shop | Grant-CmekAccess")).Expect().Values<CmekAccess>()];
        Assert.All(accesses, a => Assert.False(a.Changed));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARevocationThatTheServiceFailsAtIsToldAndCanBeGoneOnWithAndUndone(string provider)
    {
        await using Life life = await Life.StartAsync(provider, change: o => o with { RevokeFails = true });
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        Assert.NotEmpty(result.Errors);
        CmekStep last = result.Values<CmekStep>()[^1];
        Assert.Equal((true, false), (last.KeyCut, last.Revoked));
        CmekStatus status = await life.StatusAsync();
        Assert.Equal(CmekState.REVOKE_FAILED, status.State);
        Assert.All(status.Regions, r => Assert.Equal(CmekKeyPlace.InUse, r.Current!.Place));
        Assert.Contains("could not be reached", string.Join(' ', status.Regions.Select(r => r.UserMessage)), StringComparison.Ordinal);

        life.Server.Options = life.Server.Options with { RevokeFails = false };
        last = (await life.RunAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()[^1];
        Assert.Equal((true, true), (last.KeyCut, last.Revoked));
        await life.RunAsync("$null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue");
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ADryRunOfRemovingAKeySaysItOnce(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string key = (await life.RunAsync($"(New-CmekKey shop -Region {life.Regions[0]} -NewGeneration).KeyUri")).Values<string>()[0];
        await life.RunAsync("param($Uri) $null = Remove-CmekKey $Uri -WhatIf", new { Uri = key });
        string text = life.Shell.Shell.Host.TakeText();
        Assert.True(text.Split("What if:").Length == 2, text);
        Assert.Contains(key, text.ReplaceLineEndings(string.Empty), StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARotationThatWasInterruptedIsGoneOnWithAndSaysSo(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        life.Server.Before = r => Task.FromResult(
            r.Operation == "UpdateCmek"
                ? new SandboxResponse { Status = 400, Body = """{"code":3,"message":"not today","details":[]}""" }
                : null);
        Assert.NotEmpty((await life.TryAsync("Update-CmekCluster shop -Rewrap -RotateKey")).Errors);
        life.Server.Before = null;
        PowerShellResult result = await life.RunAsync("Update-CmekCluster shop -Rewrap -RotateKey -Wait");
        Assert.DoesNotContain(
            life.Writes,
            w => w.Contains("Rotate", StringComparison.Ordinal) || w.Contains("cryptoKeyVersions", StringComparison.Ordinal));
        Assert.Equal(
            2,
            result.Warnings.Count(
                w => w.Contains("it is not rotated again", StringComparison.Ordinal) && w.Contains("24 hours", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("AWS", false)]
    [InlineData("GCP", false)]
    [InlineData("AWS", true)]
    [InlineData("GCP", true)]
    public async Task APrincipalThatWasCutOffIsNotLetInToAKeyOfAnotherCluster(string provider, bool replaced)
    {
        // A machine that has seen nothing of it: what the service lists and the keys say is enough.
        await using TwoMachines two = await TwoMachines.StartAsync(provider, WithOther);
        Life life = two.First;
        string region = life.Regions[0];
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync("$null = Revoke-CmekAccess shop -KeyOnly -Force");
        if (replaced)
        {
            await life.RunAsync($"$null = Restore-CmekAccess shop {Option(life)} rescue -WarningAction SilentlyContinue");
        }

        string name = life.IsAws ? burnt.Split('/')[^1] : burnt;
        string key = (
            await life.RunAsync($"(New-CmekKey orders -Region {region} -NewGeneration).KeyUri")).Values<string>()[0];
        life.Server.ClearExchanges();
        ErrorRecord error = (
            await two.Second.RunAsync(
                $"param($P, $K) Grant-CmekAccess orders -Region {region} -KeyUri $K {Option(life)} $P",
                new { P = name, K = key })).ExpectError("AccessRevoked");
        Assert.Contains("shop", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        Assert.False(await IsLetInAsync(life, key, burnt));

        // Any other principal is let in.
        (
            await two.Second.RunAsync(
                $"param($K) $null = Grant-CmekAccess orders -Region {region} -KeyUri $K {Option(life)} orders-two",
                new { K = key })).Expect();
    }

    [Fact]
    public async Task AnAccountThatWasCutOffIsNotLetInByAGrantToAnotherCluster()
    {
        await using Life life = await Life.StartAsync("GCP", change: WithOther);
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        await life.RunAsync("$null = Revoke-CmekAccess shop -Force");
        ErrorRecord error = (await life.TryAsync(
            $"param($K, $P) Grant-CmekAccess orders -Region {region.Region} -KeyUri $K -ServiceAccount $P",
            new { K = region.KeyUri, P = region.AuthPrincipal })).ExpectError("AccessRevoked");
        Assert.Contains("-ClusterName shop ", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.False(await IsLetInAsync(life, region.KeyUri!, region.AuthPrincipal!));
        Assert.Empty(life.Writes);
    }
}
