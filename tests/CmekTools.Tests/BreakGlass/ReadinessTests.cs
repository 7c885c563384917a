using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>Test-CmekBreakGlass: what it calls ready cuts, what would not cut it does not call ready, and it changes nothing.</summary>
public sealed class ReadinessTests
{
    private const string Reads = "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags kms:ListAliases "
        + "sts:GetCallerIdentity iam:Get* iam:List*";

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhereNothingIsInTheWayItIsReadyAndNothingIsChanged(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string[] before = life.Files();
        PowerShellResult result = await life.RunAsync("Test-CmekBreakGlass");
        CmekCheck[] checks = [.. result.Values<CmekCheck>()];
        Assert.DoesNotContain(checks, c => c.Result is CmekCheckResult.Fail or CmekCheckResult.Unknown);
        Assert.Equal(2, checks.Count(c => c is { Name: "CutPolicyWrite", Result: CmekCheckResult.Pass }));
        Assert.Equal(life.Regions, checks.Where(c => c.Name == "CutEndpoint").Select(c => c.Region!).Order(StringComparer.Ordinal));
        Assert.All(checks, c => Assert.True(c.Result == CmekCheckResult.Pass || c.Remedy is not null, c.ToString()));
        Assert.Equal([true], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet")).Output.Select(o => o.BaseObject));
        Assert.Empty(life.Writes);
        Assert.Equal(before, life.Files());
    }

    public static TheoryData<string, string, string, bool> Callers => new()
    {
        // Who calls, and what the row of the key policy says; whether a cut by the same caller then cuts.
        { $"{Reads} iam:SimulatePrincipalPolicy kms:ListGrants kms:PutKeyPolicy", "CutPolicyWrite", "Pass", true },
        { $"{Reads} iam:SimulatePrincipalPolicy kms:ListGrants kms:DisableKey", "CutPolicyWrite", "Warn", true },
        { $"{Reads} iam:SimulatePrincipalPolicy kms:ListGrants", "CutPolicyWrite", "Fail", false },
        { $"{Reads} kms:ListGrants kms:PutKeyPolicy", "CutPolicyWrite", "Unknown", true },
        { $"{Reads} iam:SimulatePrincipalPolicy kms:PutKeyPolicy", "CutGrants", "Unknown", false },
    };

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task WhatTheCallerMayDoIsToldAsACutFindsIt(string may, string row, string expected, bool cuts)
    {
        await using Life life = await Life.StartAsync("AWS");
        await ConnectAsAsync(
            life,
            life.Aws.Aws.AddCredentials(
                AwsWire.Account,
                $"arn:aws:iam::{AwsWire.Account}:user/oncall",
                AwsWire.Policy(AwsWire.Statement("Allow", null, may))));
        CmekCheck[] rows = [.. (await life.RunAsync("Test-CmekBreakGlass shop -KeyOnly")).Values<CmekCheck>().Where(c => c.Name == row)];
        Assert.Equal(2, rows.Length);
        Assert.All(rows, c => Assert.Equal(expected, c.Result.ToString()));
        Assert.All(rows, c => Assert.True(expected == "Pass" || c.Remedy is not null, c.ToString()));
        Assert.Equal(
            [expected is "Pass" or "Warn"],
            (await life.RunAsync("Test-CmekBreakGlass shop -KeyOnly -Quiet")).Output.Select(o => o.BaseObject));
        Assert.Empty(life.Writes);

        PowerShellResult cut = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        Assert.Equal(cuts, cut.Values<CmekStep>()[^1].KeyCut == true);
    }

    [Theory]
    [InlineData("kms:PutKeyPolicy", "Warn")]
    [InlineData("kms:*", "Unknown")]
    public async Task ADenyInTheKeyPolicyCountsWhateverElseAllows(string denied, string expected)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        string arn = $"arn:aws:iam::{AwsWire.Account}:user/oncall";
        AwsKeyPair oncall = life.Aws.Aws.AddCredentials(AwsWire.Account, arn);
        await EditAsync(life, key, policy => policy["Statement"]!.AsArray().Add(AwsWire.Statement("Deny", arn, denied)));
        await ConnectAsAsync(life, oncall);
        CmekCheck[] rows = [
            .. (await life.RunAsync("Test-CmekBreakGlass shop -KeyOnly")).Values<CmekCheck>().Where(c => c.Region == life.Regions[0]),
        ];
        Assert.Equal(expected, Assert.Single(rows, r => r.Name == "CutPolicyWrite").Result.ToString());
    }

