using System.Globalization;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;

namespace CmekTools.Benchmarks.BreakGlass;

/// <summary>
/// The sandbox in a process of its own. It is told by lines on standard input: <c>answer MILLISECONDS</c>, <c>hole REGION</c> (its KMS
/// takes every connection and
/// never answers; <c>hole -</c> for none), <c>begin</c> (forget what was), <c>report</c> (when what came, as one line of JSON), <c>end</c>.
/// </summary>
internal static class OtherSide
{
    /// <summary>Serves until it is told to end.</summary>
    public static async Task<int> RunAsync(int clusters, string[] regions)
    {
        string hole = "-";
        SandboxServer server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(100),
            Clusters = [
                .. Enumerable.Range(1, clusters).Select(
                    i => new SandboxClusterOptions(string.Create(CultureInfo.InvariantCulture, $"c{i:000}"), "AWS", regions)),
            ],
        });
        await using (server.ConfigureAwait(false))
        {
            server.Before = async request =>
            {
                if (request.Service == "kms" && RegionOf(request) == hole)
                {
                    await Task.Delay(Timeout.Infinite).ConfigureAwait(false);
                }

                return null;
            };
            await SayAsync(
                new JsonObject(
                    server.Environment.Select(
                        v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value)).Append(
                            new("ADDRESS", server.BaseAddress.ToString())))).ConfigureAwait(false);
            while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line && line != "end")
            {
                string[] words = line.Split(' ');
                switch (words[0])
                {
                    case "answer":
                        server.Options = server.Options with { AnswerTime = TimeSpan.FromMilliseconds(
                            int.Parse(words[1], CultureInfo.InvariantCulture)) };
                        break;
                    case "hole":
                        hole = words[1];
                        break;
                    case "begin":
                        server.ClearExchanges();
                        break;
                }

                await SayAsync(words[0] == "report" ? Report(server) : []).ConfigureAwait(false);
            }
        }

        return 0;
    }

    private static JsonObject Report(SandboxServer server) => new()
    {
        ["requests"] = new JsonArray(
        [
            .. server.Exchanges.Where(e => e.Status < 300).OrderBy(e => e.Request.Number).Select(e => (JsonNode)new JsonObject
            {
                ["service"] = e.Request.Service,
                ["operation"] = e.Request.Operation,
                ["region"] = RegionOf(e.Request),
                ["at"] = e.Request.Time.UtcTicks,
            }),
        ]),
    };

    // The region is in what was signed.
    private static string RegionOf(SandboxRequest request) =>
        request.Headers["Authorization"]?.Split("Credential=") is [_, { } credential, ..] && credential.Split('/') is { Length: > 2 } parts
            ? parts[2]
            : string.Empty;

    private static async Task SayAsync(JsonObject json)
    {
        await Console.Out.WriteLineAsync(json.ToJsonString()).ConfigureAwait(false);
        await Console.Out.FlushAsync().ConfigureAwait(false);
    }
}
