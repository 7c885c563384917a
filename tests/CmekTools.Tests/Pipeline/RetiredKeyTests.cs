using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// Past keys that a revocation for good switched off come back with the cluster on whatever machine it is restored; those that
/// somebody retired on purpose stay as they are.
/// </summary>
public sealed class RetiredKeyTests
{
    private const string Move = "-NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait -WarningAction SilentlyContinue";

    private const string Revoke = "$null = Revoke-CmekAccess shop -Permanent -ConfirmClusterName shop -Force";

    private const string Restore = "$null = Restore-CmekAccess shop -Wait -WarningAction SilentlyContinue";

    [Theory]
    [InlineData("AWS", "")]
    [InlineData("GCP", "")]
    [InlineData("AWS", "-RoleName rescue")]
    [InlineData("GCP", "-ServiceAccount rescue")]
    public async Task AnotherMachineBringsBackWhatTheRevocationSwitchedOffAndNothingElse(string provider, string principal)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string region = life.Regions[0];
        string onPurpose = await life.KeyAsync(region);
        await life.RunAsync($"New-CmekKey shop -Region {region} -EnableRotation {Move}");
        string ours = await life.KeyAsync(region);
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        await RetireAsync(life, onPurpose);

        await life.RunAsync(Revoke);
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(ours));
        (await second.RunAsync($"$null = Restore-CmekAccess shop {principal} -Wait -WarningAction SilentlyContinue")).Expect();
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(ours));
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(onPurpose));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.DoesNotContain("revoked", await MarksAsync(life, ours), StringComparison.Ordinal);
        Assert.True((await GetAsync(life, ours)).RotationEnabled);

        // Retired on purpose since: the first machine's journal, which knows of its own revocation only, brings it back no more.
        await RetireAsync(life, ours);
        await life.TryAsync("$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        await life.TryAsync(Restore);
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(ours));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WithoutTheMarkTheOwnMachineBringsItBackAndAnotherSaysThatItDoesNot(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string region = life.Regions[0];
        string past = await life.KeyAsync(region);
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        life.Server.Before = request => Task.FromResult(IsMark(request) ? Refused(life) : null);
        PowerShellResult revoked = await life.TryAsync(Revoke);
        Assert.Contains(revoked.Warnings, w => w.Contains("could not be marked", StringComparison.Ordinal));
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));

        PowerShellResult elsewhere = (await second.RunAsync("$null = Restore-CmekAccess shop -Wait")).Expect();
        Assert.Contains(
            elsewhere.Warnings,
            w => w.Contains(past, StringComparison.Ordinal) && w.Contains("left so", StringComparison.Ordinal));
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));
        await life.RunAsync(Restore);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APastKeyThatWasDisabledBecauseItsPolicyCouldNotBeWrittenComesBackElsewhere(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string region = life.Regions[0];
        string past = await life.KeyAsync(region);
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        life.Server.Before = r => Task.FromResult(
            r.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy"
                && (r.Text + Uri.UnescapeDataString(r.RawPath)).Contains(past, StringComparison.Ordinal)
                ? Refused(life)
                : null);
        await life.TryAsync("$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(past));
        life.Server.Before = null;
        (await second.RunAsync(Restore)).Expect();
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
        Assert.DoesNotContain("revoked", await MarksAsync(life, past), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS", "-RoleName")]
    [InlineData("GCP", "-ServiceAccount")]
    public async Task APastKeyComesBackAlsoWhereOnlyAReplacedPrincipalIsKnownForIt(string provider, string option)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string region = life.Regions[0];
        string past = await life.KeyAsync(region);
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        await life.RunAsync(
            $"$null = Revoke-CmekAccess shop -Force; $null = Restore-CmekAccess shop {option} rescue -Wait "
                + "-WarningAction SilentlyContinue");
        (await second.RunAsync(Revoke)).Expect();
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));

        await life.RunAsync(Restore);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
        Assert.DoesNotContain("revoked", await MarksAsync(life, past), StringComparison.Ordinal);
        Assert.NotNull(TryUse(life, "shop", past, burnt));
    }

    [Theory]
    [InlineData("AWS", true)]
    [InlineData("AWS", false)]
    [InlineData("GCP", true)]
    [InlineData("GCP", false)]
    public async Task APastKeyThatWasDisabledBeforeTheRevocationIsRescuedAndStaysDisabled(string provider, bool elsewhere)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string region = life.Regions[0];
        string past = await life.KeyAsync(region);
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        await DisableAsync(life, past);
        await life.RunAsync(Revoke);
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));

        PowerShellResult result = (
            await (elsewhere ? second : life.Shell).RunAsync("$null = Restore-CmekAccess shop -Wait")).Expect();
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(past));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.Contains(
            result.Warnings,
            w => w.Contains(past, StringComparison.Ordinal) && w.Contains("left so", StringComparison.Ordinal));
        Assert.DoesNotContain("revoked", await MarksAsync(life, past), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatAnEarlierRunSwitchedOffWithoutAMarkWasOnBefore(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string past = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} {Move}");
        life.Server.Before = r => Task.FromResult(
            IsMark(r)
                || (
                    r.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy"
                        && (r.Text + Uri.UnescapeDataString(r.RawPath)).Contains(past, StringComparison.Ordinal))
                ? Refused(life)
                : null);
        await life.TryAsync("$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(past));
        life.Server.Before = null;
        await life.RunAsync(Revoke);
        Assert.Contains("revoked", await MarksAsync(life, past), StringComparison.Ordinal);

        (await second.RunAsync(Restore)).Expect();
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatTheJournalKnowsToBeBackAndIsOffSinceStaysOff(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string past = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync($"New-CmekKey shop -Region {life.Regions[0]} {Move}");

        // Without a mark on the key the journal alone tells.
        life.Server.Before = r => Task.FromResult(IsMark(r) ? Refused(life) : null);
        await life.TryAsync(Revoke + " -WarningAction SilentlyContinue");
        life.Server.Before = null;
        await life.RunAsync(Restore);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));

        await RetireAsync(life, past);
        await life.TryAsync("$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        await life.TryAsync(Restore);
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(past));
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APastKeyThatCannotBeReadKeepsTheClusterFromNothing(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string past = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync(
            $"New-CmekKey shop -Region {life.Regions[0]} {Move}; $null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue");
        life.Server.Before = r => Task.FromResult(
            r.Operation is "DescribeKey" or "cryptoKeys.get"
                && (r.Text.Contains(past, StringComparison.Ordinal) || r.RawPath.Split('?')[0].EndsWith(past, StringComparison.Ordinal))
                    ? Refused(life)
                    : null);
        await life.TryAsync(Restore);
        life.Server.Before = null;
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.All(
            (await life.StatusAsync()).Regions,
            r => Assert.Null(TryUse(life, "shop", r.KeyUri!, r.AuthPrincipal!)));
    }

    [Theory]
    [InlineData("AWS", "-RoleName")]
    [InlineData("GCP", "-ServiceAccount")]
    public async Task WhoForgesTheMarkOfARevocationHasAPastKeyEnabledAndNobodyLetInWhoWasCutOff(string provider, string option)
    {
        await using Life life = await Life.StartAsync(provider);
        string region = life.Regions[0];
        string past = await life.KeyAsync(region);
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        string none = (
            await life.RunAsync(
                $"(New-CmekKey shop -Region {region} {(life.IsAws ? "-AliasName" : "-KeyRing")} spare).KeyUri")).Values<string>()[0];
        await life.RunAsync($"New-CmekKey shop -Region {region} {Move}");
        await DisableAsync(life, past);
        await DisableAsync(life, none);
        await life.RunAsync(
            "$null = Revoke-CmekAccess shop -Force -WarningAction SilentlyContinue; "
                + $"$null = Restore-CmekAccess shop {option} rescue -Wait -WarningAction SilentlyContinue");
        await ForgeAsync(life, past);
        await ForgeAsync(life, none);
        await life.RunAsync(Restore);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(past));
        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(none));
        Assert.NotNull(TryUse(life, "shop", past, burnt));
    }

    private static async Task ForgeAsync(Life life, string key)
    {
        string id = life.Server.Get<CloudApiService>().IdOf("shop");
        if (life.IsAws)
        {
            await life.Aws.KmsAs(life.Aws.Aws.Admin, key.Split(':')[3]).TagResourceAsync(
                new TagResourceRequest { KeyId = key, Tags = [new Tag { TagKey = "cmektools:revoked", TagValue = id }] },
                AwsWire.Cancel);
            return;
        }

        JsonObject labels = new() { ["cmektools-revoked"] = id };
        foreach ((string name, string value) in (await GetAsync(life, key)).Tags)
        {
            labels[name] = value;
        }

        await life.Google.OkAsync("PATCH", $"{key}?updateMask=labels", new JsonObject { ["labels"] = labels });
    }

    [Fact]
    public async Task AVersionThatWasDestroyedOnPurposeIsNotRescuedOnAnotherMachine()
    {
        await using Life life = await Life.StartAsync("GCP");
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string key = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("$null = Update-CmekCluster shop -Rewrap -RotateKey -Wait -WarningAction SilentlyContinue");
        await life.Google.OkAsync("POST", key + "/cryptoKeyVersions", new JsonObject());
        await life.Google.OkAsync("POST", key + "/cryptoKeyVersions", new JsonObject());
        await life.Google.OkAsync("POST", key + "/cryptoKeyVersions/1:destroy", new JsonObject());
        await DisableAsync(life, key, 3);
        await life.RunAsync(Revoke);
        Assert.Equal(["1 DESTROY_SCHEDULED", "2 DESTROY_SCHEDULED", "3 DESTROY_SCHEDULED", "4 DESTROY_SCHEDULED"], Versions());

        PowerShellResult result = (await second.RunAsync("$null = Restore-CmekAccess shop -Wait")).Expect();
        Assert.Contains(result.Warnings, w => w.Contains("stay so: 1. gcloud", StringComparison.Ordinal));
        Assert.Equal(["1 DESTROY_SCHEDULED", "2 ENABLED", "3 DISABLED", "4 ENABLED"], Versions());
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
        Assert.DoesNotContain("revoked", await MarksAsync(life, key), StringComparison.Ordinal);

        string[] Versions() => life.Server.Exclusively(
            () => life.Google.Google.Keys.Single(k => k.Name == key).Versions.Select(v => $"{v.Id} {v.State}").ToArray());
    }

    [Theory]
    [InlineData("AWS", "-RoleName", true)]
    [InlineData("AWS", "-RoleName", false)]
    [InlineData("GCP", "-ServiceAccount", true)]
    public async Task AKeyThatComesBackDoesNotLetInWhomARevocationOfAnotherClusterCutOff(string provider, string option, bool replaced)
    {
        await using Life life = await Life.StartAsync(
            provider,
            change: o => o with { Clusters = [.. o.Clusters, new SandboxClusterOptions("orders", provider, [o.Clusters[0].Regions[0]])] });
        await using SandboxShell second = await SandboxShell.StartAsync(server: life.Server);
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        string key = (await life.RunAsync("(Get-CmekStatus orders).Regions[0].KeyUri")).Values<string>()[0];
        await life.RunAsync($"param($K) $null = Grant-CmekAccess shop -Region {life.Regions[0]} -KeyUri $K", new { K = key });
        Assert.Null(TryUse(life, "shop", key, burnt));

        // The key is off while shop's principal is cut off, so that no cut of it is in the key's policy.
        string permanent = "$null = Revoke-CmekAccess orders -Permanent -ConfirmClusterName orders -Force";
        string replace = replaced
            ? $"; $null = Restore-CmekAccess shop {option} rescue -Wait -WarningAction SilentlyContinue"
            : string.Empty;
        (await second.RunAsync(permanent)).Expect();
        await life.RunAsync($"$null = Revoke-CmekAccess shop -Force{replace}");
        string restore = "Restore-CmekAccess orders -Wait -WarningAction SilentlyContinue";
        PowerShellResult result = (await second.RunAsync(restore)).Expect();
        Assert.StartsWith("access is back", result.Values<CmekStep>()[^1].Now, StringComparison.Ordinal);
        Assert.NotNull(TryUse(life, "shop", key, burnt));
        Assert.DoesNotContain(
            "serviceAccount:" + burnt,
            life.IsAws ? string.Empty : life.Google.Google.Policies.Get(key).ToJsonString(),
            StringComparison.Ordinal);
        Assert.Null(
            TryUse(
                life,
                "orders",
                key,
                (await second.RunAsync("Get-CmekStatus orders")).Values<CmekStatus>()[0].Regions[0].AuthPrincipal!));
    }

    private static object? TryUse(Life life, string cluster, string key, string principal) => life.Server.Exclusively(object? () =>
    {
        CloudCluster one = life.Server.Get<CloudApiService>().Store.All.Single(c => c.Name == cluster);
        ClusterIdentity identity = new(one.Id, one.AccountId, life.Server.Options.OrganizationId);
        return life.IsAws
            ? life.Server.Get<AwsService>().TryUse(identity, key, principal)
            : life.Server.Get<GcpService>().TryUse(identity, key, principal);
    });

    private static bool IsMark(SandboxRequest request) =>
        request.Operation is "TagResource" or "cryptoKeys.patch"
            && (
                request.Text.Contains("cmektools:revoked", StringComparison.Ordinal)
                    || request.Text.Contains("cmektools-revoked", StringComparison.Ordinal));

    private static SandboxResponse Refused(Life life) => new()
    {
        Status = life.IsAws ? 400 : 403,
        Body = life.IsAws
            ? """{"__type":"AccessDeniedException","message":"no"}"""
            : """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""",
    };

    // By the cloud's own console, as it were: Remove-CmekKey refuses while a cluster lists the key.
    private static async Task RetireAsync(Life life, string key)
    {
        if (life.IsAws)
        {
            await life.Aws.KmsAs(life.Aws.Aws.Admin, key.Split(':')[3]).ScheduleKeyDeletionAsync(
                new ScheduleKeyDeletionRequest { KeyId = key, PendingWindowInDays = 30 },
                AwsWire.Cancel);
            return;
        }

        await life.Google.OkAsync("POST", key + "/cryptoKeyVersions/1:destroy", new JsonObject());
    }

    private static async Task DisableAsync(Life life, string key, int version = 1)
    {
        if (life.IsAws)
        {
            await life.Aws.KmsAs(life.Aws.Aws.Admin, key.Split(':')[3]).DisableKeyAsync(key, AwsWire.Cancel);
            return;
        }

        await life.Google.OkAsync(
            "PATCH",
            $"{key}/cryptoKeyVersions/{version}?updateMask=state",
            new JsonObject { ["state"] = "DISABLED" });
    }

    private static async Task<CmekKey> GetAsync(Life life, string key) =>
        Assert.Single((await life.Shell.RunAsync("param($Uri) Get-CmekKey $Uri", new { Uri = key })).Expect().Values<CmekKey>());

    private static async Task<string> MarksAsync(Life life, string key) => string.Join(' ', (await GetAsync(life, key)).Tags.Keys);

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatIsOffIsNotGivenOutByNewCmekKeyAndNothingOfItIsChanged(string provider)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        string region = life.Regions[0];
        string uri = Assert.Single((await life.RunAsync($"New-CmekKey shop -Region {region} -NoRotation")).Values<CmekKey>()).KeyUri!;
        if (life.IsAws)
        {
            await life.Aws.KmsAs(life.Aws.Aws.Admin, region).DisableKeyAsync(uri, AwsWire.Cancel);
        }
        else
        {
            await life.Google.OkAsync("PATCH", $"{uri}/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        }

        (await life.TryAsync($"New-CmekKey shop -Region {region} -EnableRotation -Tag @{{ team = 'x' }}")).ExpectError("KeyDisabled,");
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", "cmektools:cluster-id", "TagInvalid,")]
    [InlineData("GCP", "cmektools-cluster-id", "LabelInvalid,")]
    public async Task OurOwnMarksAreNotGivenAsTags(string provider, string name, string error)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        (await life.TryAsync($"New-CmekKey shop -Region {life.Regions[0]} -Tag @{{ '{name}' = 'x' }}")).ExpectError(error);
        (await life.TryAsync($"New-CmekKey shop -Region {life.Regions[0]} -Tag @{{ '{name}' = 'x' }} -WhatIf")).ExpectError(error);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task APlannedKeySaysWhatTheKeyWillBe(string provider)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        string command = $"New-CmekKey shop -Region {life.Regions[0]} -Tag @{{ team = 'x' }}";
        CmekKey planned = Assert.Single((await life.RunAsync($"{command} -WhatIf")).Values<CmekKey>());
        CmekKey made = Assert.Single((await life.RunAsync(command)).Values<CmekKey>());
        Assert.Equal(
            (made.RotationEnabled, made.RotationPeriodDays, made.KeySpec, made.KeyUsage, made.MultiRegion, made.Region),
            (planned.RotationEnabled, planned.RotationPeriodDays, planned.KeySpec, planned.KeyUsage, planned.MultiRegion, planned.Region));
        Assert.Equal(made.Tags.OrderBy(t => t.Key), planned.Tags.OrderBy(t => t.Key));
    }
}