    // The model of EvaluationResult: of a resource that was named, what is missing stands with the resource; an organization's service
    // control policies limit what a key policy gives as well.
    [Theory]
    [InlineData("an organization's policy", "Fail", "service control policies do not allow kms:PutKeyPolicy")]
    [InlineData("a condition that is not known", "Unknown", "hang on aws:SourceVpc")]
    public async Task WhatTheSimulatorSaysBesideItsDecisionCounts(string what, string expected, string says)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        string arn = $"arn:aws:iam::{AwsWire.Account}:user/oncall";
        JsonObject reads = AwsWire.Statement("Allow", null, $"{Reads} iam:SimulatePrincipalPolicy kms:ListGrants");
        bool condition = what.StartsWith("a condition", StringComparison.Ordinal);
        AwsKeyPair oncall = life.Aws.Aws.AddCredentials(
            AwsWire.Account,
            arn,
            condition
                ? AwsWire.Policy(
                    reads,
                    AwsWire.Statement("Allow", null, "kms:PutKeyPolicy", AwsWire.When("StringEquals", "aws:SourceVpc", "vpc-1")))
                : AwsWire.Policy(reads));
        if (!condition)
        {
            await EditAsync(life, key, policy => policy["Statement"]!.AsArray().Add(AwsWire.Statement("Allow", arn, "kms:PutKeyPolicy")));
            JsonObject most = AwsWire.Statement("Allow", null, "kms:PutKeyPolicy");
            most["NotAction"] = most["Action"]!.DeepClone();
            most.Remove("Action");
            life.Aws.Aws.AddServiceControlPolicy(AwsWire.Policy(most));
        }

