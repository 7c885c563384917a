using System.Text.Json.Nodes;

namespace CmekTools.Benchmarks.Survival;

/// <summary>How a life ended.</summary>
internal sealed class LifeResult(LifeOptions options)
{
    public LifeOptions Options { get; } = options;

    /// <summary>What is not as it should be; empty where all is.</summary>
    public List<string> Faults { get; } = [];

    /// <summary>What was run.</summary>
    public List<string> Trace { get; } = [];

    /// <summary>How many commands were run again.</summary>
    public int Again { get; set; }

    public int Requests { get; set; }

    /// <summary>How many requests went wrong.</summary>
    public int Hit { get; set; }

    public TimeSpan Simulated { get; set; }

    /// <summary>It as one line, without the options.</summary>
    public string ToLine() => new JsonObject
    {
        ["faults"] = new JsonArray([.. Faults.Select(f => (JsonNode)f)]),
        ["trace"] = new JsonArray([.. Trace.Select(t => (JsonNode)t)]),
        ["again"] = Again,
        ["requests"] = Requests,
        ["hit"] = Hit,
        ["simulated"] = Simulated.Ticks,
    }.ToJsonString();

    /// <summary>Reads a line.</summary>
    public static LifeResult Read(string line, LifeOptions options)
    {
        JsonNode json = JsonNode.Parse(line)!;
        LifeResult life = new(options)
        {
            Again = (int)json["again"]!,
            Requests = (int)json["requests"]!,
            Hit = (int)json["hit"]!,
            Simulated = TimeSpan.FromTicks((long)json["simulated"]!),
        };
        life.Faults.AddRange(json["faults"]!.AsArray().Select(f => (string)f!));
        life.Trace.AddRange(json["trace"]!.AsArray().Select(t => (string)t!));
        return life;
    }
}
