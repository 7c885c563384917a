using System.Diagnostics;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;

namespace CmekTools.Benchmarks.Processes;

/// <summary>The process of a <see cref="Worker"/>, from outside.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process _process;

    private WorkerProcess(Process process) => _process = process;

    /// <summary>What a worker has to know of a sandbox.</summary>
    /// <param name="server">The sandbox.</param>
    /// <param name="door">Its own door to it; null for the one of all.</param>
    public static IReadOnlyDictionary<string, string> Variables(SandboxServer server, Uri? door = null) =>
        new Dictionary<string, string>(server.Environment, StringComparer.Ordinal)
        {
            ["ADDRESS"] = (door ?? server.BaseAddress).ToString(),
            ["ORGANIZATION"] = server.Options.OrganizationId,
            ["PROJECT"] = server.Options.GoogleProject,
        };

    /// <summary>Starts one and waits until it is ready.</summary>
    /// <param name="server">The sandbox.</param>
    /// <param name="folder">Its state folder.</param>
    /// <param name="door">Its own door to the sandbox; null for the one of all.</param>
    /// <param name="settle">See <see cref="Commands.Settle"/>; null for what a sandbox has.</param>
    public static async Task<WorkerProcess> StartAsync(SandboxServer server, string folder, Uri? door = null, TimeSpan? settle = null)
    {
        // Beside this assembly there is the program's own, also where it is a test that runs.
        ProcessStartInfo start = new("dotnet", [typeof(WorkerProcess).Assembly.Location, "worker"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach ((string name, string value) in Variables(server, door))
        {
            start.Environment[name] = value;
        }

        start.Environment[Worker.Folder] = folder;
        if (settle is { } time)
        {
            start.Environment[Commands.Settle] = time.TotalMilliseconds.ToString("0", System.Globalization.CultureInfo.InvariantCulture);
        }

        WorkerProcess worker = new(Process.Start(start)!);
        return await worker.AnswerAsync().ConfigureAwait(false) is null
            ? worker
            : throw new InvalidOperationException("A worker did not start.");
    }

    /// <summary>Has a command run.</summary>
    /// <returns>Null where it is done, or what went wrong, <see cref="Killed"/> where the process ended.</returns>
    public async Task<string?> RunAsync(Order order)
    {
        await _process.StandardInput.WriteLineAsync(order.ToLine()).ConfigureAwait(false);
        await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        return await AnswerAsync().ConfigureAwait(false);
    }

    /// <summary>Did the last run say of all keys that they are cut?</summary>
    public bool SaidCut { get; private set; }

    /// <summary>What a run answers whose process was killed.</summary>
    public const string Killed = "killed";

    /// <summary>Ends it as nothing else does: without a word (SIGKILL).</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
    }

    private async Task<string?> AnswerAsync()
    {
        string? line = await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false);
        if (line is null)
        {
            return Killed;
        }

        JsonNode answer = JsonNode.Parse(line)!;
        SaidCut = (bool?)answer["cut"] == true;
        return answer["id"] is { } id ? $"{id}: {answer["message"]}" : null;
    }
}
