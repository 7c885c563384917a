using System.Management.Automation;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>A key goes only where no cluster lists it.</summary>
public sealed class RemoveKeyTests
{
    [Theory]
    [InlineData("AWS", "-AliasName second")]
    [InlineData("GCP", "-KeyRing second")]
    public async Task AKeyThatAClusterListsIsRefusedAlsoWhenItIsAPastOne(string provider, string other)
    {
        await using Life life = await Life.StartAsync(provider);
        string uri = await life.KeyAsync(life.Regions[0]);
        ErrorRecord error = (
            await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = uri })).ExpectError("KeyInUse");
        Assert.Equal(ErrorCategory.InvalidOperation, error.CategoryInfo.Category);
        Assert.Contains($"shop/{life.Regions[0]} (in use, ENABLED, as ", error.Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(life.Regions[1], error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        await life.RunAsync(
            $"New-CmekKey shop -Region {life.Regions[0]} {other} | Grant-CmekAccess | Update-CmekCluster -Wait "
                + "-WarningAction SilentlyContinue");
        error = (await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = uri })).ExpectError("KeyInUse");
        Assert.Contains($"shop/{life.Regions[0]} (past, DISABLED, as ", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
        Assert.Equal(CmekKeyState.Enabled, await life.KeyStateAsync(uri));
    }

    [Fact]
    public async Task AKeyThatIsNamedByItsProjectsNumberIsTheSameKey()
    {
        await using Life life = await Life.StartAsync("GCP");
        string uri = await life.KeyAsync(life.Regions[0]);
        string byNumber = uri.Replace(life.Server.Options.GoogleProject, "123456789012", StringComparison.Ordinal);
        Assert.NotEqual(uri, byNumber);
        ErrorRecord error = (
            await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = byNumber })).ExpectError("KeyInUse");
        Assert.Contains($"shop/{life.Regions[0]}", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Fact]
    public async Task WhereNobodyCanAnswerNothingIsDeletedAndTheParameterThatDoesIsNamed()
    {
        await using Life life = await Life.StartAsync("AWS");
        string uri = (await life.RunAsync($"(New-CmekKey shop -Region {life.Regions[0]} -AliasName spare).KeyUri")).Values<string>()[0];
        ErrorRecord error = (await life.TryAsync("param($Uri) Remove-CmekKey $Uri", new { Uri = uri })).ExpectError("NobodyToAsk,");
        Assert.EndsWith("Nothing was deleted; give -Confirm:$false.", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("-Confirm:$false", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("-Force", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        error = (await life.TryAsync("Revoke-CmekAccess shop -ServiceOnly")).ExpectError("NobodyToAsk,");
        Assert.EndsWith("The service was not told; give -Force.", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("-Force", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        error = (await life.TryAsync("Revoke-CmekAccess shop -KeyOnly")).ExpectError("NobodyToAsk,");
        Assert.EndsWith("Nothing was cut; give -Force.", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", "-AliasName spare")]
    [InlineData("GCP", "-KeyRing spare")]
    public async Task AnUnusedKeyGoesAfterAQuestion(string provider, string other)
    {
        await using Life life = await Life.StartAsync(provider);
        string uri = (await life.RunAsync($"(New-CmekKey shop -Region {life.Regions[0]} {other}).KeyUri")).Values<string>()[0];
        life.Shell.Shell.Answer("N");
        await life.RunAsync("param($Uri) Get-CmekKey $Uri | Remove-CmekKey", new { Uri = uri });
        AskedQuestion question = Assert.Single(life.Shell.Shell.Host.Questions);
        Assert.Contains(uri, question.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);

        life.Shell.Shell.Answer("Y");
        CmekKey key = Assert.Single(
            (
                await life.RunAsync(
                    $"param($Uri) Get-CmekKey $Uri | Remove-CmekKey {(life.IsAws ? "-PendingWindowInDays 7" : string.Empty)}",
                    new { Uri = uri })).Values<CmekKey>());
        Assert.Equal(
            life.IsAws
                ? ["kms:ScheduleKeyDeletion"]
                : ["gcp-kms:cryptoKeys.patch", "gcp-kms:cryptoKeyVersions.patch", "gcp-kms:cryptoKeyVersions.destroy"],
            life.Writes);
        Assert.Equal(CmekKeyState.PendingDeletion, key.State);
        Assert.True(key.Changed);
        if (life.IsAws)
        {
            Assert.Equal(7, (int)life.Sent("ScheduleKeyDeletion")[0]["PendingWindowInDays"]!);
            Assert.Equal(7, (key.DeletionDate!.Value - DateTimeOffset.UtcNow).TotalDays, 0.1);
        }

        PowerShellResult again = await life.RunAsync("param($Uri) Remove-CmekKey $Uri -Verbose", new { Uri = uri });
        Assert.Empty(life.Writes);
        Assert.Equal(2, life.Shell.Shell.Host.Questions.Count);
        Assert.Contains(again.Verbose, v => v.Contains("nothing was changed", StringComparison.Ordinal));
        Assert.Equal(CmekState.ENABLED, (await life.StatusAsync()).State);
    }

    [Fact]
    public async Task AClusterThatCannotBeReadCountsAsUsingTheKey()
    {
        await using Life life = await Life.StartAsync("AWS");
        string uri = (await life.RunAsync("(New-CmekKey shop -Region us-east-1 -AliasName spare).KeyUri")).Values<string>()[0];
        life.Server.Before = r => Task.FromResult(
            r.Operation == "GetCmek"
                ? new SandboxResponse { Status = 403, Body = """{"code":7,"message":"not yours","details":[]}""" }
                : null);
        ErrorRecord error = (
            await life.TryAsync("param($Uri) Remove-CmekKey $Uri -Confirm:$false", new { Uri = uri })).ExpectError("KeyInUse");
        Assert.Contains("shop", error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("not yours", error.Exception.Message, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("AWS", 6)]
    [InlineData("AWS", 31)]
    public async Task ADayThatKmsDoesNotTakeIsRefusedWithoutARequest(string provider, int days)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        (
            await life.TryAsync(
                "param($Days) Remove-CmekKey arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab "
                    + "-PendingWindowInDays $Days",
                new { Days = days })).ExpectError("ParameterArgumentValidationError");
        Assert.Empty(life.Server.Exchanges);
    }
}
