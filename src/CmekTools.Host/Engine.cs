using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using CmekTools.Host.Terminal;

namespace CmekTools.Host;

/// <summary>A runspace of the PowerShell engine with the module in it.</summary>
internal sealed class Engine : IDisposable
{
    private const string SucceededVariable = "CmekHostSucceeded";
    private static readonly string[] s_spoken = ["Write-Host", "Write-Output", "Write-Verbose", "Write-Warning", "Write-Error"];

    private readonly Runspace _runspace;
    private readonly ConsoleHost _host;
    private readonly CancellationToken _stop;

    private Engine(Runspace runspace, ConsoleHost host, CancellationToken stop)
    {
        _runspace = runspace;
        _host = host;
        _stop = stop;
    }

    /// <summary>Opens the runspace.</summary>
    public static Engine Open(ConsoleHost host, CancellationToken stop)
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();

        // The engine's own view of errors leaves out the category and the id; the first view that fits is taken.
        SessionStateFormatEntry[] own = [.. state.Formats];
        state.Formats.Clear();
        state.Formats.Add(new SessionStateFormatEntry(ErrorView()));
        state.Formats.Add(own);

        Runspace runspace = RunspaceFactory.CreateRunspace(host, state);
        runspace.Open();
        return new Engine(runspace, host, stop);
    }

    /// <summary>Defines the few commands that scripts expect and the engine lacks, and imports the module.</summary>
    /// <returns>False where the module could not be imported, which has been said.</returns>
    public async Task<bool> PrepareAsync(string modulePath)
    {
        if (!File.Exists(modulePath))
        {
            _host.UI.WriteErrorLine($"The module is not at {modulePath}. Build it first: dotnet build");
            return false;
        }

        CommandInvocationIntrinsics commands = _runspace.SessionStateProxy.InvokeCommand;
        string[] missing = [.. s_spoken.Where(name => commands.GetCommand(name, CommandTypes.Cmdlet | CommandTypes.Function) is null)];
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddScript(HostProgram.Resource("MissingCommands.ps1")).AddParameter("Missing", missing);
        await shell.InvokeAsync().ConfigureAwait(false);
        return await CallAsync("Import-Module", new() { ["Name"] = modulePath, ["ErrorAction"] = ActionPreference.Stop })
            .ConfigureAwait(false) is not null;
    }

    /// <summary>Calls one command.</summary>
    /// <returns>What it wrote, or null where it failed, which has been said.</returns>
    public async Task<IReadOnlyList<PSObject>?> CallAsync(string command, Dictionary<string, object> parameters)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddCommand(command).AddParameters(parameters);
        try
        {
            PSDataCollection<PSObject> output = await InvokeAsync(shell).ConfigureAwait(false);
            foreach (ErrorRecord record in shell.Streams.Error)
                Say(record);
            return shell.HadErrors ? null : [.. output];
        }
        catch (RuntimeException problem) when (problem is not PipelineStoppedException)
        {
            Say(problem);
            return null;
        }
    }

    /// <summary>Runs text and shows what comes out of it.</summary>
    /// <param name="text">The script.</param>
    /// <param name="isScript">The text calls a script file: its exit code is the result, whatever non-terminating errors there were.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(string text, bool isScript)
    {
        ScriptBlockAst parsed = Parser.ParseInput(text, out _, out ParseError[] errors);
        if (errors.Length > 0)
        {
            Say(new ParseException(errors));
            return 1;
        }

        // $? is lost when the pipeline ends, so the text itself puts it aside. Text in begin and process blocks takes no statement more.
        bool keepsStatus = parsed.EndBlock is { Unnamed: true };
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddScript(keepsStatus ? text + $"\n$global:{SucceededVariable} = $?" : text, useLocalScope: false);
        shell.Commands.Commands[0].MergeMyResults(PipelineResultTypes.Error, PipelineResultTypes.Output);
        shell.AddCommand("Out-Default");
        try
        {
            await InvokeAsync(shell).ConfigureAwait(false);
        }
        catch (RuntimeException problem) when (problem is not PipelineStoppedException)
        {
            Say(problem);
            return 1;
        }

        if (_host.ExitCode is int exitCode)
            return exitCode;
        if (_runspace.SessionStateProxy.GetVariable(SucceededVariable) is not false)
            return 0;
        return isScript && _runspace.SessionStateProxy.GetVariable("LASTEXITCODE") is int scriptCode ? scriptCode : 1;
    }

    /// <inheritdoc/>
    public void Dispose() => _runspace.Dispose();

    private static ExtendedTypeDefinition ErrorView() =>
        new(
            typeof(ErrorRecord).FullName!,
            [
                new FormatViewDefinition(
                    "CmekHostError",
                    CustomControl.Create(outOfBand: true)
                        .StartEntry()
                        .AddScriptBlockExpressionBinding($"[{typeof(ErrorText).FullName}]::{nameof(ErrorText.Of)}($_)")
                        .EndEntry()
                        .EndControl()),
            ]);

    private async Task<PSDataCollection<PSObject>> InvokeAsync(PowerShell shell)
    {
        _stop.ThrowIfCancellationRequested();
        using CancellationTokenRegistration registration = _stop.Register(() => shell.BeginStop(null, null));
        PSDataCollection<PSObject> output = await shell.InvokeAsync().ConfigureAwait(false);

        // A stopped pipeline may end like any other.
        _stop.ThrowIfCancellationRequested();
        return output;
    }

    private void Say(object error) => _host.UI.WriteErrorLine(ErrorText.Of(error));
}
