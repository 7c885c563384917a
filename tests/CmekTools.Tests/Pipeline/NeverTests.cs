using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Amazon.KeyManagementService;
using CmekTools.Build.Help;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>
/// What about_CmekTools_Security says that no command does, and what each page says that its command only does: held against every
/// request of a whole life on
/// both clouds. The writes of each command are written out, so that a command that begins to send another one is seen here.
/// </summary>
public sealed partial class NeverTests
{
    private const string Auditor = "user:auditor@example.com";
    private static readonly string[] s_five = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:ReEncrypt*"];

    // What would use a key or somebody's identity.
    private static readonly string[] s_uses =
    [
        "Encrypt",
        "Decrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateMac",
        "Sign",
        "AssumeRole",
        "GetSessionToken",
        "cryptoKeys.encrypt",
        "cryptoKeys.decrypt",
        "cryptoKeyVersions.asymmetricDecrypt",
        "serviceAccounts.generateAccessToken",
        "serviceAccounts.signBlob",
        "serviceAccounts.signJwt",
    ];

    // The three services, and the pages that remedies point to.
    private static readonly string[] s_hosts =
    [
        "cockroachlabs.cloud", "amazonaws.com", "amazonaws.com.cn", "api.aws", "api.amazonwebservices.com.cn", "googleapis.com",
        "support.cockroachlabs.com", "health.aws.amazon.com", "cloud.google.com", "docs.aws.amazon.com", "github.com",
    ];

    private static readonly string[] s_reading =
    [
        "Get-CmekOrganization",
        "Get-CmekCluster",
        "Get-CmekStatus shop",
        "Wait-CmekStatus shop -TimeoutSeconds 1",
        "Get-CmekKey -ClusterName shop",
        "(Get-CmekStatus shop).Regions | Get-CmekKeyUse",
        "Test-CmekAccess shop",
        "Get-CmekReceipt -Open | Test-CmekAccess",
        "Compare-CmekCluster shop",
        "Export-CmekManifest shop",
        "Import-CmekManifest $manifest shop",
        "New-CmekSupportRequest -Purpose EnableOrganization",
        "New-CmekSupportRequest shop -Purpose Recover",
        "Test-CmekBreakGlass shop",
        "Export-CmekBreakGlass shop",
        "Disconnect-CmekCloud; Connect-CmekCloud -Sandbox $sandbox -StateFolder $state",
    ];

    // Files and memory.
    private static readonly string[] s_local =
    [
        "Get-CmekJournal",
        "Test-CmekJournal",
        "Get-CmekReceipt",
        "Get-CmekSession",
        "Get-CmekSandbox",
    ];

