using System.Management.Automation;
using System.Text.RegularExpressions;

namespace CmekTools.Host;

/// <summary><c>cmek sandbox</c>.</summary>
internal static partial class SandboxCommand
{
    public static async Task<int> ServeAsync(Engine engine, CommandLine command, TextWriter output, CancellationToken stop)
    {
        Dictionary<string, object> parameters = [];
        if (command.Port is int port)
            parameters["Port"] = port;
        if (command.Clusters.Count > 0)
            parameters["Cluster"] = command.Clusters.ToArray();

        IReadOnlyList<PSObject>? started = await engine.CallAsync("Start-CmekSandbox", parameters).ConfigureAwait(false);
        if (started is null)
            return 1;

        foreach (PSObject sandbox in started)
        {
            if (sandbox.Properties["Environment"]?.Value is IEnumerable<KeyValuePair<string, string>> environment)
            {
                foreach ((string name, string value) in environment)
                    await output.WriteLineAsync($"export {name}={Quote(value)}").ConfigureAwait(false);
            }
        }

        await output.FlushAsync(stop).ConfigureAwait(false);
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stop.Register(stopped.SetResult).ConfigureAwait(false))
        {
            await stopped.Task.ConfigureAwait(false);
        }

        // To be stopped is how a server ends well; its listener goes with the process.
        return 0;
    }

    private static string Quote(string value) =>
        Plain().IsMatch(value) ? value : "'" + value.Replace("'", @"'\''", StringComparison.Ordinal) + "'";

    [GeneratedRegex(@"^[\w@%+=:,./-]+$", RegexOptions.CultureInvariant | RegexOptions.ECMAScript)]
    private static partial Regex Plain();
}
