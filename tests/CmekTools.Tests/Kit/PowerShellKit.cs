using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>
/// A runspace of the real engine with the built module in it. Sessions side by side do not see each other.
/// <code>
/// await using PowerShellSession shell = await PowerShellSession.OpenAsync();
/// PowerShellResult result = await shell.InvokeAsync("param($Name) Get-CmekCluster -Name $Name", new { Name = "prod*" });
/// Assert.Equal("prod-1", result.Expect().Values&lt;CmekCluster&gt;().Single().Name);
/// </code>
/// </summary>
internal sealed class PowerShellSession : IAsyncDisposable
{
    private readonly Runspace _runspace;

    private PowerShellSession(Runspace runspace, CapturingHost host)
    {
        _runspace = runspace;
        Host = host;
    }

    /// <summary>The built module's manifest.</summary>
    public static string ModuleManifest { get; } = Path.GetFullPath(
        typeof(PowerShellSession).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(
            item => item.Key == "ModuleManifest").Value!);

    /// <summary>The host: prepared answers, and the questions that were asked.</summary>
    public CapturingHost Host { get; }

    /// <summary>Opens a session.</summary>
    /// <param name="module">The module to import; null for the built one, an empty string for none.</param>
    public static async Task<PowerShellSession> OpenAsync(string? module = null)
    {
        CapturingHost host = new();
        PowerShellSession session = new(OpenWithDrives(host), host);
        if (module != string.Empty)
        {
            PowerShellResult imported = await session.InvokeAsync(
                "param($Path) Import-Module -Name $Path -ErrorAction Stop", new { Path = module ?? ModuleManifest });
            imported.Expect();
        }

        return session;
    }

    // On a busy machine PowerShell now and then opens a runspace without the drive / (two of some thirty runs of a few classes side by
    // side), and it does not come back: every path fails with "A drive with the name '/' does not exist".
    private static Runspace OpenWithDrives(CapturingHost host)
    {
        for (int attempt = 1;; attempt++)
        {
            Runspace runspace = RunspaceFactory.CreateRunspace(host, InitialSessionState.CreateDefault2());
            runspace.Open();
            if (attempt == 5 || runspace.SessionStateProxy.Drive.GetAll().Any(d => d is { Provider.Name: "FileSystem", Name.Length: 1 }))
            {
                return runspace;
            }

            runspace.Dispose();
        }
    }

    /// <summary>Answers the next questions, in order: a choice's letter or label, or a line.</summary>
    public PowerShellSession Answer(params IEnumerable<string> answers)
    {
        foreach (string answer in answers)
            Host.Answers.Enqueue(answer);
        return this;
    }

    /// <summary>
    /// Runs a script to its end. Errors, a terminating one too, are in the result: <see cref="PowerShellResult.Expect"/> fails on
    /// them.
    /// </summary>
    /// <param name="script">The script.</param>
    /// <param name="parameters">Its parameters: a dictionary, or an anonymous object with a property for each.</param>
    public Task<PowerShellResult> InvokeAsync(string script, object? parameters = null) => Start(script, parameters).Completion;

    /// <summary>Starts a script and comes back at once.</summary>
    public RunningScript Start(string script, object? parameters = null) => new(this, Shell(script, parameters));

    /// <summary>The objects as a person would see them, by the module's views, 120 wide and without colours.</summary>
    public string Format(IEnumerable values)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddCommand("Out-Default");
        Host.TakeText();
        shell.Invoke(values);
        return Host.TakeText();
    }

    public ValueTask DisposeAsync()
    {
        _runspace.Dispose();
        return ValueTask.CompletedTask;
    }

    private PowerShell Shell(string script, object? parameters)
    {
        PowerShell shell = PowerShell.Create(_runspace);
        shell.AddScript(script);
        switch (parameters)
        {
            case null:
                break;
            case IDictionary dictionary:
                shell.AddParameters(dictionary);
                break;
            default:
                foreach (PropertyInfo property in parameters.GetType().GetProperties())
                    shell.AddParameter(property.Name, property.GetValue(parameters));
                break;
        }

        return shell;
    }
}

