using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.BreakGlass;

/// <summary>What a pipeline or a scheduler sees of a break-glass: the code with which PowerShell ends.</summary>
public sealed class ScriptTests
{
    private const string Connect = """
        Import-Module $env:CMEKTOOLS_MODULE
        $environment = [Collections.Generic.Dictionary[string, string]]::new()
        foreach ($v in 'COCKROACH_API_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY') {
            $environment[$v] = [Environment]::GetEnvironmentVariable("TEST_$v")
        }
        $sandbox = [CmekTools.CmekSandbox]@{ BaseAddress = $env:TEST_ADDRESS; Environment = $environment }
        $null = Connect-CmekCloud -Sandbox $sandbox -StateFolder $env:TEST_STATE
        """;

    private static string Runbook { get; } = Path.Combine(ExternalProgram.RepositoryRoot, "runbooks", "emergency-revoke.ps1");

    [Theory]
    [InlineData("Revoke-CmekAccess shop")]
    [InlineData("$ErrorActionPreference = 'stop'; Revoke-CmekAccess shop")]
    [InlineData("& $env:RUNBOOK -ClusterName shop")]
    public async Task WhereNobodyCanBeAskedNothingIsCutAndTheCodeSaysSo(string script)
    {
        await using Life life = await Life.StartAsync("AWS");
        FinishedProgram run = await RunAsync(life, script);
        Assert.NotEqual(0, run.Code);
        Assert.Contains("Nothing was cut; give -Force", run.Output + run.Errors, StringComparison.Ordinal);
        Assert.Empty(life.Writes);
    }

    [Theory]
    [InlineData("nothing", true)]
    [InlineData("one key is not found", false)]
    [InlineData("grants may not be read", false)]
    [InlineData("the service is down", false)]
    public async Task TheRunbookEndsWithZeroOnlyWhereEveryKeyIsCutAndTheServiceRevoked(string wrong, bool well)
    {
        await using Life life = await Life.StartAsync("AWS");
        string key = await life.KeyAsync(life.Regions[0]);
        life.Answer(r => wrong switch
        {
            "one key is not found" when r.Service == "kms" && r.Names(key) => Faults.Missing,
            "grants may not be read" when r.Operation == "ListGrants" => Faults.Refused,
            "the service is down" when r.Operation == "UpdateCmekStatus" => new CmekTools.Sandbox.SandboxResponse
            {
                Status = 403,
                Body = "{\"code\":7,\"message\":\"no\"}",
            },
            _ => null,
        });
        FinishedProgram run = await RunAsync(life, "& $env:RUNBOOK -ClusterName shop -Force");
        Assert.True((run.Code == 0) == well, $"code {run.Code}\n{run.Output}\n{run.Errors}");
        if (!well)
        {
            Assert.Contains("is not cut off for certain", run.Output + run.Errors, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("powershell.md", "nothing", true)]
    [InlineData("powershell.md", "grants may not be read", false)]
    [InlineData("github-actions.md", "nothing", true)]
    [InlineData("github-actions.md", "grants may not be read", false)]
    public async Task WhatThePagesTellToRunEndsWithZeroOnlyWhereEveryKeyIsCut(string page, string wrong, bool well)
    {
        string text = await File.ReadAllTextAsync(
            Path.Combine(ExternalProgram.RepositoryRoot, "docs", "automation", page),
            TestContext.Current.CancellationToken);
        string script = page == "powershell.md"
            ? Assert.Single(text.Split("```powershell\n"), b => b.StartsWith("$last = @(Revoke-CmekAccess", StringComparison.Ordinal))
                .Split("```")[0]
            : System.Text.RegularExpressions.Regex.Match(text, "`(\\./runbooks/emergency-revoke\\.ps1 [^`]+)`").Groups[1].Value;
        await using Life life = await Life.StartAsync("AWS");
        life.Answer(r => wrong != "nothing" && r.Operation == "ListGrants" ? Faults.Refused : null);

        // As GitHub begins every step.
        FinishedProgram run = await RunAsync(
            life,
            $"$ErrorActionPreference = 'stop'; Set-Location '{ExternalProgram.RepositoryRoot}'\n{script}");
        Assert.Contains(life.Writes, w => w == "kms:PutKeyPolicy");
        Assert.True((run.Code == 0) == well, $"code {run.Code}\n{run.Output}\n{run.Errors}");
    }

    [Theory]
    [InlineData("nothing", 0)]
    [InlineData("grants may not be read", 1)]
    [InlineData("the service is down", 2)]
    public async Task TheScriptForSystemsManagerEndsWithTheCodeThatThePageTells(string wrong, int code)
    {
        string page = await File.ReadAllTextAsync(
            Path.Combine(ExternalProgram.RepositoryRoot, "docs", "automation", "aws-systems-manager.md"),
            TestContext.Current.CancellationToken);
        string[] lines = page.Split('\n');
        int from = Array.FindIndex(lines, l => l.EndsWith("<<'SCRIPT'", StringComparison.Ordinal)) + 1;
        int to = Array.FindIndex(lines, from, l => l.Trim() == "SCRIPT");
        string script = string.Join('\n', lines[from..to])
            .Replace("Import-Module CmekTools -ErrorAction Stop", Connect, StringComparison.Ordinal)
            .Replace("$null = Connect-CmekCloud -ErrorAction Stop", string.Empty, StringComparison.Ordinal);
        using TempFolder folder = new();
        string path = folder.Write("revoke.ps1", script);
        await using Life life = await Life.StartAsync("AWS");
        life.Answer(r => wrong switch
        {
            "grants may not be read" when r.Operation == "ListGrants" => Faults.Refused,
            "the service is down" when r.Operation == "UpdateCmekStatus" =>
                new CmekTools.Sandbox.SandboxResponse { Status = 403, Body = "{}" },
            _ => null,
        });
        FinishedProgram run = await RunAsync(life, $"& '{path}' -ClusterName shop -KeyOnly no; exit $LASTEXITCODE");
        Assert.True(run.Code == code, $"code {run.Code}\n{run.Output}\n{run.Errors}");
    }

    private static Task<FinishedProgram> RunAsync(Life life, string script)
    {
        life.Server.ClearExchanges();
        return ExternalProgram.PwshAsync(["-NoProfile", "-NonInteractive", "-Command", Connect + "\n" + script],
        [
            ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest),
            ("RUNBOOK", Runbook),
            ("TEST_ADDRESS", life.Server.BaseAddress.ToString()),
            .. life.Server.Environment.Where(
                v => !v.Key.StartsWith("CLOUDSDK", StringComparison.Ordinal)).Select(v => ("TEST_" + v.Key, (string?)v.Value)),
            ("TEST_STATE", life.Shell.StateFolder),
        ]);
    }
}
