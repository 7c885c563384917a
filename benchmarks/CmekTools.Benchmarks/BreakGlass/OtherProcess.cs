using System.Diagnostics;
using System.Text.Json.Nodes;

namespace CmekTools.Benchmarks.BreakGlass;

/// <summary>One request as the other side saw it.</summary>
/// <param name="Service">The service.</param>
/// <param name="Operation">The operation.</param>
/// <param name="Region">The region that it was signed for.</param>
/// <param name="At">When it came.</param>
internal sealed record SeenRequest(string Service, string Operation, string Region, DateTimeOffset At);

/// <summary>The process with the sandbox in it.</summary>
internal sealed class OtherProcess : IAsyncDisposable
{
    private readonly Process _process;

    private OtherProcess(Process process, JsonObject variables)
    {
        _process = process;
        Variables = variables;
    }

    /// <summary>The sandbox's variables.</summary>
    public JsonObject Variables { get; }

    /// <summary>Starts it: this program again.</summary>
    public static async Task<OtherProcess> StartAsync(int clusters, string[] regions)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(OtherProcess).Assembly.Location);
        }

        foreach (
            string argument in (string[])[
                "other-side",
                "--clusters",
                clusters.ToString(System.Globalization.CultureInfo.InvariantCulture),
                "--regions",
                string.Join(',', regions),
            ])
        {
            start.ArgumentList.Add(argument);
        }

        Process process = Process.Start(start)!;
        return new OtherProcess(
            process,
            (JsonObject)JsonNode.Parse((await process.StandardOutput.ReadLineAsync().ConfigureAwait(false))!)!);
    }

    /// <summary>Tells it something.</summary>
    public async Task<JsonObject> TellAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line).ConfigureAwait(false);
        await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        return (JsonObject)JsonNode.Parse((await _process.StandardOutput.ReadLineAsync().ConfigureAwait(false))!)!;
    }

    /// <summary>What came and was answered well since it was told to begin.</summary>
    public async Task<SeenRequest[]> ReportAsync() =>
    [
        .. ((JsonArray)(await TellAsync("report").ConfigureAwait(false))["requests"]!).Select(r => new SeenRequest(
            (string)r!["service"]!, (string)r["operation"]!, (string)r["region"]!, new DateTimeOffset((long)r["at"]!, TimeSpan.Zero))),
    ];

    public async ValueTask DisposeAsync()
    {
        await _process.StandardInput.WriteLineAsync("end").ConfigureAwait(false);
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
