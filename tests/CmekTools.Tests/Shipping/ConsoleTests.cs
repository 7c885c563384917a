using System.Diagnostics;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The real PowerShell as a process: questions at its input, Ctrl-C, and a terminal.</summary>
public sealed class ConsoleTests : IDisposable
{
    private const string Begin = """
        Import-Module $env:CMEKTOOLS_MODULE
        $sandbox = Start-CmekSandbox 'shop=AWS:us-east-1' -StateTime $env:STATE_TIME -RateLimit 0
        $null = Connect-CmekCloud -Sandbox $sandbox
        $access = New-CmekKey shop | Grant-CmekAccess
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("y", "ENABLING")]
    [InlineData("n", "DISABLED")]
    public async Task AQuestionShowsWhatWouldBeSentAndIsObeyed(string answer, string state)
    {
        string script = _folder.Write("confirm.ps1", Begin + """

            $null = $access | Enable-CmekCluster -Confirm
            "state $((Get-CmekStatus shop).State)"
            """);
        FinishedProgram run = (
            await ExternalProgram.PwshAsync(["-NoProfile", "-File", script], Variables("01:00:00"), answer + "\n")).Expect();
        Assert.Contains("enable CMEK in us-east-1", run.Output, StringComparison.Ordinal);
        Assert.Contains("\"region_specs\"", run.Output, StringComparison.Ordinal);
        Assert.Contains("[Y] Yes  [A] Yes to All  [N] No", run.Output, StringComparison.Ordinal);
        Assert.Equal($"state {state}", run.Output.TrimEnd().Split('\n')[^1].Trim());
    }

    [Fact]
    public async Task WhereNobodyCanAnswerNothingIsCutOff()
    {
        string script = _folder.Write("unattended.ps1", Begin + """

            $null = $access | Enable-CmekCluster -Wait
            Revoke-CmekAccess shop
            "state $((Get-CmekStatus shop).State)"
            """);
        FinishedProgram run = await ExternalProgram.PwshAsync(["-NoProfile", "-NonInteractive", "-File", script], Variables("00:00:00.05"));
        Assert.Contains("state ENABLED", run.Output, StringComparison.Ordinal);
        Assert.Contains("NonInteractive", run.Errors.ReplaceLineEndings(" "), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("$PSStyle.OutputRendering = 'Ansi'", true)]
    public async Task StatesHaveNoColourInAFileUnlessItIsAskedFor(string first, bool coloured)
    {
        string script = _folder.Write("colours.ps1", first + "\n" + Begin + """

            $null = $access | Enable-CmekCluster -Wait
            Get-CmekStatus shop
            Get-CmekStatus shop | Format-List
            """);
        FinishedProgram run = (
            await ExternalProgram.PwshAsync(["-NoProfile", "-File", script], Variables("00:00:00.05"))).Expect();
        Assert.Contains("ENABLED", run.Output, StringComparison.Ordinal);
        Assert.Equal(coloured, run.Output.Contains("\u001b[32mENABLED", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CtrlCEndsAWaitSaysNoErrorAndStopsTheScript()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no SIGINT on Windows.");
        string script = _folder.Write("wait.ps1", Begin + """

            $null = $access | Enable-CmekCluster
            'begun'
            Wait-CmekStatus shop
            'not stopped'
            """);
        string[] lines = await InterruptAsync(script, l => l == "begun");
        Assert.DoesNotContain("not stopped", lines);
        Assert.DoesNotContain(
            lines,
            l => l.Contains("Wait-CmekStatus:", StringComparison.Ordinal) || l.Contains("cancel", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task CtrlCEndsAServingSandbox()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no SIGINT on Windows.");
        string script = _folder.Write("serve.ps1", "Import-Module $env:CMEKTOOLS_MODULE; Start-CmekSandbox -Wait -As Env; 'not stopped'");
        string[] lines = await InterruptAsync(script, l => l.Contains("serves until Ctrl-C", StringComparison.Ordinal));
        Assert.DoesNotContain("not stopped", lines);
        string address = lines.Single(l => l.StartsWith("AWS_ENDPOINT_URL=", StringComparison.Ordinal)).Split('=', 2)[1];
        using HttpClient client = new();
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri(address), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("Minimal", 80)]
    [InlineData("Classic", 120)]
    public async Task ProgressIsSeenOnATerminalAndGoneAfterwards(string view, int columns)
    {
        ExternalProgram.Need("tmux");
        string signal = Guid.NewGuid().ToString("N");
        string socket = Path.Combine(_folder.Path, "tmux");

        // The terminal's text is kept while the wait shows its progress, and when it is over.
        string script = _folder.Write("progress.ps1", Begin + $$"""

