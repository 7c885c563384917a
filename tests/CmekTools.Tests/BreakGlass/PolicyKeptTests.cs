using System.Diagnostics;
using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>No policy is lost: what others write in the moment of a cut, and what was there before it however often it is tried.</summary>
public sealed class PolicyKeptTests
{
    [Theory]
    [InlineData("adds")]
    [InlineData("changes")]
    [InlineData("takes out")]
    [InlineData("has too much")]
    public async Task WhatSomebodyWritesBetweenReadAndWriteIsKeptOrTold(string what)
    {
        await using Life life = await StartAsync();
        string key = await life.KeyAsync(life.Regions[0]);
        JsonObject his = AwsWire.Statement("Deny", "*", "kms:CreateGrant");
        his["Sid"] = what == "changes" ? "EnableIAMUserPermissions" : "His";
        if (what == "changes")
        {
            his = AwsWire.RootStatement();
            his["Sid"] = "EnableIAMUserPermissions";
            his["Action"] = new JsonArray("kms:*", "kms:Describe*");
        }

        JsonNode before = await PolicyAsync(life, key);
        JsonObject extra = AwsWire.Statement("Deny", "*", "kms:UpdateAlias");
        extra["Sid"] = "Extra";
        before["Statement"]!.AsArray().Add(extra);
        await PutAsync(life, key, before);
        JsonNode written = before.DeepClone();
        JsonArray statements = written["Statement"]!.AsArray();
        if (what == "changes")
        {
            statements[0] = his;
        }
        else if (what == "takes out")
        {
            statements.RemoveAt(statements.Count - 1);
        }
        else
        {
            statements.Add(his);
        }

        if (what == "has too much")
        {
            ReadinessTests.Fill(written);
        }

        // He writes right after the policy was read for the cut; the write of the cut comes when somebody has looked again.
        TaskCompletionSource looked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int reads = 0;
        int writes = 0;
        life.Server.After = async (request, _) =>
        {
            if (request.Operation == "GetKeyPolicy" && request.Names(key))
            {
                int read = Interlocked.Increment(ref reads);
                if (read == 1)
                {
                    life.Server.After = (r, _) =>
                    {
                        if (r.Operation == "GetKeyPolicy" && r.Names(key))
                        {
                            looked.TrySetResult();
                        }

                        return Task.FromResult<SandboxResponse?>(null);
                    };
                    await PutAsync(life, key, written);
                }
            }

            return null;
        };
        life.Server.Before = async request =>
        {
            if (request.Operation == "PutKeyPolicy" && request.Names(key) && Interlocked.Increment(ref writes) == 2)
            {
                await Task.WhenAny(looked.Task, Task.Delay(2000));
            }

            return null;
        };
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Server.Before = null;
        life.Server.After = null;
        Assert.Equal(true, result.Values<CmekStep>()[^1].KeyCut);
        string told = Assert.Single(result.Warnings, w => w.Contains("in the moment of this change", StringComparison.Ordinal));
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(key));
        JsonNode after = await PolicyAsync(life, key);
        Assert.Contains(after["Statement"]!.AsArray(), s => (string?)s!["Effect"] == "Deny" && s["Condition"] is not null);
        bool kept = after["Statement"]!.AsArray().Any(s => s!.ToJsonString() == his.ToJsonString());
        Assert.True(kept == (what is "adds" or "changes"), told);
        string expected = what switch
        {
            "takes out" => "In again, although he took it out or changed it: Extra",
            "has too much" => "What he wrote is lost",
            _ => $"Also in, as he wrote it: {his["Sid"]}",
        };
        Assert.Contains(expected, told, StringComparison.Ordinal);
        Assert.Equal(what == "takes out", told.Contains("In again, although", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhereTheAnswerOfACutIsLostTheReceiptStillHasWhatWasThereBefore()
    {
        await using Life life = await StartAsync();
        string key = await life.KeyAsync(life.Regions[0]);
        JsonNode policy = await PolicyAsync(life, key);
        JsonObject his = AwsWire.Statement("Deny", "*", "kms:CreateGrant");
        his["Sid"] = "His";
        policy["Statement"]!.AsArray().Add(his);
        await PutAsync(life, key, policy);
        policy = await PolicyAsync(life, key);

        // The first write takes effect, and then nothing is heard of the key for a while: neither of the write nor of a look at it.
        int deaf = 0;
        SandboxResponse down = new()
        {
            Status = 500,
            ContentType = "application/x-amz-json-1.1",
            Body = """{"__type":"KMSInternalException","message":"try later"}""",
        };
        life.Server.After = (r, _) =>
        {
            bool starts = r.Operation == "PutKeyPolicy" && deaf == 0;
            deaf = starts ? 1 : deaf;
            return Task.FromResult(starts || (r.Service == "kms" && deaf is > 0 and < 40 && deaf++ > 0) ? down : null);
        };
        CmekStep[] steps = [.. (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()];
        life.Server.After = null;
        Assert.Equal(true, steps[^1].KeyCut);
        Assert.True(deaf > 10, $"heard again after {deaf}");
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop");
        Assert.Equal(policy.ToJsonString(), (await PolicyAsync(life, key)).ToJsonString());
    }

    [Fact]
    public async Task WhatASecondRunFindsCutAlreadyIsNotTakenForWhatWasThereBefore()
    {
        await using Life life = await Life.StartAsync("GCP");
        CmekRegionStatus region = (await life.StatusAsync()).Regions[0];
        string project = string.Join('/', region.KeyUri!.Split('/')[..2]);
        string member = "serviceAccount:" + region.AuthPrincipal;
        JsonObject condition = new() { ["title"] = "keys", ["expression"] = "resource.name.startsWith('projects/')" };
        life.Server.Exclusively(() => life.Google.Google.Policies.Get(region.KeyUri)["bindings"]!.AsArray().Single(
            b => b!["members"]!.AsArray().Any(m => (string?)m == member))!["condition"] = condition);
        life.Bind(project, "roles/cloudkms.cryptoKeyDecrypter", member);

        // Something else lets it in all the same, so that the command is run again, as its error says.
        Assert.DoesNotContain(
            (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>(),
            s => s.KeyCut == true);
        Assert.Equal(
            true,
            (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly -DisablePrincipal")).Values<CmekStep>()[^1].KeyCut);
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop");
        JsonNode back = Assert.Single(
            life.Google.Google.Policies.Get(region.KeyUri)["bindings"]!.AsArray(),
            b => b!["members"]!.AsArray().Any(m => (string?)m == member))!;
        Assert.Equal(condition.ToJsonString(), back["condition"]?.ToJsonString());
    }

    [Fact]
    public async Task AGrantThatAnEarlierRunRevokedComesBackAlsoWhereThatRunDidNotCut()
    {
        await using Life life = await StartAsync();
        CmekRegionStatus region = Assert.Single((await life.StatusAsync()).Regions);
        await life.Aws.Kms.CreateGrantAsync(
            new CreateGrantRequest { KeyId = region.KeyUri, GranteePrincipal = region.AuthPrincipal, Operations = ["Decrypt"] },
            AwsWire.Cancel);
        life.Answer(r => r.Operation is "PutKeyPolicy" or "DisableKey" ? Faults.Refused : null);
        await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Server.Before = null;
        Assert.Equal(true, (await life.TryAsync("Revoke-CmekAccess shop -Force -KeyOnly")).Values<CmekStep>()[^1].KeyCut);
        await life.RunAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop");
        Assert.Equal(region.AuthPrincipal, Assert.Single(await GrantsAsync(life, region.KeyUri!)).GranteePrincipal);
    }

    [Fact]
    public async Task AGrantThatCannotBeMadeAgainIsToldAndTheRestIsGivenBack()
    {
        await using Life life = await StartAsync();
        CmekRegionStatus region = Assert.Single((await life.StatusAsync()).Regions);
        await life.Aws.Kms.CreateGrantAsync(
            new CreateGrantRequest { KeyId = region.KeyUri, GranteePrincipal = region.AuthPrincipal, Operations = ["Decrypt"] },
            AwsWire.Cancel);
        await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Answer(r => r.Operation == "CreateGrant" ? Faults.Refused : null);
        PowerShellResult result = await life.TryAsync("$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop");
        System.Management.Automation.ErrorRecord told = Assert.Single(
            result.Errors,
            e => e.FullyQualifiedErrorId.StartsWith("GrantNotRestored,", StringComparison.Ordinal));
        Assert.Contains(region.AuthPrincipal!, told.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("aws kms create-grant", told.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(await GrantsAsync(life, region.KeyUri!));
        Assert.DoesNotContain(
            (await PolicyAsync(life, region.KeyUri!))["Statement"]!.AsArray(),
            s => (string?)s!["Effect"] == "Deny");
    }

    [Theory]
    [InlineData("/te*m/", "/team/", CmekKeyState.Enabled)]
    [InlineData("/te?m/", "/team/", CmekKeyState.Enabled)]
    [InlineData("/$x/", "/team/", CmekKeyState.Enabled)]
    [InlineData("/${aws:username}/", "/team/", CmekKeyState.Disabled)]
    public async Task ARoleWhosePathHasSignsOfAPatternIsCutOffAndNobodyElse(string path, string otherPath, CmekKeyState expected)
    {
        await using AwsWire aws = AwsWire.Start(SandboxShell.Fast);
        string role = await RoleAsync("own", path);
        string other = await RoleAsync("own2", otherPath);
        string key = (await aws.KeyAsync(AwsWire.Policy(AwsWire.RootStatement()))).Arn;
        await using SandboxShell shell = await SandboxShell.StartAsync(server: aws.Server);
        PowerShellResult result = await shell.RunAsync(
            "param($Uri, $Role) Revoke-CmekAccess -KeyUri $Uri -AuthPrincipal $Role -Force",
            new { Uri = key, Role = role });
        Assert.Equal(true, result.Values<CmekStep>()[^1].KeyCut);
        KeyMetadata data = (await aws.Kms.DescribeKeyAsync(new DescribeKeyRequest { KeyId = key }, AwsWire.Cancel)).KeyMetadata;
        Assert.Equal(expected.ToString(), data.KeyState.Value);
        if (expected == CmekKeyState.Enabled)
        {
            await DecryptsAsync(other);
            await Assert.ThrowsAnyAsync<Amazon.KeyManagementService.AmazonKeyManagementServiceException>(() => DecryptsAsync(role));
        }

        async Task<string> RoleAsync(string name, string under)
        {
            System.Xml.Linq.XElement made = await aws.IamAsync(
                "CreateRole",
                ("RoleName", name),
                ("Path", under),
                ("AssumeRolePolicyDocument", AwsWire.Trust($"arn:aws:iam::{AwsWire.Account}:root")));
            await aws.IamAsync(
                "PutRolePolicy",
                ("RoleName", name),
                ("PolicyName", "own"),
                ("PolicyDocument", AwsWire.Policy(AwsWire.Statement("Allow", null, "kms:Encrypt kms:Decrypt kms:GenerateDataKey*"))));
            return made.Descendants("Arn").Single().Value;
        }

        async Task DecryptsAsync(string who) => await aws.KmsAs(await aws.AssumeAsync(who)).GenerateDataKeyAsync(
            new GenerateDataKeyRequest { KeyId = key, KeySpec = "AES_256" },
            AwsWire.Cancel);
    }

    [Fact]
    public async Task WhoeverHoldsTheJournalsLockHoldsNoCutUp()
    {
        await using Life life = await StartAsync();
        await life.StatusAsync();
        await using FileStream held = new(
            Path.Combine(life.Shell.StateFolder, "journal.jsonl.lock"),
            FileMode.OpenOrCreate,
            FileAccess.ReadWrite,
            FileShare.None);
        Stopwatch watch = Stopwatch.StartNew();
        PowerShellResult result = await life.TryAsync("Revoke-CmekAccess shop -Force");
        Assert.Equal((true, true), (result.Values<CmekStep>()[^1].KeyCut, result.Values<CmekStep>()[^1].Revoked));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"{watch.Elapsed}");
        Assert.Contains(result.Warnings, w => w.StartsWith("The journal cannot be written", StringComparison.Ordinal));
    }

    private static Task<Life> StartAsync() => Life.StartAsync(
        "AWS",
        change: o => o with { Clusters = [new SandboxClusterOptions("shop", "AWS", ["us-east-1"])] });

    private static async Task<List<GrantListEntry>> GrantsAsync(Life life, string key) =>
        (await life.Aws.Kms.ListGrantsAsync(new ListGrantsRequest { KeyId = key }, AwsWire.Cancel)).Grants ?? [];

    private static async Task<JsonNode> PolicyAsync(Life life, string key) => JsonNode.Parse(
        (await life.Aws.Kms.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }, AwsWire.Cancel)).Policy)!;

    private static async Task PutAsync(Life life, string key, JsonNode policy)
    {
        await life.Aws.Kms.PutKeyPolicyAsync(
            new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.ToJsonString() },
            AwsWire.Cancel);
        life.Server.ClearExchanges();
    }
}