    private static readonly (string Command, string Aws, string Google)[] s_changing =
    [
        ("New-CmekCluster orders -Provider $cloud -RegionNodes @{ $region = 3 } -Wait", "cloud:CreateCluster", "cloud:CreateCluster"),
        (
            "$global:next = New-CmekKey shop -NewGeneration -EnableRotation",
            "kms:CreateKey kms:CreateAlias kms:TagResource kms:EnableKeyRotation",
            "gcp-kms:keyRings.create gcp-kms:cryptoKeys.create gcp-kms:cryptoKeys.patch"
        ),
        (
            "$global:access = $next | Grant-CmekAccess",
            "kms:PutKeyPolicy iam:CreateRole iam:TagRole iam:UpdateAssumeRolePolicy",
            "gcp-iam:serviceAccounts.create gcp-iam:serviceAccounts.setIamPolicy gcp-kms:cryptoKeys.setIamPolicy"
        ),
        ("$access | Update-CmekCluster -Wait", "cloud:UpdateCmek", "cloud:UpdateCmek"),
        ("Update-CmekCluster shop -Rewrap -Wait", "cloud:UpdateCmek", "cloud:UpdateCmek"),
        (
            "Update-CmekCluster shop -Rewrap -RotateKey -Wait",
            "cloud:UpdateCmek kms:RotateKeyOnDemand",
            "cloud:UpdateCmek gcp-kms:cryptoKeyVersions.create gcp-kms:cryptoKeys.updatePrimaryVersion"
        ),
        ("$added | Add-CmekRegion -NodeCount 3 -Wait", "cloud:UpdateCluster", "cloud:UpdateCluster"),
        (
            "$spare | Remove-CmekKey -Confirm:$false",
            "kms:ScheduleKeyDeletion",
            "gcp-kms:cryptoKeyVersions.patch gcp-kms:cryptoKeyVersions.destroy gcp-kms:cryptoKeys.patch"),
        ("Revoke-CmekAccess shop -ServiceOnly -NoWait -Force -WhatIf", string.Empty, string.Empty),
        (
            "Revoke-CmekAccess shop -KeyOnly -Force",
            "kms:PutKeyPolicy",
            "gcp-kms:cryptoKeys.setIamPolicy gcp-kms:cryptoKeys.patch gcp-iam:serviceAccounts.setIamPolicy gcp-deny:denypolicies.create"
        ),
        (
            "Restore-CmekAccess shop -Wait",
            "kms:PutKeyPolicy",
            "gcp-kms:cryptoKeys.setIamPolicy gcp-kms:cryptoKeys.patch gcp-iam:serviceAccounts.setIamPolicy gcp-deny:denypolicies.delete"
        ),
        (
            "Revoke-CmekAccess shop -NoWait -Force",
            "cloud:UpdateCmekStatus kms:PutKeyPolicy",
            "cloud:UpdateCmekStatus gcp-kms:cryptoKeys.setIamPolicy gcp-kms:cryptoKeys.patch gcp-iam:serviceAccounts.setIamPolicy "
                + "gcp-deny:denypolicies.create"
        ),
        (
            "Restore-CmekAccess shop $option rescue -Wait",
            "cloud:UpdateCmek kms:PutKeyPolicy iam:CreateRole iam:TagRole",
            "cloud:UpdateCmek gcp-kms:cryptoKeys.setIamPolicy gcp-iam:serviceAccounts.setIamPolicy gcp-iam:serviceAccounts.create "
                + "gcp-deny:denypolicies.delete gcp-kms:cryptoKeys.patch"
        ),
        (
            "Revoke-CmekAccess shop -Permanent -ConfirmClusterName shop $disable -Force",
            "cloud:UpdateCmekStatus kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:TagResource",
            "cloud:UpdateCmekStatus gcp-kms:cryptoKeys.setIamPolicy gcp-iam:serviceAccounts.setIamPolicy gcp-iam:serviceAccounts.disable "
                + "gcp-deny:denypolicies.create gcp-kms:cryptoKeys.patch gcp-kms:cryptoKeyVersions.patch gcp-kms:cryptoKeyVersions.destroy"
        ),
        (
            "Restore-CmekAccess shop -Wait ",
            "kms:PutKeyPolicy kms:CancelKeyDeletion kms:EnableKey kms:UntagResource",
            "gcp-kms:cryptoKeys.setIamPolicy gcp-iam:serviceAccounts.setIamPolicy gcp-iam:serviceAccounts.enable "
                + "gcp-deny:denypolicies.delete "
                + "gcp-kms:cryptoKeys.patch gcp-kms:cryptoKeyVersions.patch gcp-kms:cryptoKeyVersions.restore"
        ),
        ("Disable-CmekCluster shop", "cloud:UpdateCmek", "cloud:UpdateCmek"),
        (
            "$global:first = New-CmekKey orders -Tag @{ team = 'books' } | Grant-CmekAccess",
            "kms:CreateKey kms:CreateAlias kms:TagResource kms:EnableKeyRotation kms:PutKeyPolicy iam:CreateRole iam:TagRole",
            "gcp-kms:cryptoKeys.create gcp-kms:cryptoKeys.setIamPolicy gcp-iam:serviceAccounts.create gcp-iam:serviceAccounts.setIamPolicy"
        ),
        ("$first | Enable-CmekCluster -Wait", "cloud:EnableCmek", "cloud:EnableCmek"),
    ];

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EachCommandSendsOnlyWhatItsPageSaysAndNoneWhatNoCommandDoes(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        using TempFolder folder = new();
        string key = await life.KeyAsync(life.Regions[0]);
        await AddForeignAsync(life, key);
        await life.RunAsync(
            """
            param($Sandbox, $State, $Manifest, $Cloud, $Region, $NewRegion)
            $global:sandbox = $Sandbox; $global:state = $State; $global:manifest = $Manifest
            $global:cloud = $Cloud; $global:region = $Region; $global:WarningPreference = 'SilentlyContinue'
            $null = Export-CmekManifest shop -Path $Manifest
            $global:added = New-CmekKey shop -Region $NewRegion -NewRegion | Grant-CmekAccess
            """,
            new
            {
                Sandbox = new CmekSandbox { BaseAddress = life.Server.BaseAddress, Environment = life.Server.Environment },
                State = life.Shell.StateFolder,
                Manifest = Path.Combine(folder.Path, "cmek_config.json"),
                Cloud = provider,
                Region = life.Regions[0],
                life.NewRegion,
            });

        // Another name than the one that -NewGeneration would take for a key that was begun.
        await life.RunAsync($"$global:spare = New-CmekKey shop -Region {life.Regions[0]} {(life.IsAws ? "-AliasName" : "-KeyRing")} spare");
        List<SandboxExchange> all = [];
        foreach ((string command, string aws, string google) in s_changing)
        {
            // With a cluster that is sound, and with one that is cut off.
            if (all.Count == 0 || command.EndsWith("-Wait ", StringComparison.Ordinal))
            {
                foreach (string reading in s_reading.Concat(s_local))
                {
                    await ReadsAsync(life, reading, all);
                }
            }

            string script = command.Replace("$option", life.IsAws ? "-RoleName" : "-ServiceAccount", StringComparison.Ordinal)
                .Replace("$disable", life.IsAws ? string.Empty : "-DisablePrincipal", StringComparison.Ordinal);
            await life.RunAsync(script);
            all.AddRange(life.Server.Exchanges);
            string[] allowed = (life.IsAws ? aws : google).Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] more = [.. life.Writes.Except(allowed)];
            Assert.True(more.Length == 0, $"{script} also sent {string.Join(", ", more)}");
            Assert.True(allowed.Length == 0 || life.Writes.Length > 0, $"{script} sent nothing");
            KeepsRegions(life, script);
        }

