using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>What ended a break-glass half way, or made it claim a cut that was none: a row each.</summary>
public sealed class TableTests
{
    [Fact]
    public async Task CredentialsThatFailAreEachKeysOwnFailureAndTheServiceIsToldAllTheSame()
    {
        await using Life life = await Life.StartAsync("AWS");
        using TempFolder folder = new();
        string config = folder.Write("config", "[default]\nregion = us-east-1\ncredential_process = /bin/false\n");
        const string script = """
            $ErrorActionPreference = 'Continue'
            Import-Module $env:CMEKTOOLS_MODULE
            $environment = [Collections.Generic.Dictionary[string, string]]::new()
            $environment['COCKROACH_API_KEY'] = $env:TEST_API_KEY
            $null = Connect-CmekCloud -Sandbox ([CmekTools.CmekSandbox]@{
                BaseAddress = $env:TEST_ADDRESS; Environment = $environment }) -StateFolder $env:TEST_STATE
            Revoke-CmekAccess shop -Force -NoWait 2>&1 | ForEach-Object {
                if ($_ -is [CmekTools.CmekStep]) { "$($_.Step): $($_.Result)" } else { "ERROR $($_.FullyQualifiedErrorId)" } }
            """;
        FinishedProgram run = await ExternalProgram.PwshAsync(["-NoProfile", "-NonInteractive", "-Command", script],
        [
            ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest),
            ("TEST_ADDRESS", life.Server.BaseAddress.ToString()),
            ("TEST_API_KEY", life.Server.Environment["COCKROACH_API_KEY"]),
            ("TEST_STATE", Path.Combine(folder.Path, "state")),
            ("AWS_CONFIG_FILE", config),
            ("AWS_SHARED_CREDENTIALS_FILE", config),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ACCESS_KEY_ID", null),
            ("AWS_SECRET_ACCESS_KEY", null),
            ("AWS_PROFILE", null),
        ]);
        Assert.NotEqual(0, run.Code);
        Assert.Equal(2, run.Output.Split('\n').Count(l => l.StartsWith("Cut: NOT cut", StringComparison.Ordinal)));
        Assert.Contains("Revoke: the service has taken the REVOKE", run.Output, StringComparison.Ordinal);
        Assert.Contains("ERROR AwsCredentialsMissing", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("BreakGlassFault", run.Output, StringComparison.Ordinal);
        Assert.Contains("cloud:UpdateCmekStatus", life.Writes);
    }

