using System.Diagnostics;
using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using CmekTools.Tests.Sandbox;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Access given back: from wherever it is known, exactly, and without claiming what only the vendor can do.</summary>
public sealed class RestoreTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task EverythingIsAsItWasAndASecondRunChangesNothing(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string before = await World.ReadAsync(life.Server);
        await BackAsync("Restore-CmekAccess shop -Wait", "Restore-CmekAccess shop -Wait", receipt: true);
        await BackAsync(
            "Get-CmekReceipt shop -Open | Restore-CmekAccess -Wait",
            "Get-CmekReceipt shop | Restore-CmekAccess -Wait",
            receipt: true);
        await BackAsync(
            "Restore-CmekAccess shop -ReceiptPath (Get-CmekReceipt -Open).Path -Wait",
            "Restore-CmekAccess shop -ReceiptPath (Get-CmekReceipt)[0].Path -Wait",
            receipt: true);
        await BackAsync("Restore-CmekAccess shop -Wait", "Restore-CmekAccess shop -Wait", receipt: false);

        async Task BackAsync(string command, string again, bool receipt)
        {
            await life.RunAsync("Revoke-CmekAccess shop -Force" + (life.IsAws ? string.Empty : " -DisablePrincipal"));
            Assert.NotEqual(before, await World.ReadAsync(life.Server));
            Assert.Single((await life.RunAsync("Get-CmekReceipt shop -Open")).Output);
            if (!receipt)
            {
                Directory.Delete(Path.Combine(life.Shell.StateFolder, "receipts"), recursive: true);
            }

            Stopwatch watch = Stopwatch.StartNew();
            PowerShellResult result = await life.RunAsync(command);
            double seconds = watch.Elapsed.TotalSeconds;
            Assert.Equal(before, await World.ReadAsync(life.Server));
            CmekStep[] steps = [.. result.Output.Select(o => o.BaseObject).OfType<CmekStep>()];
            // The vendor is asked only where the cluster is not back by itself yet.
            Assert.Equal(["Restore", "Restore", "Access", "Enabled"], steps.Select(s => s.Step).Where(s => s != "SupportRequest"));
            Assert.Equal("access is back, cluster not revoked", steps[^1].Now);
            Assert.All(steps, s => Assert.True(s.DurationSeconds >= 0, s.ToString()));
            Assert.InRange(steps.Sum(s => s.DurationSeconds), 0.001, seconds);
            Assert.Equal(receipt, result.Warnings.All(w => !w.Contains("no open receipt", StringComparison.Ordinal)));
            CmekReceipt[] receipts = [.. (await life.RunAsync("Get-CmekReceipt shop")).Values<CmekReceipt>()];
            Assert.Equal(receipt, receipts.Length > 0);
            Assert.All(receipts, r => Assert.True(r.RestoredAt > r.CreatedAt));

            await life.RunAsync(again);
            Assert.Empty(life.Writes);
            Assert.Equal(before, await World.ReadAsync(life.Server));
        }
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AScheduledDeletionIsCancelledAndTheKeyWorksAgain(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string before = await World.ReadAsync(life.Server);
        string[] uris = [.. (await life.StatusAsync()).Regions.Select(r => r.KeyUri!)];
        await life.RunAsync("Revoke-CmekAccess shop -Force -Permanent -ConfirmClusterName shop");
        Assert.Equal(CmekKeyState.PendingDeletion, await life.KeyStateAsync(uris[1]));
        await life.RunAsync("Restore-CmekAccess shop -Wait");
        Assert.Equal(before, await World.ReadAsync(life.Server));
        foreach (string uri in uris)
        {
            Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
        }
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task AKeyThatSomebodyDisabledIsEnabled(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string uri = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        if (life.IsAws)
        {
            await life.Aws.Kms.DisableKeyAsync(uri, AwsWire.Cancel);
        }
        else
        {
            await life.Google.OkAsync("PATCH", uri + "/cryptoKeyVersions/1?updateMask=state", new JsonObject { ["state"] = "DISABLED" });
        }

        Assert.Equal(CmekKeyState.Disabled, await life.KeyStateAsync(uri));
        await life.RunAsync("Restore-CmekAccess shop -Wait");
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task ARoleMadeAgainUnderTheSameNameIsNoticedAndRepaired()
    {
        await using Life life = await Life.StartAsync("AWS");
        string arn = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        string name = arn[(arn.LastIndexOf('/') + 1)..];
        string trust = Uri.UnescapeDataString(
            (await life.Aws.IamAsync("GetRole", ("RoleName", name))).Descendants("AssumeRolePolicyDocument").Single().Value);
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        await life.Aws.IamAsync("DeleteRole", ("RoleName", name));
        await life.Aws.RoleAsync(name, trust);

        PowerShellResult result = await life.RunAsync("Restore-CmekAccess shop -Wait");
        Assert.Contains(
            result.Warnings,
            w => w.Contains("was deleted and made again", StringComparison.Ordinal) && w.Contains(arn, StringComparison.Ordinal));
        Assert.Equal(["kms:PutKeyPolicy", "kms:PutKeyPolicy"], life.Writes);
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task AServiceAccountMadeAgainUnderTheSameNameIsNoticedAndRepaired()
    {
        await using Life life = await Life.StartAsync("GCP");
        string email = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        await life.Google.OkAsync("DELETE", $"projects/{GcpWire.Project}/serviceAccounts/{email}");
        await life.Google.OkAsync(
            "POST",
            $"projects/{GcpWire.Project}/serviceAccounts",
            new JsonObject { ["accountId"] = email[..email.IndexOf('@', StringComparison.Ordinal)] });

        PowerShellResult result = await life.RunAsync("Restore-CmekAccess shop -Wait");
        Assert.Contains(
            result.Warnings,
            w => w.Contains("was deleted and made anew", StringComparison.Ordinal) && w.Contains(email, StringComparison.Ordinal));
        Assert.Equal(
            [
                "gcp-iam:serviceAccounts.setIamPolicy",
                "gcp-kms:cryptoKeys.patch",
                "gcp-kms:cryptoKeys.patch",
                "gcp-kms:cryptoKeys.setIamPolicy",
                "gcp-kms:cryptoKeys.setIamPolicy",
            ],
            life.Writes.Order(StringComparer.Ordinal));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS", "-RoleName rescue", "arn:aws:iam::111122223333:role/rescue")]
    [InlineData("GCP", "-ServiceAccount rescue", "rescue@customer-project.iam.gserviceaccount.com")]
    public async Task ANewPrincipalTakesThePlaceOfABurntOne(string provider, string option, string principal)
    {
        await using Life life = await Life.StartAsync(provider);
        CmekStatus before = await life.StatusAsync();
        string burnt = before.Regions[0].AuthPrincipal!;
        await life.RunAsync("Revoke-CmekAccess shop -Force");

        CmekStep[] steps =
        [
            .. (await life.RunAsync($"Restore-CmekAccess shop {option} -Wait")).Output.Select(o => o.BaseObject).OfType<CmekStep>(),
        ];
        Assert.Equal(["Restore", "Restore", "Access", "Move", "Enabled"], steps.Select(s => s.Step).Where(s => s != "SupportRequest"));
        // What was done is told, also where the grant that does it counts its changes for itself.
        Assert.All(
            steps.Where(s => s.Step == "Restore"),
            s => Assert.DoesNotContain("nothing was changed", s.Result, StringComparison.Ordinal));
        Assert.Contains(life.IsAws ? "make the role" : "make the service account", steps[0].Result, StringComparison.Ordinal);
        JsonObject body = Assert.Single(life.Sent("UpdateCmek"));
        string type = life.IsAws ? "AWS_KMS" : "GCP_CLOUD_KMS";
        Assert.Equal(
            new JsonObject
            {
                ["region_specs"] = new JsonArray([.. before.Regions.Select(r => (JsonNode)new JsonObject
                {
                    ["region"] = r.Region,
                    ["key_spec"] = new JsonObject { ["type"] = type, ["uri"] = r.KeyUri, ["auth_principal"] = principal },
                })]),
            }.ToJsonString(),
            body.ToJsonString());
        CmekStatus after = await life.StatusAsync();
        Assert.Equal(CmekState.ENABLED, after.State);
        Assert.Equal(before.Regions.Select(r => $"{r.KeyUri} {principal}"), after.Regions.Select(r => $"{r.KeyUri} {r.AuthPrincipal}"));

        // The burnt one stays out.
        foreach (string uri in before.Regions.Select(r => r.KeyUri!))
        {
            if (life.IsAws)
            {
                string policy = (
                    await life.Aws.KmsAs(life.Aws.Aws.Admin, uri.Split(':')[3]).GetKeyPolicyAsync(uri, "default", AwsWire.Cancel)).Policy;
                JsonObject deny = Assert.Single(
                    JsonNode.Parse(policy)!["Statement"]!.AsArray().OfType<JsonObject>(),
                    s => (string?)s["Effect"] == "Deny");
                Assert.Equal(burnt, (string?)deny["Condition"]!["ArnEquals"]!["aws:PrincipalArn"]);
            }
            else
            {
                Assert.DoesNotContain(burnt, life.Google.Google.Policies.Get(uri).ToJsonString(), StringComparison.Ordinal);
            }
        }

        await life.RunAsync($"Restore-CmekAccess shop {option} -Wait");
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", "-RoleName rescue")]
    [InlineData("GCP", "-ServiceAccount rescue")]
    public async Task WhereTheServiceMovesByItselfNoTicketIsAskedFor(string provider, string option)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        life.Server.Options = life.Server.Options with { StateTime = TimeSpan.FromHours(1) };
        PowerShellResult result = await life.RunAsync($"Restore-CmekAccess shop {option}");
        Assert.Equal(["Restore", "Restore", "Access", "Move"], result.Values<CmekStep>().Select(s => s.Step));
        string warning = Assert.Single(result.Warnings, w => w.Contains("Wait-CmekStatus", StringComparison.Ordinal));
        Assert.Contains("Access is back, and the service is at work on the cluster", warning, StringComparison.Ordinal);
        Assert.DoesNotContain("support", warning, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("AWS", "-RoleName rescue")]
    [InlineData("GCP", "-ServiceAccount rescue")]
    public async Task WhatARevocationScheduledForDeletionIsRescuedForANewPrincipalToo(string provider, string option)
    {
        await using Life life = await Life.StartAsync(provider);
        await life.RunAsync("""
            $WarningPreference = 'SilentlyContinue'
            New-CmekKey shop -NewGeneration | Grant-CmekAccess | Update-CmekCluster -Wait
            Revoke-CmekAccess shop -Permanent -ConfirmClusterName shop -Force
            """);
        await life.RunAsync($"Restore-CmekAccess shop {option} -Wait -WarningAction SilentlyContinue");

        // The past ones are what old data and backups were written under.
        CmekKey[] keys = [.. (await life.RunAsync("Get-CmekKey -ClusterName shop")).Values<CmekKey>()];
        Assert.Equal([CmekKeyPlace.InUse, CmekKeyPlace.InUse, CmekKeyPlace.Past, CmekKeyPlace.Past], keys.Select(k => k.Place));
        Assert.All(keys, k => Assert.Equal(CmekKeyState.Enabled, k.State));
    }

    [Theory]
    [InlineData("AWS", "-RoleName")]
    [InlineData("GCP", "-ServiceAccount")]
    public async Task TheBurntPrincipalItselfIsNoNewOne(string provider, string option)
    {
        await using Life life = await Life.StartAsync(provider);
        string burnt = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        ErrorRecord error = (
            await life.TryAsync(
                $"param($Name) Restore-CmekAccess shop {option} $Name",
                new { Name = life.IsAws ? burnt[(burnt.LastIndexOf('/') + 1)..] : burnt })).ExpectError("PrincipalUnchanged");
        Assert.Equal(ErrorCategory.InvalidArgument, error.CategoryInfo.Category);
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task AReceiptOfAnotherClusterAndAFileThatIsNoneAreRefused()
    {
        await using Life life = await Life.StartAsync(
            "AWS",
            change: o => o with { Clusters = [.. o.Clusters, new SandboxClusterOptions("other", "AWS", ["us-east-1"])] });
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        string receipt = Assert.Single(life.Receipts());
        ErrorRecord error = (
            await life.TryAsync(
                "param($Path) Restore-CmekAccess other -ReceiptPath $Path",
                new { Path = receipt })).ExpectError("ReceiptMismatch");
        Assert.Equal(ErrorCategory.InvalidArgument, error.CategoryInfo.Category);
        Assert.Contains("shop", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("other", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        // A newer format is not guessed at.
        string newer = Path.Combine(life.Shell.StateFolder, "newer.json");
        File.WriteAllText(newer, File.ReadAllText(receipt).Replace("\"version\": 2", "\"version\": 3", StringComparison.Ordinal));
        Assert.Equal(
            ErrorCategory.InvalidData,
            (
                await life.TryAsync(
                    "param($Path) Restore-CmekAccess shop -ReceiptPath $Path",
                    new { Path = newer })).ExpectError("ReceiptInvalid").CategoryInfo.Category);
        Assert.Equal(
            ErrorCategory.ReadError,
            (
                await life.TryAsync(
                    "param($Path) Restore-CmekAccess shop -ReceiptPath $Path",
                    new { Path = newer + ".gone" })).ExpectError("ReceiptUnreadable").CategoryInfo.Category);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatOnlyTheVendorCanDoIsAskedForAndNotClaimed(string provider)
    {
        await using Life life = await Life.StartAsync(provider, change: o => o with { VendorRecovers = false });
        CmekStatus before = await life.StatusAsync();
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        PowerShellResult result = await life.RunAsync("Restore-CmekAccess shop");
        CmekStep last = result.Output.Select(o => o.BaseObject).OfType<CmekStep>().Last();
        Assert.Equal(("SupportRequest", "access is back, cluster still revoked", true), (last.Step, last.Now, last.Revoked));
        Assert.Contains(
            result.Warnings,
            w => w.Contains("Access is back, the cluster is not", StringComparison.Ordinal)
                && w.Contains("REVOKED", StringComparison.Ordinal));
        CmekSupportRequest request = last.SupportRequest!;
        Assert.Equal(
            (CmekSupportPurpose.Recover, before.ClusterId, life.Server.Options.OrganizationId),
            (request.Purpose, request.ClusterId, request.OrganizationId));
        string[] said =
        [
            before.ClusterId,
            life.Server.Options.OrganizationId,
            .. life.Regions.Select(r => $"{r}: REVOKED"),
            .. before.Regions.Select(r => r.KeyUri!),
            "Access to the key has been given back",
            "Access: the policies let the cluster use its keys",
        ];
        Assert.All(said, word => Assert.Contains(word, request.Body, StringComparison.Ordinal));
        Assert.Equal(CmekState.REVOKED, (await life.StatusAsync()).State);

        PowerShellResult waiting = await life.TryAsync("Restore-CmekAccess shop -Wait -TimeoutSeconds 1");
        waiting.ExpectError("StatusTimeout");
        Assert.DoesNotContain(waiting.Warnings, w => w.Contains("receipt", StringComparison.Ordinal));
        Assert.DoesNotContain(waiting.Output.Select(o => o.BaseObject).OfType<CmekStep>(), s => s.Step == "Enabled");
        Assert.Empty(life.Writes);

        // Support has acted on the ticket.
        life.Server.Options = life.Server.Options with { VendorRecovers = true };
        CmekStep[] steps = [.. (await life.RunAsync("Restore-CmekAccess shop -Wait")).Output.Select(o => o.BaseObject).OfType<CmekStep>()];
        Assert.Equal(("Enabled", "access is back, cluster not revoked"), (steps[^1].Step, steps[^1].Now));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task ARestoreLetsInAgainWhomItNamesAlthoughARevocationCutHimOff(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        string first = (await life.StatusAsync()).Regions[0].AuthPrincipal!;
        string option = life.IsAws ? "-RoleName" : "-ServiceAccount";
        await life.RunAsync($"""
            $WarningPreference = 'SilentlyContinue'
            Revoke-CmekAccess shop -KeyOnly -Force
            Restore-CmekAccess shop {option} second-principal -Wait
            """);
        Assert.NotEqual(first, (await life.StatusAsync()).Regions[0].AuthPrincipal);
        string name = life.IsAws ? first[(first.LastIndexOf('/') + 1)..] : first;
        await life.RunAsync($"$WarningPreference = 'SilentlyContinue'; Restore-CmekAccess shop {option} {name} -Wait");
        Assert.All((await life.StatusAsync()).Regions, r => Assert.Equal(first, r.AuthPrincipal));
        Assert.Equal([true], (await life.RunAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }
}
