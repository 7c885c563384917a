using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Sandbox;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// Who read and wrote what in a race, in the order in which it took effect. Each process comes to the sandbox by a door of its own, and
/// so is known by it.
/// </summary>
internal sealed class RaceTrace
{
    private readonly ConcurrentQueue<Line> _lines = new();
    private readonly ConcurrentDictionary<int, string> _names = new();
    private DateTimeOffset _start = DateTimeOffset.UtcNow;

    /// <summary>Begins anew.</summary>
    /// <param name="names">Who comes by which port.</param>
    public void Begin(IEnumerable<KeyValuePair<int, string>> names)
    {
        _lines.Clear();
        _names.Clear();
        foreach ((int port, string name) in names)
        {
            _names[port] = name;
        }

        _start = DateTimeOffset.UtcNow;
    }

    /// <summary>Takes down an exchange; for <see cref="SandboxServer.After"/>.</summary>
    public Task<SandboxResponse?> TakeAsync(SandboxRequest request, SandboxResponse response)
    {
        _lines.Enqueue(new Line(request, response));
        return Task.FromResult<SandboxResponse?>(null);
    }

    /// <summary>Whose write was the last one after which a rule is gone that was there before; null where none was.</summary>
    /// <param name="rule">A part of the rule's name, as <see cref="ToString"/> shows it.</param>
    public string? TakenOutBy(string rule)
    {
        string? who = null;
        bool there = false;
        foreach (Line line in Ordered().Where(l => l.Response.Status == 200))
        {
            if (Rules(line) is not { } rules)
            {
                continue;
            }

            bool now = rules.Any(r => r.Contains(rule, StringComparison.Ordinal));
            if (line.Request.Operation is "PutKeyPolicy" or "cryptoKeys.setIamPolicy")
            {
                who = there && !now ? NameOf(line) : now ? null : who;
            }

            there = now;
        }

        return who;
    }

    /// <summary>All of it, a line an exchange: what changes nothing and shows no policy and no status is left out.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        foreach (Line line in Ordered())
        {
            string? detail = Rules(line) is { } rules ? string.Join(" ", rules) : Status(line);
            if (detail is null && !line.Request.IsWrite)
            {
                continue;
            }

            text.Append(CultureInfo.InvariantCulture, $"    {(line.Request.Time - _start).TotalMilliseconds,6:0} ms {NameOf(line),-12} ");
            text.AppendLine(CultureInfo.InvariantCulture, $"{line.Request.Operation} {line.Response.Status} {detail}");
        }

        return text.ToString();
    }

    private IEnumerable<Line> Ordered() => _lines.Where(l => l.Request.Effect > 0).OrderBy(l => l.Request.Effect);

    private string NameOf(Line line) =>
        Uri.TryCreate("http://" + line.Request.Headers["Host"], UriKind.Absolute, out Uri? host)
        && _names.TryGetValue(host.Port, out string? name)
            ? name
            : "?";

    private static string[]? Rules(Line line)
    {
        try
        {
            switch (line.Request.Operation)
            {
                case "PutKeyPolicy":
                    return Statements(JsonNode.Parse(line.Request.Text)!["Policy"]!.ToString());
                case "GetKeyPolicy":
                    return line.Response.Status == 200 ? Statements(JsonNode.Parse(line.Response.Body)!["Policy"]!.ToString()) : null;
                case "cryptoKeys.setIamPolicy":
                    return Members(JsonNode.Parse(line.Request.Text)!["policy"]!);
                case "cryptoKeys.getIamPolicy":
                    return line.Response.Status == 200 ? Members(JsonNode.Parse(line.Response.Body)!) : null;
                default:
                    return null;
            }
        }
        catch (Exception e) when (e is JsonException or NullReferenceException)
        {
            return [line.Request.Text];
        }
    }

    private static string[] Statements(string policy) =>
        [.. JsonNode.Parse(policy)!["Statement"]!.AsArray().Select(s => $"{s!["Sid"]}{RoleOf(s["Principal"])}")];

    private static string RoleOf(JsonNode? principal) =>
        (principal as JsonObject)?["AWS"]?.ToString() is { } who && who.Contains(":role/", StringComparison.Ordinal)
            ? $"[{who.Split('/')[^1]}]"
            : string.Empty;

    private static string[] Members(JsonNode policy) =>
    [
        $"({policy["etag"]})",
        .. (policy["bindings"] as JsonArray ?? []).SelectMany(
            b => b!["members"]!.AsArray().Select(m => $"{b["role"]!.ToString().Split('.')[^1]}:{m!.ToString().Split('@')[0]}")),
    ];

    private static string? Status(Line line)
    {
        if (line.Request.Service != "cloud" || !line.Request.RawPath.EndsWith("/cmek", StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            return JsonNode.Parse(line.Response.Body)?["region_infos"] is JsonArray regions
                ? string.Join(" ", regions.Select(r => r!["status"]?.ToString()))
                : line.Response.Body;
        }
        catch (JsonException)
        {
            return line.Response.Body;
        }
    }

    private sealed record Line(SandboxRequest Request, SandboxResponse Response);
}
