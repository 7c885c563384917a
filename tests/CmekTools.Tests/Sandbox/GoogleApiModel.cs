using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Sandbox;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>
/// Google's own description of an API, as gcloud carries it in its generated clients: what a method takes, and what it answers.
/// </summary>
internal sealed partial class GoogleApiModel
{
    // Of every API, whatever the model says.
    private static readonly string[] s_standard = ["alt", "prettyPrint", "fields", "key", "quotaUser", "$.xgafv", "access_token"];

    private static readonly string[] s_codes =
    [
        "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
        "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL",
        "UNAVAILABLE", "DATA_LOSS",
    ];

    private readonly List<Method> _methods = [];
    private readonly Dictionary<string, Message> _messages = new(StringComparer.Ordinal);

    /// <summary>Every method that was checked.</summary>
    public SortedSet<string> Checked { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads a model of the gcloud that is installed here; skips the test where there is none.</summary>
    public static async Task<GoogleApiModel> ReadAsync(string api, string version)
    {
        ExternalProgram.Need("gcloud");
        string program = (Environment.GetEnvironmentVariable("PATH") ?? string.Empty).Split(Path.PathSeparator)
            .Where(f => f.Length > 0)
            .Select(f => Path.Combine(f, "gcloud"))
            .First(File.Exists);
        program = File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program;
        string folder = Path.GetFullPath(
            Path.Combine(Path.GetDirectoryName(program)!, "..", "lib", "googlecloudsdk", "generated_clients", "apis", api, version));
        string client = Path.Combine(folder, $"{api}_{version}_client.py");
        if (!File.Exists(client))
        {
            Assert.Skip($"gcloud brings no client of {api} {version} here.");
        }

        CancellationToken stop = TestContext.Current.CancellationToken;
        GoogleApiModel model = new();
        model.ReadMethods(await File.ReadAllLinesAsync(client, stop));
        model.ReadMessages(await File.ReadAllLinesAsync(Path.Combine(folder, $"{api}_{version}_messages.py"), stop));
        return model;
    }

    /// <summary>An exchange: what is wrong with it, a line each.</summary>
    /// <param name="request">The request.</param>
    /// <param name="status">The answer's status.</param>
    /// <param name="body">The answer's body.</param>
    /// <param name="version">The version that stands in the path, where another one's model is held against it.</param>
    public IEnumerable<string> Check(SandboxRequest request, int status, string body, string? version = null)
    {
        string path = request.RawPath.TrimStart('/').Replace("%3A", ":", StringComparison.OrdinalIgnoreCase);
        path = version is null ? path : version + path[path.IndexOf('/', StringComparison.Ordinal)..];
        Method? method = _methods.Find(m => m.Verb == request.Method && m.Path.IsMatch(path));
        if (method is null)
        {
            return [$"{request.Method} {path}: there is no such method"];
        }

        Checked.Add(method.Id);
        List<string> wrong = [];
        foreach (string name in request.RawQuery.Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split('=')[0]))
        {
            if (!method.Query.Contains(Uri.UnescapeDataString(name).Replace('.', '_')) && !s_standard.Contains(name))
            {
                wrong.Add($"{method.Id}: {name} is no parameter of the query");
            }
        }

        if (request.Text.Length > 0)
        {
            JsonNode? sent = JsonNode.Parse(request.Text);
            Field whole = new("MessageField", method.Request, false, false);
            wrong.AddRange(method.Body switch
            {
                "" => sent is JsonObject { Count: 0 } ? [] : [$"{method.Id}: takes no body"],
                "<request>" => Value(whole, _messages[method.Request], sent, method.Id + " request"),
                _ => Value(
                    _messages[method.Request].Fields[method.Body],
                    _messages[method.Request],
                    sent,
                    $"{method.Id} request"),
            });
        }

        JsonNode? answer = JsonNode.Parse(body);
        wrong.AddRange(
            status < 300
                ? Value(new Field("MessageField", method.Response, false, false), null, answer, method.Id + " answer")
                : Error(method.Id, status, answer?["error"] as JsonObject));
        return wrong;
    }

    private static IEnumerable<string> Error(string method, int status, JsonObject? error)
    {
        if (error is null || (int?)error["code"] != status || (string?)error["message"] is not { Length: > 0 })
        {
            yield return $"{method}: {status} without an error of that code";
        }
        else if (!s_codes.Contains((string?)error["status"]))
        {
            yield return $"{method}: '{error["status"]}' is no code of google.rpc";
        }
        else if ((error["details"] as JsonArray ?? []).Any(d => (string?)d?["@type"] is null))
        {
            yield return $"{method}: a detail has no type";
        }
    }

    private List<string> Value(Field field, Message? within, JsonNode? value, string where)
    {
        if (field.Repeated)
        {
            return value is JsonArray items
                ? [.. items.SelectMany((item, i) => Value(field with { Repeated = false }, within, item, $"{where}[{i}]"))]
                : [$"{where}: {Shown(value)} is no list"];
        }

        JsonValueKind kind = value?.GetValueKind() ?? JsonValueKind.Null;
        string text = value?.ToString() ?? string.Empty;
        bool right = field.Kind switch
        {
            "StringField" => kind == JsonValueKind.String,
            "BooleanField" => kind is JsonValueKind.True or JsonValueKind.False,
            "FloatField" => kind == JsonValueKind.Number,
            // Numbers of 64 bits are written as text.
            "IntegerField" => field.Is32 ? kind == JsonValueKind.Number : kind == JsonValueKind.String && long.TryParse(text, out _),
            "BytesField" => kind == JsonValueKind.String
                && Convert.TryFromBase64String(text.Replace('-', '+').Replace('_', '/'), new byte[text.Length], out _),
            "EnumField" => kind == JsonValueKind.String,
            "MessageField" => field.Type.StartsWith("extra_types", StringComparison.Ordinal) || kind == JsonValueKind.Object,
            _ => false,
        };
        return !right ? [$"{where}: {Shown(value)} is no {field.Kind} {field.Type}"]
            : field.Kind == "EnumField" ? Enum(field, within!, text, where)
            : field.Kind == "MessageField" && value is JsonObject fields
                && !field.Type.StartsWith("extra_types", StringComparison.Ordinal) ? Fields(field, within, fields, where)
            : [];
    }

