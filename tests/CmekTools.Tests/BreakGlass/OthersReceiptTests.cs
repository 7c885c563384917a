using System.Management.Automation;
using System.Text.Json.Nodes;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>A receipt that another machine or home folder sealed: said to be there, and believed no more than it says.</summary>
public sealed class OthersReceiptTests
{
    [Theory]
    [InlineData("AWS")]
    [InlineData("GCP")]
    public async Task WhatStandsInItIsNotCalledNewAndItIsNamedWhereItIsPassedOver(string provider)
    {
        await using Life life = await Life.StartAsync(provider);
        if (!life.IsAws)
        {
            life.Bind(await life.KeyAsync(life.Regions[0]), "roles/cloudkms.cryptoKeyEncrypter", "user:auditor@example.com");
        }

        await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        string path = Assert.Single(life.Receipts());
        JsonObject receipt = JsonNode.Parse(await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken))!.AsObject();
        Assert.True(receipt.Remove("seal"));
        await File.WriteAllTextAsync(path, receipt.ToJsonString(), TestContext.Current.CancellationToken);
        Assert.Contains(
            (await life.RunAsync("Restore-CmekAccess shop -WhatIf")).Warnings,
            w => w.Contains("passed over", StringComparison.Ordinal)
                && w.Contains(path, StringComparison.Ordinal) && w.Contains("Restore-CmekAccess -ReceiptPath", StringComparison.Ordinal));

        // Nobody is asked, for nobody has come; who is believed to have been there is said all the same.
        PowerShellResult restored = await life.TryAsync("param($Path) Restore-CmekAccess shop -ReceiptPath $Path", new { Path = path });
        Assert.Empty(restored.Errors);
        Assert.DoesNotContain(restored.Warnings, w => w.Contains("these have come", StringComparison.Ordinal));
        Assert.Contains(
            restored.Warnings,
            w => w.Contains("By the receipt alone", StringComparison.Ordinal)
                && w.Contains(life.IsAws ? "EnableIAMUserPermissions" : "auditor@example.com", StringComparison.Ordinal));
        Assert.Equal([true], (await life.RunAsync("Test-CmekAccess shop -Quiet")).Output.Select(o => o.BaseObject));
    }

    [Theory]
    [InlineData("AWS", true)]
    [InlineData("AWS", false)]
    [InlineData("GCP", true)]
    public async Task WhatWasGivenBackFromItIsOpenOnNeitherMachineAndNotMissed(string provider, bool inState)
    {
        await using Life life = await Life.StartAsync(provider);
        await using SandboxShell other = await SandboxShell.StartAsync(server: life.Server);
        await life.RunAsync("Revoke-CmekAccess shop -Force");
        JsonObject sealedElsewhere = JsonNode.Parse(
            await File.ReadAllTextAsync(Assert.Single(life.Receipts()), TestContext.Current.CancellationToken))!.AsObject();
        sealedElsewhere["seal"]!["key"] = "another-machine";
        string folder = Path.Combine(other.StateFolder, inState ? "receipts" : "copied");
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, "shop.json");
        string text = sealedElsewhere.ToJsonString();
        await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);

        // Open as long as nothing was given back.
        Assert.Equal(inState ? 1 : 0, (await other.RunAsync("Get-CmekReceipt -Open")).Expect().Output.Count);
        PowerShellResult first = await other.RunAsync("param($Path) Restore-CmekAccess shop -ReceiptPath $Path -Wait", new { Path = path });
        Assert.Empty(first.Errors);
        Assert.Empty((await other.RunAsync("Get-CmekReceipt -Open")).Expect().Output);
        PowerShellResult again = (await other.RunAsync("Restore-CmekAccess shop -Wait")).Expect();
        Assert.DoesNotContain(again.Warnings, w => w.Contains("no open receipt", StringComparison.Ordinal));
        Assert.Equal(text, await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken));
        if (inState)
        {
            CmekReceipt closed = Assert.Single((await other.RunAsync("Get-CmekReceipt")).Expect().Values<CmekReceipt>());
            Assert.Equal((CmekSealState.Elsewhere, true), (closed.Seal, closed.RestoredAt is not null));
        }

        // Where it was cut: a restore that sees all back closes it.
        Assert.Single((await life.RunAsync("Get-CmekReceipt -Open")).Output);
        await life.RunAsync("Restore-CmekAccess shop");
        Assert.Empty((await life.RunAsync("Get-CmekReceipt -Open")).Output);
    }

    [Fact]
    public async Task WhoHasComeIsAskedAboutAndWhereNobodyAnswersTheParameterThatDoesIsNamed()
    {
        await using Life life = await Life.StartAsync("GCP");
        string key = await life.KeyAsync(life.Regions[0]);
        await life.RunAsync("Revoke-CmekAccess shop -Force -KeyOnly");
        life.Bind(key, "roles/cloudkms.cryptoKeyDecrypter", "user:new@example.com");
        string path = Assert.Single(life.Receipts());
        ErrorRecord error = (await life.TryAsync("Restore-CmekAccess shop")).ExpectError("NobodyToAsk,");
        Assert.Contains("-AcceptChanges", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("-Force", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        Assert.Empty(
            (await life.TryAsync("param($Path) Restore-CmekAccess shop -ReceiptPath $Path -AcceptChanges", new { Path = path })).Errors);
    }
}
