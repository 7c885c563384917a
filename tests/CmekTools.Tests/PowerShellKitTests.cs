using System.Management.Automation;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests;

public sealed class PowerShellKitTests
{
    [Fact]
    public async Task StreamsAndParametersArriveWhereTheyBelong()
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync(string.Empty);
        PowerShellResult result = await shell.InvokeAsync(
            """
            function Test-Streams {
                [CmdletBinding()] param($Name)
                $PSCmdlet.WriteVerbose('v'); $PSCmdlet.WriteWarning('w')
                $record = [System.Management.Automation.ErrorRecord]::new([Exception]::new('e'), 'Test.Id', 'ResourceBusy', $Name)
                $PSCmdlet.WriteError($record)
                [pscustomobject]@{ Name = $Name; Size = 3 }
            }
            Test-Streams @args -Verbose
            """);
        ErrorRecord error = result.ExpectError("Test.Id");
        Assert.Equal(ErrorCategory.ResourceBusy, error.CategoryInfo.Category);
        Assert.Equal(["v"], result.Verbose);
        Assert.Equal(["w"], result.Warnings);

        result = (await shell.InvokeAsync("param($Name) Test-Streams $Name -ErrorAction Ignore", new { Name = "prod" })).Expect();
        Assert.Matches(@"Name\s+Size\s+-+\s+-+\s+prod\s+3", result.Text);
    }

    [Fact]
    public async Task AQuestionIsRecordedAndAnswered()
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync(string.Empty);
        shell.Answer("N", "Y");
        const string Script =
            "function Test-Ask { [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param() if "
                + "($PSCmdlet.ShouldProcess('key', 'delete')) { 'done' } } Test-Ask";
        Assert.Empty((await shell.InvokeAsync(Script)).Expect().Output);
        Assert.Equal(["done"], (await shell.InvokeAsync(Script)).Expect().Values<string>());
        Assert.Equal(2, shell.Host.Questions.Count);
        Assert.Contains("delete", shell.Host.Questions[0].Message, StringComparison.Ordinal);
        Assert.Contains("prepared no answer", Assert.Single((await shell.InvokeAsync(Script)).Errors).ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AScriptIsStoppedInTheMiddle()
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync(string.Empty);
        RunningScript running = shell.Start("'begun'; while ($true) { [Threading.Tasks.Task]::Delay(10).GetAwaiter().GetResult() }");
        await running.WaitForOutputAsync();
        PowerShellResult result = await running.StopAsync();
        Assert.Equal(PSInvocationState.Stopped, result.State);
        Assert.Equal(["begun"], result.Expect().Values<string>());
    }

    [Fact]
    public async Task SessionsDoNotSeeEachOther()
    {
        await using PowerShellSession one = await PowerShellSession.OpenAsync(string.Empty);
        await using PowerShellSession two = await PowerShellSession.OpenAsync(string.Empty);
        await Task.WhenAll(one.InvokeAsync("$global:x = 1"), two.InvokeAsync("$global:x = 2"));
        Assert.Equal([1], (await one.InvokeAsync("$x")).Values<int>());
        Assert.Equal([2], (await two.InvokeAsync("$x")).Values<int>());
    }

    [Fact]
    public async Task TheBuiltModuleIsSharedByTheSessionsOfAProcess()
    {
        await using PowerShellSession one = await PowerShellSession.OpenAsync();
        await using PowerShellSession two = await PowerShellSession.OpenAsync();
        const string Script = "(Get-Command -Module CmekTools -Name Get-CmekCluster).ImplementingType";
        Type first = Assert.Single((await one.InvokeAsync(Script)).Expect().Values<Type>());
        Assert.Same(first, Assert.Single((await two.InvokeAsync(Script)).Expect().Values<Type>()));
    }
}