    private static List<string> Enum(Field field, Message within, string text, string where)
    {
        HashSet<string> values = within.Enums[field.Type];
        return values.Contains(text) ? [] : [$"{where}: '{text}' is none of {string.Join(", ", values)}"];
    }

    private List<string> Fields(Field field, Message? within, JsonObject fields, string where)
    {
        Message message = within?.Nested.GetValueOrDefault(field.Type) ?? _messages[field.Type];
        if (message.Nested.GetValueOrDefault("AdditionalProperty") is { } entry)
        {
            return [.. fields.SelectMany(f => Value(entry.Fields["value"], entry, f.Value, $"{where}.{f.Key}"))];
        }

        return
        [
            .. fields.SelectMany(f => message.Fields.TryGetValue(f.Key, out Field? known)
                ? Value(known, message, f.Value, $"{where}.{f.Key}")
                : [$"{where}: {f.Key} is no field"]),
        ];
    }

    private static string Shown(JsonNode? value) => value?.ToJsonString() ?? "null";

    private void ReadMethods(string[] lines)
    {
        Dictionary<string, string> now = new(StringComparer.Ordinal);
        foreach (string line in lines)
        {
            if (line.Contains("base_api.ApiMethodInfo(", StringComparison.Ordinal))
            {
                now = new(StringComparer.Ordinal);
            }
            else if (Argument().Match(line) is { Success: true } argument)
            {
                now[argument.Groups[1].Value] = argument.Groups[2].Value;
            }
            else if (line == "    )" && now.TryGetValue("http_method", out string? verb))
            {
                string path = now.GetValueOrDefault("flat_path", now["relative_path"]).Trim('\'');
                _methods.Add(new Method(
                    now["method_id"].Trim('\''),
                    verb.Trim('\''),
                    new Regex("^" + Variable().Replace(Regex.Escape(path).Replace("\\{", "{", StringComparison.Ordinal), "[^/:]+") + "$"),
                    [.. Quoted().Matches(now["query_params"]).Select(m => m.Groups[1].Value)],
                    now["request_field"].Trim('\''),
                    now["request_type_name"].Trim('\''),
                    now["response_type_name"].Trim('\'')));
                now = new(StringComparer.Ordinal);
            }
        }
    }

    // The files are generated: what is nested is told by its indentation.
    private void ReadMessages(string[] lines)
    {
        Dictionary<int, Message> open = [];
        Dictionary<int, HashSet<string>> enums = [];
        foreach (string line in lines)
        {
            if (!line.Contains("_messages.", StringComparison.Ordinal) && !(line.Length > 0 && char.IsAsciiDigit(line[^1])))
            {
                continue;
            }

            if (Class().Match(line) is { Success: true } start)
            {
                int depth = start.Groups[1].Length;
                string name = start.Groups[2].Value;
                Message? around = open.GetValueOrDefault(depth - 2);
                enums.Remove(depth);
                open.Remove(depth);
                if (start.Groups[3].Value == "Enum")
                {
                    enums[depth] = new(StringComparer.Ordinal);
                    around?.Enums.Add(name, enums[depth]);
                }
                else
                {
                    open[depth] = new Message();
                    (around?.Nested ?? _messages).Add(name, open[depth]);
                }
            }
            else if (FieldLine().Match(line) is { Success: true } field)
            {
                string arguments = field.Groups[4].Value;
                string type = Quoted().Match(arguments) is { Success: true } named ? named.Groups[1].Value : string.Empty;
                // Where the language has a word of the same spelling, an underscore was added.
                open[field.Groups[1].Length - 2].Fields[field.Groups[2].Value.TrimEnd('_')] = new Field(
                    field.Groups[3].Value,
                    type,
                    arguments.Contains("repeated=True", StringComparison.Ordinal),
                    arguments.Contains("INT32", StringComparison.Ordinal));
            }
            else if (EnumLine().Match(line) is { Success: true } value)
            {
                enums.GetValueOrDefault(value.Groups[1].Length - 2)?.Add(value.Groups[2].Value);
            }
        }
    }

    private sealed record Method(string Id, string Verb, Regex Path, string[] Query, string Body, string Request, string Response);

    private sealed record Field(string Kind, string Type, bool Repeated, bool Is32);

    private sealed class Message
    {
        public Dictionary<string, Field> Fields { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, HashSet<string>> Enums { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, Message> Nested { get; } = new(StringComparer.Ordinal);
    }

    [GeneratedRegex(@"^        (\w+)=(.*),$")]
    private static partial Regex Argument();

    [GeneratedRegex(@"\{\\?\+?\w+\}")]
    private static partial Regex Variable();

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"^( *)class (\w+)\(_messages\.(Message|Enum)\):$")]
    private static partial Regex Class();

    [GeneratedRegex(@"^( +)(\w+) = _messages\.(\w+)\((.*)\)$")]
    private static partial Regex FieldLine();

    [GeneratedRegex(@"^( +)(\w+) = \d+$")]
    private static partial Regex EnumLine();
}