        await ConnectAsAsync(life, oncall);
        CmekCheck row = Assert.Single(
            (await life.RunAsync("Test-CmekBreakGlass shop -KeyOnly")).Values<CmekCheck>(),
            c => c.Name == "CutPolicyWrite" && c.Region == life.Regions[0]);
        Assert.Equal(expected, row.Result.ToString());
        Assert.Contains(says, row.Seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dead", "CutDeadIds", "Warn")]
    [InlineData("full", "CutPolicyRoom", "Fail")]
    [InlineData("hidden", "CutKey", "Fail")]
    [InlineData("silent", "CutEndpoint", "Fail")]
    [InlineData("folder", "StateFolder", "Fail")]
    [InlineData("forgotten", "Inventory", "Fail")]
    public async Task EachThingInTheWayHasItsRow(string defect, string row, string expected)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        switch (defect)
        {
            case "dead":
                string gone = await life.Aws.RoleAsync("gone");
                await EditAsync(
                    life,
                    key,
                    policy => policy["Statement"]!.AsArray().Add(AwsWire.Statement("Allow", gone, "kms:DescribeKey")));
                await life.Aws.IamAsync("DeleteRole", ("RoleName", "gone"));
                break;
            case "full":
                await EditAsync(life, key, policy => Fill(policy));
                break;
            case "hidden":
                life.Answer(r => r.Service == "kms" && r.Names(key) ? Faults.Missing : null);
                break;
            case "silent":
                life.Hang(r => r.Service == "kms" && r.Names(key));
                break;
            case "folder":
                Directory.CreateDirectory(Path.Combine(life.Shell.StateFolder, "receipts"));
                Directory.Delete(Path.Combine(life.Shell.StateFolder, "receipts"), recursive: true);
                File.WriteAllText(Path.Combine(life.Shell.StateFolder, "receipts"), "in the way");
                break;
            default:
                Directory.Delete(Path.Combine(life.Shell.StateFolder, "inventory"), recursive: true);
                File.WriteAllText(Path.Combine(life.Shell.StateFolder, "inventory"), "in the way");
                break;
        }

        CmekCheck[] off = [
            .. (await life.RunAsync("Test-CmekBreakGlass shop")).Values<CmekCheck>().Where(c => c.Result != CmekCheckResult.Pass),
        ];
        Assert.Equal([(row, expected)], off.Select(c => (c.Name, c.Result.ToString())));
        Assert.NotNull(off[0].Remedy);
        Assert.Equal([expected == "Warn"], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Fact]
    public async Task WithoutTheServiceTheKeysCanBeCutAndTheServiceNotTold()
    {
        await using Life life = await Life.StartAsync("AWS");
        await life.StatusAsync();
        life.Answer(
            r => r.Service == "cloud"
                ? new SandboxResponse { Status = 503, Body = """{"code":14,"message":"down for maintenance"}""" }
                : null);
        await ConnectAsAsync(life, life.Aws.Aws.Admin);
        CmekCheck[] off = [
            .. (await life.RunAsync("Test-CmekBreakGlass")).Values<CmekCheck>().Where(c => c.Result != CmekCheckResult.Pass),
        ];
        Assert.Equal(["CloudApi", "CutClusters", "CutKeys"], off.Select(c => c.Name));
        Assert.Contains("down for maintenance", off[0].Seen, StringComparison.Ordinal);
        Assert.Equal([false], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet")).Output.Select(o => o.BaseObject));
        Assert.Equal([true], (await life.RunAsync("Test-CmekBreakGlass shop -Quiet -KeyOnly")).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("Disconnect-CmekCloud; Test-CmekBreakGlass shop -Quiet")]
    [InlineData("Test-CmekBreakGlass nosuch -Quiet")]
    [InlineData("Test-CmekBreakGlass shop, nosuch -Quiet")]
    [InlineData("$null | ForEach-Object { } | Test-CmekBreakGlass -Quiet")]
    [InlineData("Get-CmekCluster nosuch* | Test-CmekBreakGlass -Quiet")]
    public async Task QuietAlwaysAnswersAndNeverYesToWhatIsNotKnown(string script)
    {
        await using Life life = await Life.StartAsync("AWS");
        Assert.Equal([false], (await life.RunAsync("$ErrorActionPreference = 'Stop'; " + script)).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("roles/cloudkms.cryptoKeyDecrypter", "own")]
    [InlineData("roles/owner", "account")]
    public async Task WhatACutWouldLeaveOpenOnGoogleCloudIsSeenBeforehand(string role, string who)
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        CmekCluster cluster = Assert.Single((await life.RunAsync("Get-CmekCluster shop")).Values<CmekCluster>());
        string id = cluster.Id.Replace("-", null, StringComparison.Ordinal);
        string own = $"serviceAccount:crl-kms-user-{id[^12..]}@{cluster.AccountId}.iam.gserviceaccount.com";
        life.Bind(string.Join('/', region.KeyUri!.Split('/')[..2]), role, who == "own" ? own : "serviceAccount:" + region.AuthPrincipal);
        CmekCheck[] rows = [.. (await life.RunAsync("Test-CmekBreakGlass shop")).Values<CmekCheck>().Where(c => c.Name == "CutOutcome")];
        Assert.Equal(2, rows.Length);
        PowerShellResult cut = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        bool isCut = cut.Values<CmekStep>()[^1].KeyCut == true;
        Assert.All(rows, r => Assert.Equal(isCut, r.Result is CmekCheckResult.Pass or CmekCheckResult.Warn));
        Assert.DoesNotContain(rows, r => r.Result == CmekCheckResult.Pass);
    }

    internal static void Fill(JsonNode policy)
    {
        // As full as KMS takes it, with nothing of ours to take out, so that a Deny does not fit any more.
        policy["Statement"]!.AsArray().First(
            s => ((string?)s!["Sid"])?.StartsWith("CmekToolsUse", StringComparison.Ordinal) == true)!["Sid"] = "Theirs";
        JsonObject filler = AwsWire.Statement("Allow", $"arn:aws:iam::{AwsWire.Account}:root", "kms:DescribeKey");
        policy["Statement"]!.AsArray().Add(filler);
        int left = (32 * 1024) - policy.ToJsonString().Length;
        filler["Resource"] = new string('x', left - 20);
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

    private static async Task ConnectAsAsync(Life life, AwsKeyPair who)
    {
        Dictionary<string, string> environment = new(life.Server.Environment)
        {
            ["AWS_ACCESS_KEY_ID"] = who.AccessKeyId,
            ["AWS_SECRET_ACCESS_KEY"] = who.SecretAccessKey,
        };
        await life.RunAsync("param($Sandbox, $State) $WarningPreference = 'SilentlyContinue'; $null = Connect-CmekCloud -Sandbox "
            + "$Sandbox -StateFolder $State", new
        {
            Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = environment },
            State = life.Shell.StateFolder,
        });
    }
}