    [Theory]
    [InlineData("\"x\"")]
    [InlineData("[]")]
    [InlineData("{\"expression\":7}")]
    public async Task ABindingWithAConditionOfNoKnownFormEndsNothing(string condition)
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string project = string.Join('/', region.KeyUri!.Split('/')[..2]);
        life.Bind(project, "roles/cloudkms.cryptoKeyDecrypter", "user:somebody@example.com");
        life.Server.Exclusively(
            () => life.Google.Google.Policies.Get(project)["bindings"]!.AsArray()[^1]!["condition"] = JsonNode.Parse(condition));
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Equal(2, steps.Count(s => s.Step == "Proof"));
        Assert.Contains(steps, s => s.Step == "Revoked");
        Assert.DoesNotContain(steps, s => s.Result.StartsWith("NOT cut", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("dead")]
    [InlineData("full")]
    public async Task APolicyThatCannotBeWrittenAsItIsIsCutByTheNextRung(string defect)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        if (defect == "dead")
        {
            string gone = await life.Aws.RoleAsync("gone");
            await EditAsync(life, key, p => p["Statement"]!.AsArray().Add(AwsWire.Statement("Allow", gone, "kms:DescribeKey")));
            await life.Aws.IamAsync("DeleteRole", ("RoleName", "gone"));
        }
        else
        {
            await EditAsync(life, key, ReadinessTests.Fill);
        }

        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        Assert.Equal((true, true), (result.Values<CmekStep>()[^1].KeyCut, result.Values<CmekStep>()[^1].Revoked));
        Assert.Equal(defect == "dead" ? CmekKeyState.Enabled : CmekKeyState.Disabled, await life.KeyStateAsync(key));
        Assert.Contains(
            result.Warnings,
            w => w.Contains(
                defect == "dead" ? "ids of deleted" : "was disabled, because its policy could not be changed",
                StringComparison.Ordinal));
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop -Wait");
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(key));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("the account", "Open")]
    [InlineData("everybody", "Open")]
    [InlineData("the account, elsewhere", "Cut")]
    [InlineData("the account, denied", "Cut")]
    public async Task AKeyPolicyThatNamesTheClustersOwnAccountIsNotCutByCuttingTheRole(string who, string expected)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        string account = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>()).AccountId!;
        JsonObject statement = AwsWire.Statement("Allow", who == "everybody" ? "*" : $"arn:aws:iam::{account}:root", "kms:Decrypt");
        statement["Sid"] = "Vendor";
        if (who == "the account, elsewhere")
        {
            statement["Condition"] = new JsonObject { ["StringEquals"] = new JsonObject { ["aws:RequestedRegion"] = "ap-south-1" } };
        }

        await EditAsync(life, key, p =>
        {
            p["Statement"]!.AsArray().Add(statement);
            if (who == "the account, denied")
            {
                JsonObject deny = AwsWire.Statement("Deny", $"arn:aws:iam::{account}:root", "kms:*");
                p["Statement"]!.AsArray().Add(deny);
            }
        });
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        CmekStep proof = Assert.Single(result.Values<CmekStep>(), s => s.Step == "Proof" && s.KeyUri == key);
        Assert.Equal(expected, proof.CutState.ToString());
        Assert.Equal(expected == "Cut", result.Values<CmekStep>()[^1].KeyCut == true);
        if (expected != "Cut")
        {
            Assert.Contains(
                "the statement Vendor of the key policy lets the cluster's own account",
                Assert.Single(result.Errors).Exception.Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AGrantToTheClusterIsRevokedAndComesBackAndNobodyElsesIsTouched()
    {
        await using Life life = await Life.StartAsync("AWS");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string other = await life.Aws.RoleAsync("other");
        CreateGrantRequest own = new()
        {
            KeyId = region.KeyUri,
            GranteePrincipal = region.AuthPrincipal,
            Operations = ["Decrypt", "GenerateDataKey"],
            Name = "cluster",
            Constraints = new GrantConstraints { EncryptionContextSubset = new() { ["app"] = "shop" } },
        };
        await life.Aws.Kms.CreateGrantAsync(own, AwsWire.Cancel);
        await life.Aws.Kms.CreateGrantAsync(
            new CreateGrantRequest { KeyId = region.KeyUri, GranteePrincipal = other, Operations = ["Decrypt"] },
            AwsWire.Cancel);
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force")).Values<CmekStep>()];
        Assert.Contains(steps, s => s.Step == "Grant" && s.Result.StartsWith("revoke the grant", StringComparison.Ordinal));
        Assert.Contains(other, Assert.Single(steps, s => s.Step == "Proof" && s.KeyUri == region.KeyUri).Result, StringComparison.Ordinal);
        Assert.Equal(other, Assert.Single(await GrantsAsync()).GranteePrincipal);

        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop -AcceptChanges");
        GrantListEntry back = Assert.Single(await GrantsAsync(), g => g.GranteePrincipal == region.AuthPrincipal);
        Assert.Equal((own.Name, "shop"), (back.Name, back.Constraints.EncryptionContextSubset["app"]));
        Assert.Equal(own.Operations, back.Operations);

        // Run again it is not made twice.
        await life.TryAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop -AcceptChanges");
        Assert.Equal(2, (await GrantsAsync()).Count);

        async Task<List<GrantListEntry>> GrantsAsync() =>
            (await life.Aws.Kms.ListGrantsAsync(new ListGrantsRequest { KeyId = region.KeyUri }, AwsWire.Cancel)).Grants;
    }

    [Theory]
    [InlineData("roles/admin", "account")]
    [InlineData("roles/cloudkms.admin", "account")]
    [InlineData("roles/admin", "own")]
    public async Task WhoCanGiveHimselfTheKeyAgainIsNotCut(string role, string who)
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        CmekCluster cluster = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string own = $"crl-kms-user-{cluster.Id.Replace("-", null, StringComparison.Ordinal)[^12..]}"
            + $"@{cluster.AccountId}.iam.gserviceaccount.com";
        life.Bind(string.Join('/', region.KeyUri!.Split('/')[..2]), role, "serviceAccount:" + (who == "own" ? own : region.AuthPrincipal));
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()];
        Assert.DoesNotContain(steps, s => s.KeyCut == true);
    }

    [Fact]
    public async Task AReceiptThatLiesNowhereIsAmongTheStepsWhateverBecomesOfWarnings()
    {
        await using Life life = await Life.StartAsync(
            "AWS",
            change: o => o with { Clusters = [new SandboxClusterOptions("shop", "AWS", ["us-east-1"])] });
        string receipts = Path.Combine(life.Shell.StateFolder, "receipts");
        Directory.CreateDirectory(life.Shell.StateFolder);
        File.WriteAllText(receipts, "in the way");
        const string script = """
            Import-Module $env:CMEKTOOLS_MODULE
            $environment = [Collections.Generic.Dictionary[string, string]]::new()
            foreach ($v in 'COCKROACH_API_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY') {
                $environment[$v] = [Environment]::GetEnvironmentVariable("TEST_$v") }
            $null = Connect-CmekCloud -Sandbox ([CmekTools.CmekSandbox]@{
                BaseAddress = $env:TEST_ADDRESS; Environment = $environment }) -StateFolder $env:TEST_STATE
            [Environment]::SetEnvironmentVariable('TMPDIR', '/proc/nowhere')
            Revoke-CmekAccess shop -Force -NoWait -WarningAction Ignore | Where-Object Step -eq Receipt | ForEach-Object Result
            """;
        FinishedProgram run = (await ExternalProgram.PwshAsync(["-NoProfile", "-NonInteractive", "-Command", script],
        [
            ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest),
            ("TEST_ADDRESS", life.Server.BaseAddress.ToString()),
            .. life.Server.Environment.Where(
                v => !v.Key.StartsWith("CLOUDSDK", StringComparison.Ordinal)).Select(v => ("TEST_" + v.Key, (string?)v.Value)),
            ("TEST_STATE", life.Shell.StateFolder),
        ])).Expect();
        Assert.Matches("NOT written anywhere .*\"keyPolicyText\"", run.Output.ReplaceLineEndings(" "));
        File.Delete(receipts);
    }

    private static async Task EditAsync(Life life, string key, Action<JsonNode> change)
    {
        string text = (
            await life.Aws.Kms.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }, AwsWire.Cancel)).Policy;
        JsonNode policy = JsonNode.Parse(text)!;
        change(policy);
        await life.Aws.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.ToJsonString() },
            AwsWire.Cancel);
        life.Server.ClearExchanges();
    }
}
