using System.Text.Json.Nodes;
using CmekTools.Engine;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// This program as a process of its own that runs commands: it says that it is ready, reads one <see cref="Order"/> a line and answers
/// each with one line of JSON.
/// </summary>
internal static class Worker
{
    /// <summary>The variable that says where its journal and receipts are.</summary>
    public const string Folder = "CMEKTOOLS_BENCHMARK_STATE";

    /// <summary>Works until its input ends.</summary>
    public static async Task<int> RunAsync()
    {
        Dictionary<string, string> variables = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? string.Empty, StringComparer.Ordinal);
        using SessionContext session = Commands.Connect(variables, variables[Folder]);
        await SayAsync([]).ConfigureAwait(false);
        while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            bool cut = false;
            try
            {
                await Commands.RunAsync(Order.Read(line), session, CancellationToken.None, c => cut = c).ConfigureAwait(false);
                await SayAsync(new JsonObject { ["cut"] = cut }).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await SayAsync(new JsonObject { ["id"] = e.ErrorId, ["message"] = e.Message, ["cut"] = cut }).ConfigureAwait(false);
            }
        }

        return 0;
    }

    private static async Task SayAsync(JsonObject json)
    {
        await Console.Out.WriteLineAsync(json.ToJsonString()).ConfigureAwait(false);
        await Console.Out.FlushAsync().ConfigureAwait(false);
    }
}
