using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests;

/// <summary>The program <c>cmek</c>, run as a process.</summary>
public sealed class HostTests : IDisposable
{
    private const string Stub =
        """
        function Test-Broken {
            [CmdletBinding()] param()
            $record = [System.Management.Automation.ErrorRecord]::new([Exception]::new('it broke'), 'Test.Broken', 'ResourceBusy', 'key')
            $record.ErrorDetails = [System.Management.Automation.ErrorDetails]::new('it broke')
            $record.ErrorDetails.RecommendedAction = 'Mend it.'
            $PSCmdlet.WriteError($record)
        }
        function Test-Ask {
            [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param()
            if ($PSCmdlet.ShouldProcess('key', 'delete')) { 'deleted' }
        }
        function Test-Progress {
            [CmdletBinding()] param()
            $record = [System.Management.Automation.ProgressRecord]::new(1, 'Enabling', 'region 1')
            $PSCmdlet.WriteProgress($record)
            $PSCmdlet.WriteProgress($record)
            $record.RecordType = 'Completed'
            $PSCmdlet.WriteProgress($record)
        }
        """;

    private static readonly string s_host = ExternalProgram.HostAssembly;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("cmek-host-");

    public HostTests() => File.WriteAllText(StubPath, Stub);

    private string StubPath => Path.Combine(_folder.FullName, "stub.psm1");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("'fine'", 0)]
    [InlineData("exit 9", 9)]
    [InlineData("throw 'x'", 1)]
    [InlineData("Test-Broken; 'fine'", 0)]
    [InlineData("'fine'; Test-NoSuchThing", 1)]
    [InlineData("if (", 1)]
    public async Task ACommandEndsWithTheCodeThatPwshWouldGive(string command, int code) =>
        Assert.Equal(code, (await RunAsync("--module", StubPath, "-c", command)).Code);

    [Theory]
    [InlineData("exit", 3)]
    [InlineData("throw", 1)]
    [InlineData("run on", 0)]
    public async Task AScriptGetsItsArgumentsAndEndsWithItsOwnCode(string how, int code)
    {
        string script = Path.Combine(_folder.FullName, "it's one.ps1");
        await File.WriteAllTextAsync(
            script,
            "param([string] $How, [switch] $On, [Parameter(ValueFromRemainingArguments)] $Rest) \"$How|$On|$Rest\"; if ($How -eq 'exit') { exit 3 }; if ($How -eq 'throw') { throw 'no' }",
            TestContext.Current.CancellationToken);
        FinishedProgram run = await RunAsync("--module", StubPath, "run", script, "-How", how, "-On", "$(exit 7)", "it's");
        Assert.Equal($"{how}|True|$(exit 7) it's", run.Output.Trim());
        Assert.Equal(code, run.Code);
    }

    [Fact]
    public async Task AnErrorIsOnTheErrorStreamWithItsIdAndWhatToDo()
    {
        FinishedProgram run = await RunAsync("--module", StubPath, "-c", "Test-Broken; [pscustomobject]@{ Name = 'prod' }");
        Assert.Matches(@"^\s*Name\s+-+\s+prod\s*$", run.Output);
        foreach (string part in new[] { "Test-Broken: it broke", "Recommendation: Mend it.", "ResourceBusy, Test.Broken" })
            Assert.Contains(part, run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', run.Output + run.Errors);
    }

    [Fact]
    public async Task AQuestionThatNobodyCanAnswerIsRefused()
    {
        FinishedProgram run = await RunAsync("--module", StubPath, "-c", "Test-Ask");
        Assert.DoesNotContain("deleted", run.Output, StringComparison.Ordinal);
        Assert.Contains("not a terminal", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ProgressWithoutATerminalIsALineAtTheStartAndOneAtTheEnd()
    {
        FinishedProgram run = await RunAsync("--module", StubPath, "-c", "Test-Progress");
        Assert.Equal(["Enabling...", "Enabling: done"], run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Empty(run.Output);
    }

    [Theory]
    [InlineData]
    [InlineData("nonsense")]
    [InlineData("run")]
    [InlineData("sandbox", "--port", "70000")]
    public async Task WhatIsNotUnderstoodIsAUsageError(params string[] arguments)
    {
        FinishedProgram run = await RunAsync(arguments);
        Assert.Equal(2, run.Code);
        Assert.Empty(run.Output);
        Assert.StartsWith("cmek: ", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task OnATerminalErrorsAreRedUnlessColoursAreUnwanted(bool noColor)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && ExternalProgram.Exists("script"), "The program 'script', which makes a terminal, is not on PATH.");
        FinishedProgram run = await RunProgramAsync(
            "script",
            ["-qec", $"dotnet '{s_host}' --module '{StubPath}' -c Test-Broken", "/dev/null"],
            noColor);
        Assert.Equal(1, run.Code);
        Assert.Contains("Test-Broken: it broke", run.Output, StringComparison.Ordinal);
        Assert.Equal(!noColor, run.Output.Contains("\e[31;1m", StringComparison.Ordinal));
    }

    private static Task<FinishedProgram> RunAsync(params IEnumerable<string> arguments) => RunProgramAsync("dotnet", [s_host, .. arguments], noColor: false);

    private static Task<FinishedProgram> RunProgramAsync(string program, IEnumerable<string> arguments, bool noColor) =>
        ExternalProgram.RunAsync(program, arguments, [("TERM", "xterm"), ("NO_COLOR", noColor ? "1" : null)]);
}