        // A new version on Google Cloud is seen to be used: that encrypts one byte.
        string[] used = [.. all.Select(e => e.Request.Operation).Where(o => s_uses.Contains(o)).Distinct()];
        Assert.Equal(life.IsAws ? [] : ["cryptoKeys.encrypt"], used);
        Assert.All(
            all.Where(e => e.Request.Operation == "cryptoKeys.encrypt"),
            e => Assert.Equal("""{"plaintext":"AA=="}""", e.Request.Text));
        Assert.True(all.Count(e => e.Request.IsWrite) > 20, "too little was sent to have been looked at");
        if (life.IsAws)
        {
            KeyPoliciesAreOursAndTheRest(all, key);
        }
        else
        {
            Assert.All(
                all.Where(
                    e => e.Request.Operation == "cryptoKeys.setIamPolicy"
                        && e.Request.RawPath.Contains(key + ":", StringComparison.Ordinal)),
                e => Assert.Contains(Auditor, e.Request.Text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void EveryCommandIsOneOfThose()
    {
        // A sandbox is no service: these two make one and end it.
        string all = string.Join(
            '\n',
            [.. s_reading, .. s_local, .. s_changing.Select(c => c.Command), "Start-CmekSandbox", "Stop-CmekSandbox"]);
        string[] missing =
        [
            .. CommandReader.Read(PowerShellSession.ModuleManifest).Select(c => c.Name).Where(n => !Regex.IsMatch(all, $@"\b{n}\b")),
        ];
        Assert.Empty(missing);
    }

    [Fact]
    public async Task ARoleThatOthersManageIsCheckedAndNotWritten()
    {
        await using Life life = await Life.StartAsync("AWS");
        string own = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync("$global:next = New-CmekKey shop -Region us-east-1 -NewGeneration");
        string stranger = await life.Aws.RoleAsync("stranger", AwsWire.Trust("arn:aws:iam::444455556666:root"));
        PowerShellResult refused = await life.TryAsync("param($Arn) $next | Grant-CmekAccess -RoleArn $Arn", new { Arn = stranger });
        Assert.Single(refused.Errors);
        Assert.Empty(life.Writes);
        await life.RunAsync("param($Arn) $next | Grant-CmekAccess -RoleArn $Arn", new { Arn = own });
        Assert.Equal(["kms:PutKeyPolicy"], life.Writes);
    }

    [Fact]
    public async Task ALabelThatCannotBeWrittenKeepsNothingFromBeingCut()
    {
        await using Life life = await Life.StartAsync("GCP");
        int refused = 0;
        life.Server.Before = request => Task.FromResult(request.Operation == "cryptoKeys.patch" && Interlocked.Increment(ref refused) > 0
            ? new SandboxResponse { Status = 403, Body = """{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}""" }
            : null);
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -KeyOnly -Force")).Values<CmekStep>()];
        Assert.Equal(true, steps[^1].KeyCut);
        Assert.True(refused >= 2, $"{refused} labels were tried");
    }

    [Fact]
    public void NoCallThatUsesAKeyDeletesAPrincipalOrTellsAnotherHostIsInTheSources()
    {
        string root = Path.Combine(ExternalProgram.RepositoryRoot, "src");
        List<string> found = [];
        string[] projects = ["CmekTools", "CmekTools.Engine", "CmekTools.Module"];
        foreach (string file in projects.SelectMany(p => Directory.GetFiles(Path.Combine(root, p), "*.cs", SearchOption.AllDirectories)))
        {
            string text = File.ReadAllText(file);
            found.AddRange(Forbidden().Matches(text).Select(m => $"{file}: {m.Value}"));
            found.AddRange(Hosts().Matches(text).Select(m => m.Groups["host"].Value).Where(h => !IsKnown(h)).Select(h => $"{file}: {h}"));
        }

        found.RemoveAll(f => f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

        // With the key of -SealKey, which is none of a cluster's: it stands in one place for each cloud.
        Assert.Equal(2, found.RemoveAll(f => f.EndsWith("AwsMac.cs: .GenerateMacAsync(", StringComparison.Ordinal)
            || f.EndsWith("GoogleCloud.cs: :macSign", StringComparison.Ordinal)));
        Assert.Empty(found);

        // The patterns do find what they are for.
        Assert.Matches(Forbidden(), "clients.Kms(region).DecryptAsync(");
        Assert.Matches(Hosts(), "\"https://telemetry.example.com/\"");
        static bool IsKnown(string host) => s_hosts.Any(known => host == known || host.EndsWith("." + known, StringComparison.Ordinal));
    }

    private static async Task ReadsAsync(Life life, string command, List<SandboxExchange> all)
    {
        string[] before = Records(life);
        await life.TryAsync(command);
        all.AddRange(life.Server.Exchanges);
        Assert.True(life.Writes.Length == 0, $"{command} sent {string.Join(", ", life.Writes)}");
        Assert.Equal(before, Records(life));
        if (s_local.Contains(command))
        {
            Assert.Empty(life.Server.Exchanges);
        }

        if (command.StartsWith("Get-CmekStatus", StringComparison.Ordinal)
            || command.StartsWith("Wait-CmekStatus", StringComparison.Ordinal))
        {
            Assert.All(life.Server.Exchanges, e => Assert.Equal("cloud", e.Request.Service));
        }
    }

    // Journal and receipts; the inventory takes in whatever is seen.
    private static string[] Records(Life life) =>
        [.. life.Files().Where(f => f.Contains("journal", StringComparison.Ordinal) || f.Contains("receipts", StringComparison.Ordinal))];

    // Adding a region names all that are there, and a key for the new one alone.
    private static void KeepsRegions(Life life, string script)
    {
        foreach (JsonObject body in life.Sent("UpdateCluster"))
        {
            JsonObject nodes = body["dedicated"]!["region_nodes"]!.AsObject();
            Assert.True(life.Regions.All(nodes.ContainsKey), $"{script} left a region out");
            Assert.Equal([life.NewRegion], body["dedicated"]!["cmek_region_specs"]!.AsArray().Select(s => (string?)s!["region"]));
        }
    }

    private static void KeyPoliciesAreOursAndTheRest(List<SandboxExchange> all, string key)
    {
        JsonObject[] bodies = [
            .. all.Where(e => e.Request.Operation is "PutKeyPolicy" or "CreateKey").Select(e => JsonNode.Parse(e.Request.Text)!.AsObject()),
        ];
        Assert.True(bodies.Length > 5);
        foreach (JsonObject body in bodies)
        {
            JsonObject[] statements = [.. JsonNode.Parse((string)body["Policy"]!)!["Statement"]!.AsArray().OfType<JsonObject>()];
            JsonObject root = statements.First();
            Assert.Equal(("Allow", "kms:*"), ((string?)root["Effect"], root["Action"]!.ToString()));
            Assert.EndsWith(":root", root["Principal"]!["AWS"]!.ToString(), StringComparison.Ordinal);
            if (body["KeyId"] is null)
            {
                // A new key has nothing else.
                Assert.Single(statements);
                continue;
            }

            if (body["KeyId"]!.ToString() == key)
            {
                Assert.Contains(statements, s => (string?)s["Sid"] == "Auditors");
            }

            Assert.All(statements.Where(s => ((string?)s["Sid"])?.StartsWith("CmekToolsUse", StringComparison.Ordinal) == true), s =>
                Assert.Equal(
                    s_five.Order(StringComparer.Ordinal),
                    s["Action"]!.AsArray().Select(a => a!.ToString()).Order(StringComparer.Ordinal)));
        }
    }

    // What others have written: it has to be in everything that is written after it.
    private static async Task AddForeignAsync(Life life, string key)
    {
        if (!life.IsAws)
        {
            life.Bind(key, "roles/cloudkms.viewer", Auditor);
            life.Bind("projects/" + GcpWire.Project, "roles/iam.denyAdmin", "user:admin@example.com");
            return;
        }

        await life.Aws.RoleAsync("auditor");
        AmazonKeyManagementServiceClient kms = life.Aws.KmsAs(life.Aws.Aws.Admin, life.Regions[0]);
        JsonObject policy = JsonNode.Parse((await kms.GetKeyPolicyAsync(key, "default", AwsWire.Cancel)).Policy)!.AsObject();
        JsonObject foreign = AwsWire.Statement("Allow", $"arn:aws:iam::{AwsWire.Account}:role/auditor", "kms:DescribeKey");
        foreign["Sid"] = "Auditors";
        policy["Statement"]!.AsArray().Add(foreign);
        await kms.PutKeyPolicyAsync(new() { KeyId = key, PolicyName = "default", Policy = policy.ToJsonString() }, AwsWire.Cancel);
    }

    // Calls of the SDKs, and methods of Google's services as they stand in a path.
    [GeneratedRegex(
        @"\.(?:Decrypt|Encrypt|ReEncrypt|GenerateDataKey\w*|GenerateMac|Sign|AssumeRole\w*)Async\("
        + @"|\.(?:DeleteAlias|DeleteCluster\w*|DisableKeyRotation|DeleteImportedKeyMaterial)Async\("
        + @"|""(?:DeleteRole|DeletePolicy|DeleteUser|DetachRolePolicy|PutRolePolicy|AttachRolePolicy|DeleteRolePolicy)"""
        + @"|:(?:generateAccessToken|generateIdToken|signBlob|signJwt|macSign|decrypt)\b|""decrypt""")]
    private static partial Regex Forbidden();

    [GeneratedRegex(@"https?://(?<host>[A-Za-z0-9.-]+\.[a-z]{2,})")]
    private static partial Regex Hosts();
}