/// <summary>A script that runs. What it has written so far can be looked at at any time.</summary>
internal sealed class RunningScript
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly PowerShell _shell;
    private readonly PSDataCollection<PSObject> _output = [];

    internal RunningScript(PowerShellSession session, PowerShell shell)
    {
        _shell = shell;

        // Who looks while the script runs must not wait for its end, least of all on the thread that writes.
        _output.EnumeratorNeverBlocks = true;
        Completion = RunAsync(session);
    }

    /// <summary>The end of the script, however it ends.</summary>
    public Task<PowerShellResult> Completion { get; }

    /// <summary>The output up to now.</summary>
    public IReadOnlyList<PSObject> Output => [.. _output];

    /// <summary>The progress up to now.</summary>
    public IReadOnlyList<ProgressRecord> Progress => [.. _shell.Streams.Progress];

    /// <summary>What Ctrl-C does.</summary>
    /// <returns>The result; its <see cref="PowerShellResult.State"/> is Stopped unless the script had ended before.</returns>
    public async Task<PowerShellResult> StopAsync()
    {
        await _shell.StopAsync(null, null).WaitAsync(s_patience, TestContext.Current.CancellationToken);
        return await Completion.WaitAsync(s_patience, TestContext.Current.CancellationToken);
    }

    /// <summary>Waits for a progress record that fits (any, without a condition).</summary>
    public Task<ProgressRecord> WaitForProgressAsync(Func<ProgressRecord, bool>? fits = null) =>
        WaitForAsync(_shell.Streams.Progress, fits);

    /// <summary>Waits for an output object that fits (any, without a condition).</summary>
    public Task<PSObject> WaitForOutputAsync(Func<PSObject, bool>? fits = null) => WaitForAsync(_output, fits);

    /// <summary>Waits for a verbose message that fits (any, without a condition).</summary>
    public async Task<string> WaitForVerboseAsync(Func<string, bool>? fits = null) =>
        (await WaitForAsync(_shell.Streams.Verbose, record => fits?.Invoke(record.Message) ?? true)).Message;

    private async Task<T> WaitForAsync<T>(PSDataCollection<T> stream, Func<T, bool>? fits)
    {
        TaskCompletionSource<T> found = new(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(object? sender, DataAddedEventArgs e)
        {
            if (stream.FirstOrDefault(item => fits?.Invoke(item) ?? true) is { } item)
                found.TrySetResult(item);
        }

        stream.DataAdded += Look;
        try
        {
            // What is already there raises no event any more.
            Look(null, null!);
            Task first = await Task.WhenAny(found.Task, Completion).WaitAsync(s_patience, TestContext.Current.CancellationToken);
            Assert.True(first == found.Task || found.Task.IsCompleted, "The script ended before what the test waits for.");
            return await found.Task;
        }
        finally
        {
            stream.DataAdded -= Look;
        }
    }

    private async Task<PowerShellResult> RunAsync(PowerShellSession session)
    {
        ErrorRecord? failure = null;
        try
        {
            await _shell.InvokeAsync<PSObject, PSObject>(null, _output);
        }
        catch (PipelineStoppedException)
        {
            // The state says so.
        }
        catch (RuntimeException problem)
        {
            failure = problem.ErrorRecord;
        }

        PowerShellResult result = new(session, _shell, [.. _output], failure);
        foreach (ErrorRecord error in result.Errors)
        {
            ErrorPage.Expect(error);
        }

        return result;
    }
}

/// <summary>What a script left behind.</summary>
internal sealed class PowerShellResult(PowerShellSession session, PowerShell shell, IReadOnlyList<PSObject> output, ErrorRecord? failure)
{
    private string? _text;

    /// <summary>What was written.</summary>
    public IReadOnlyList<PSObject> Output { get; } = output;

    /// <summary>The error that ended the script, or null.</summary>
    public ErrorRecord? Failure { get; } = failure;

    /// <summary>All errors, <see cref="Failure"/> last.</summary>
    public IReadOnlyList<ErrorRecord> Errors { get; } = failure is null ? [.. shell.Streams.Error] : [.. shell.Streams.Error, failure];

    /// <summary>The warnings' messages.</summary>
    public IReadOnlyList<string> Warnings { get; } = [.. shell.Streams.Warning.Select(record => record.Message)];

    /// <summary>The verbose messages.</summary>
    public IReadOnlyList<string> Verbose { get; } = [.. shell.Streams.Verbose.Select(record => record.Message)];

    /// <summary>The progress records.</summary>
    public IReadOnlyList<ProgressRecord> Progress { get; } = [.. shell.Streams.Progress];

    /// <summary>What went to the information stream.</summary>
    public IReadOnlyList<InformationRecord> Information { get; } = [.. shell.Streams.Information];

    /// <summary>Completed, Failed (by a terminating error) or Stopped.</summary>
    public PSInvocationState State { get; } = shell.InvocationStateInfo.State;

    /// <summary>The output as a person would see it (formatted at the first call).</summary>
    public string Text => _text ??= session.Format(Output);

    /// <summary>The output as objects of a type; an object of another type fails the test.</summary>
    public IReadOnlyList<T> Values<T>() => [.. Output.Select(item => Assert.IsType<T>(item.BaseObject, exactMatch: false))];

    /// <summary>Fails the test if there was any error.</summary>
    public PowerShellResult Expect()
    {
        if (Errors.Count > 0)
            Assert.Fail(
                string.Join(
                    Environment.NewLine,
                    Errors.Select(error => $"{error} [{error.FullyQualifiedErrorId}]{Environment.NewLine}{error.Exception}")));
        return this;
    }

    /// <summary>The only error, whose id has to begin with the one given.</summary>
    public ErrorRecord ExpectError(string id)
    {
        ErrorRecord error = Assert.Single(Errors);
        Assert.StartsWith(id, error.FullyQualifiedErrorId, StringComparison.Ordinal);
        return error;
    }
}