            $watch = {
                $looks = 0
                do {
                    $text = (tmux -S '{{socket}}' capture-pane -p -t screen) -join "`n"
                } until ($text -match 'us-east-1=ENABLING' -or ++$looks -ge 2000)
                [System.IO.File]::WriteAllText('{{_folder.Path}}/during.txt', $text)
            }
            $PSStyle.Progress.View = '{{view}}'
            $null = $access | Enable-CmekCluster
            $watching = Start-ThreadJob $watch
            $null = Wait-CmekStatus shop
            $null = $watching | Receive-Job -Wait -AutoRemoveJob
            Get-CmekStatus shop | Out-Default
            tmux -S '{{socket}}' capture-pane -p -t screen > '{{_folder.Path}}/after.txt'
            """);
        _folder.Write("run.sh", $"""
            export CMEKTOOLS_MODULE='{PowerShellSession.ModuleManifest}' CMEKTOOLS_STATE='{_folder.Path}/state'
            export STATE_TIME=00:00:03 TERM=xterm-256color
            dotnet '{ExternalProgram.PowerShellProgram}' -NoProfile -File '{script}' 2> '{_folder.Path}/errors.txt'
            tmux -S '{socket}' wait-for -S {signal}
            """);
        string start = $"tmux -S '{socket}' -f /dev/null new-session -d -s screen -x {columns} -y 40 \"sh "
            + $"'{_folder.Path}/run.sh'; exec cat\" && "
            + $"tmux -S '{socket}' wait-for {signal}; tmux -S '{socket}' kill-server";
        (await ExternalProgram.RunAsync("sh", ["-c", start], [("TMUX", null)])).Expect();
        string errors = await File.ReadAllTextAsync(Path.Combine(_folder.Path, "errors.txt"), TestContext.Current.CancellationToken);
        Assert.True(errors.Length == 0, errors);
        string during = await File.ReadAllTextAsync(Path.Combine(_folder.Path, "during.txt"), TestContext.Current.CancellationToken);
        string after = await File.ReadAllTextAsync(Path.Combine(_folder.Path, "after.txt"), TestContext.Current.CancellationToken);
        Assert.Matches(@"(?i)(waiting|enabl)[^\n]*shop", during);
        Assert.Contains("us-east-1=ENABLING", during, StringComparison.Ordinal);
        Assert.DoesNotContain("us-east-1=ENABLING", after, StringComparison.Ordinal);
        Assert.Contains("us-east-1=ENABLED", after, StringComparison.Ordinal);
    }

    private (string, string?)[] Variables(string stateTime) =>
    [
        ("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest),
        ("CMEKTOOLS_STATE", Path.Combine(_folder.Path, "state")),
        ("STATE_TIME", stateTime),
    ];

    // Runs a script until a line comes, sends what Ctrl-C sends, and gives all that it wrote, errors too.
    private async Task<string[]> InterruptAsync(string script, Predicate<string> when)
    {
        string[] command = ["dotnet", ExternalProgram.PowerShellProgram, "-NoProfile", "-File", script];
        if (InterruptIsIgnored())
        {
            // Whoever runs the tests in the background of a shell has SIGINT ignored, and every child inherits that.
            command = ["env", "--default-signal=INT", .. command];
        }

        ProcessStartInfo start = new(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string? value) in Variables("01:00:00").Append(("NO_COLOR", "1")))
        {
            start.Environment[name] = value;
        }

        // A script that is not stopped would wait for an hour.
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromMinutes(2));
        CancellationToken stop = patience.Token;
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> errors = process.StandardError.ReadToEndAsync(stop);
            List<string> lines = [];
            bool told = false;
            while (await process.StandardOutput.ReadLineAsync(stop) is { } line)
            {
                lines.Add(line.TrimEnd());
                if (!told && when(line))
                {
                    told = true;
                    using Process kill = Process.Start(
                        "kill",
                        ["-INT", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
                    await kill.WaitForExitAsync(stop);
                }
            }

            await process.WaitForExitAsync(stop);
            Assert.True(told, string.Join('\n', lines) + await errors);
            return [.. lines, .. (await errors).Split('\n')];
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private static bool InterruptIsIgnored()
    {
        const int Interrupt = 2;
        const string Status = "/proc/self/status";
        string? ignored = File.Exists(Status)
            ? File.ReadLines(Status).FirstOrDefault(l => l.StartsWith("SigIgn:", StringComparison.Ordinal))
            : null;
        return ignored is not null && (Convert.ToUInt64(ignored["SigIgn:".Length..].Trim(), 16) & (1UL << (Interrupt - 1))) != 0;
    }
}
