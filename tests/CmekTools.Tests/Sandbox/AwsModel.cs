using System.IO.Compression;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Sandbox;

/// <summary>
/// AWS's own description of a service, as boto3 and the aws CLI carry it: what an operation takes, answers, and fails with.
/// </summary>
internal sealed class AwsModel
{
    // Answered by every service, so that no operation lists them.
    private static readonly string[] s_common =
    [
        "AccessDeniedException",
        "AccessDenied",
        "ThrottlingException",
        "Throttling",
        "ValidationException",
        "ValidationError",
        "UnknownOperationException",
    ];
    private readonly JsonObject _model;

    private AwsModel(JsonObject model) => _model = model;

    /// <summary>Every operation that was checked.</summary>
    public SortedSet<string> Checked { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads a model from the botocore that Python has here; skips the test where there is none.</summary>
    public static async Task<AwsModel> ReadAsync(string service, string version)
    {
        ExternalProgram.Need("python3");
        FinishedProgram where = await ExternalProgram.RunAsync(
            "python3",
            ["-c", "import botocore, os; print(os.path.dirname(botocore.__file__))"]);
        string file = Path.Combine(where.Output.Trim(), "data", service, version, "service-2.json");
        if (where.Code != 0 || !(File.Exists(file) || File.Exists(file + ".gz")))
        {
            Assert.Skip($"Python has no botocore with a model of {service} {version} here.");
        }

        await using Stream raw = File.OpenRead(File.Exists(file) ? file : file + ".gz");
        await using Stream plain = File.Exists(file) ? raw : new GZipStream(raw, CompressionMode.Decompress);
        return new AwsModel((await JsonNode.ParseAsync(plain, cancellationToken: TestContext.Current.CancellationToken))!.AsObject());
    }

    /// <summary>A JSON service's exchange: what is wrong with it, a line each.</summary>
    public IEnumerable<string> Check(string operation, JsonObject request, int status, JsonObject answer)
    {
        JsonObject? known = _model["operations"]?[operation]?.AsObject();
        if (known is null)
        {
            return [$"{operation}: there is no such operation"];
        }

        Checked.Add(operation);
        IEnumerable<string> asked = Shape(known["input"], request, $"{operation} request");
        return status < 300
            ? [
                .. asked,
                .. known["output"] is { } output
                    ? Shape(output, answer, $"{operation} answer")
                    : answer.Count == 0
                    ? []
                    : [$"{operation}: the answer is to be empty"],
            ]
            : [.. Error(known, operation, (string?)answer["__type"])];
    }

    /// <summary>A query service's answer.</summary>
    public IEnumerable<string> Check(string operation, int status, XElement answer)
    {
        JsonObject? known = _model["operations"]?[operation]?.AsObject();
        if (known is null)
        {
            return [$"{operation}: there is no such operation"];
        }

        Checked.Add(operation);
        if (status >= 300)
        {
            return Error(known, operation, answer.Descendants("Code").Single().Value);
        }

        if (known["output"] is not { } output)
        {
            return [];
        }

        XElement? result = answer.Element((string)output["resultWrapper"]!);
        return result is null ? [$"{operation}: no {output["resultWrapper"]}"] : Shape(output, result, $"{operation} answer");
    }

    private IEnumerable<string> Error(JsonObject known, string operation, string? code)
    {
        string[] listed =
        [
            .. (known["errors"]?.AsArray() ?? []).Select(e => (string)e!["shape"]!)
                .SelectMany(e => new[] { e, (string?)_model["shapes"]![e]?["error"]?["code"] ?? e }),
            .. s_common,
        ];
        return listed.Contains(code) ? [] : [$"{operation}: fails with {code}, which it does not know: {string.Join(", ", listed)}"];
    }

    private List<string> Shape(JsonNode? reference, JsonNode? value, string where)
    {
        JsonObject shape = _model["shapes"]![(string)reference!["shape"]!]!.AsObject();
        List<string> wrong = [];
        switch ((string)shape["type"]!)
        {
            case "structure" when value is JsonObject fields:
                JsonObject members = shape["members"]!.AsObject();
                foreach ((string name, JsonNode? field) in fields)
                {
                    wrong.AddRange(
                        members[name] is { } member
                            ? field is null
                            ? []
                            : Shape(member, field, $"{where}.{name}")
                            : [$"{where}: {name} is no member"]);
                }

                wrong.AddRange(
                    (
                        shape["required"]?.AsArray() ?? []).Select(r => (string)r!).Where(r => !fields.ContainsKey(r)).Select(
                            r => $"{where}: {r} is missing"));
                break;
            case "list" when value is JsonArray items:
                wrong.AddRange(items.SelectMany((item, i) => Shape(shape["member"], item, $"{where}[{i}]")));
                break;
            case "map" when value is JsonObject entries:
                wrong.AddRange(entries.SelectMany(e => Shape(shape["value"], e.Value, $"{where}.{e.Key}")));
                break;
            case "string" when value?.GetValueKind() == System.Text.Json.JsonValueKind.String:
                wrong.AddRange(Enum(shape, (string)value!, where));
                break;
            case "boolean" when value?.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False:
            case "integer" or "long" or "timestamp" or "double" when value?.GetValueKind() == System.Text.Json.JsonValueKind.Number:
            case "blob" when value?.GetValueKind() == System.Text.Json.JsonValueKind.String:
                break;
            default:
                wrong.Add($"{where}: {value?.ToJsonString()} is no {shape["type"]}");
                break;
        }

        return wrong;
    }

    private List<string> Shape(JsonNode? reference, XElement element, string where)
    {
        JsonObject shape = _model["shapes"]![(string)reference!["shape"]!]!.AsObject();
        List<string> wrong = [];
        switch ((string)shape["type"]!)
        {
            case "structure":
                JsonObject members = shape["members"]!.AsObject();
                foreach (XElement field in element.Elements())
                {
                    wrong.AddRange(
                        members[field.Name.LocalName] is { } member
                            ? Shape(member, field, $"{where}.{field.Name.LocalName}")
                            : [$"{where}: {field.Name.LocalName} is no member"]);
                }

                wrong.AddRange(
                    (
                        shape["required"]?.AsArray() ?? []).Select(r => (string)r!).Where(
                            r => element.Element(r) is null).Select(r => $"{where}: {r} is missing"));
                break;
            case "list":
                wrong.AddRange(
                    element.Elements().SelectMany(
                        e => e.Name.LocalName == "member"
                            ? Shape(shape["member"], e, where + "[]")
                            : [$"{where}: {e.Name.LocalName} is no member of a list"]));
                break;
            case "timestamp" when !DateTimeOffset.TryParse(element.Value, System.Globalization.CultureInfo.InvariantCulture, out _):
            case "boolean" when element.Value is not ("true" or "false"):
            case "integer" when !int.TryParse(element.Value, System.Globalization.CultureInfo.InvariantCulture, out _):
                wrong.Add($"{where}: '{element.Value}' is no {shape["type"]}");
                break;
            case "string":
                wrong.AddRange(Enum(shape, element.Value, where));
                break;
        }

        return wrong;
    }

    private static IEnumerable<string> Enum(JsonObject shape, string value, string where) =>
        shape["enum"] is JsonArray words && words.All(w => (string)w! != value)
            ? [$"{where}: '{value}' is none of {words.ToJsonString()}"]
            : [];
}
