using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>
/// Marked secrets in every source, everything run with -Verbose and -Debug, faults that repeat them: none is found in anything that
/// was written.
/// </summary>
public sealed class SecretsTests
{
    private const string WholeLife = """
        $DebugPreference = 'Continue'; $VerbosePreference = 'Continue'; $InformationPreference = 'Continue'; $ConfirmPreference = 'None'
        Get-CmekSession | Format-List *
        Get-CmekOrganization; Get-CmekCluster
        Get-CmekCluster | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait
        Get-CmekStatus shop; Test-CmekAccess shop; Test-CmekBreakGlass shop; Export-CmekManifest shop; Export-CmekBreakGlass shop
        Update-CmekCluster shop -Rewrap -RotateKey -Wait
        Revoke-CmekAccess shop -Force
        Get-CmekReceipt | Format-List *
        Restore-CmekAccess shop
        Disable-CmekCluster shop
        Get-CmekJournal | Format-List *
        $Error | ForEach-Object { $_ | Format-List * -Force; $_.Exception.ToString(); "$($_.ErrorDetails)"; $_.ScriptStackTrace }
        """;

    [Theory]
    [InlineData("AWS", 200)]
    [InlineData("GCP", 200)]
    [InlineData("AWS", 400)]
    [InlineData("GCP", 403)]
    [InlineData("AWS", 500)]
    public async Task NoSecretIsInAnyStreamErrorOrFile(string provider, int status)
    {
        await using Life life = await Life.StartAsync(provider, enable: false);
        IReadOnlyDictionary<string, string> environment = life.Server.Environment;
        string[] secrets = [life.Server.Options.ApiKey, environment["AWS_SECRET_ACCESS_KEY"], environment["GOOGLE_SANDBOX_ACCESS_TOKEN"]];
        if (status != 200)
        {
            // A proxy between here and the service that answers with all that it got, and with what it has besides.
            life.Server.Before = request => Task.FromResult<SandboxResponse?>(
                request.IsWrite || request.Number % 5 == 0 ? Echo(request, status, secrets) : null);
        }

        PowerShellResult result = await life.TryAsync(WholeLife);
        life.Server.Before = null;
        Assert.True(status == 200 || result.Errors.Count > 0, "the faults were not met");
        StringBuilder written = new();
        written.AppendJoin('\n', result.Warnings)
            .AppendJoin('\n', result.Verbose)
            .AppendJoin('\n', result.Information)
            .AppendJoin('\n', life.Files());
        written.AppendJoin('\n', result.Progress.Select(p => $"{p.Activity} {p.StatusDescription} {p.CurrentOperation}"));
        written.AppendJoin('\n', result.Output).Append(result.Text);
        foreach (System.Management.Automation.ErrorRecord error in result.Errors)
        {
            written.AppendJoin('\n', error, error.Exception, error.ErrorDetails, error.ErrorDetails?.RecommendedAction, error.TargetObject);
        }

        string all = written.ToString();
        Assert.True(all.Length > 1000, "too little was written to have been looked at");
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, all, StringComparison.Ordinal));
        Assert.DoesNotContain("PRIVATE KEY-----MARK", all, StringComparison.Ordinal);
        if (File.Exists(SealOfTests.FilePath))
        {
            Assert.DoesNotContain(File.ReadAllText(SealOfTests.FilePath).Trim(), all, StringComparison.OrdinalIgnoreCase);
        }
        if (status != 200)
        {
            Assert.Contains(Secrets.Mask, all, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnApiKeyThatIsRefusedOrMisspeltIsNotRepeated()
    {
        const string Key = "CCDB1_abcdefghijklmnopqrstuv_MARKEDMARKEDMARKEDMARKEDMARKEDMARKEDMARK";
        await using SandboxShell shell = await SandboxShell.StartAsync(SandboxShell.Fast);
        foreach (string bad in (string[])[Key, Key + "\u00e9", Key + " x"])
        {
            PowerShellResult result = await shell.RunAsync(
                "param($Key, $Server) Connect-CmekCloud -Server $Server -ApiKey (ConvertTo-SecureString $Key -AsPlainText "
                    + "-Force) -Verbose -Debug",
                new { Key = bad, Server = shell.Server.BaseAddress });
            Assert.Single(result.Errors);
            string all = string.Join(
                '\n',
                result.Errors.Select(
                    e => $"{e} {e.Exception} {e.ErrorDetails} {e.TargetObject}").Concat(result.Verbose).Concat(result.Warnings));
            Assert.DoesNotContain("MARKED", all, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void WhatIsASecretByItsFormIsHiddenTooAndSentencesAreLeftAlone()
    {
        Assert.Equal($"Bearer {Secrets.Mask}", Secrets.Hide("Bearer abcdefghijklmnopqrstuvwxyz0123456789"));
        Assert.Equal($"x {Secrets.Mask} y", Secrets.Hide("x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y"));
        Assert.Equal(Secrets.Mask, Secrets.Hide("ya29.a0AfH6SMBxxxxxxxx"));
        Assert.Equal("the bearer of bad news", Secrets.Hide("the bearer of bad news"));
        Secrets.Note("short", null, " ");
        Assert.Equal("a short sentence", Secrets.Hide("a short sentence"));
    }

    private static SandboxResponse Echo(SandboxRequest request, int status, string[] secrets)
    {
        StringBuilder text = new("refused: ");
        foreach (string? name in request.Headers.AllKeys)
        {
            text.Append(name).Append(": ").Append(request.Headers[name]).Append("; ");
        }

        text.AppendJoin(' ', secrets).Append(" -----BEGIN PRIVATE KEY-----MARKED-----END PRIVATE KEY-----");
        JsonObject error = new() { ["code"] = 7, ["message"] = text.ToString(), ["status"] = "PERMISSION_DENIED" };
        JsonObject body = request.Service switch
        {
            "cloud" => new JsonObject { ["code"] = 3, ["message"] = text.ToString() },
            "kms" => new JsonObject { ["__type"] = "KMSInternalException", ["message"] = text.ToString() },
            _ => new JsonObject { ["error"] = error },
        };
        return SandboxResponse.Json(body, status);
    }
}
