using System.Reflection;
using System.Text.Json.Nodes;
using NJsonSchema;
using NJsonSchema.Validation;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>
/// The vendor's OpenAPI description, as a judge of requests and answers. Stricter than the description itself: a field that it does not
/// name is a fault, for a misspelt optional field would pass otherwise.
/// </summary>
internal sealed class OpenApiContract
{
    private const string Place = "shared/spec/cloud-api-cmek.openapi.json";

    private readonly JsonObject _paths;
    private readonly JsonObject _definitions;
    private readonly Dictionary<string, JsonSchema> _schemas = [];

    private OpenApiContract(JsonObject document)
    {
        _paths = document["paths"]!.AsObject();
        _definitions = Rewritten(document["components"]!["schemas"]!).AsObject();
    }

    /// <summary>The description; the test that asks is skipped where it is not at hand.</summary>
    public static OpenApiContract LoadOrSkip()
    {
        string? file = Find();
        Assert.SkipWhen(file is null, $"The vendor's OpenAPI description ({Place}) is not beside this repository.");
        return new OpenApiContract(JsonNode.Parse(File.ReadAllText(file!))!.AsObject());
    }

    /// <summary>What is wrong with a request. The path may have a query.</summary>
    public IReadOnlyList<string> RequestFaults(string method, string path, string? body)
    {
        if (Operation(method, path) is not { } operation)
        {
            return [$"{method} {path} is not in the contract"];
        }

        List<string> faults = [.. UnknownParameters(operation, path)];
        JsonNode? schema = operation["requestBody"]?["content"]?["application/json"]?["schema"];
        if (schema is null)
        {
            faults.AddRange(string.IsNullOrEmpty(body) ? [] : [$"{method} {path} takes no body"]);
        }
        else
        {
            faults.AddRange(string.IsNullOrEmpty(body) ? [$"{method} {path} needs a body"] : Faults(schema, body));
        }

        return faults;
    }

    /// <summary>What is wrong with an answer. Where the description leaves an error's form open, its common form is asked for.</summary>
    public IReadOnlyList<string> ResponseFaults(string method, string path, int status, string body)
    {
        if (Operation(method, path) is not { } operation)
        {
            return [$"{method} {path} is not in the contract"];
        }

        JsonNode? responses = operation["responses"];
        JsonNode? schema = responses?[status.ToString(
            System.Globalization.CultureInfo.InvariantCulture)]?["content"]?["application/json"]?["schema"];
        schema = schema is null or JsonObject { Count: 0 } ? responses?["default"]?["content"]?["application/json"]?["schema"] : schema;
        return schema is null ? [$"{method} {path} has no answer {status} in the contract"] : Faults(schema, body);
    }

    private static string? Find()
    {
        string root = typeof(OpenApiContract).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(
            a => a.Key == "RepositoryRoot").Value!;
        for (DirectoryInfo? folder = new DirectoryInfo(root).Parent; folder is not null; folder = folder.Parent)
        {
            // A work tree lies deeper than the repository, so the folders above are all looked at.
            string file = Path.Combine(folder.FullName, Place);
            if (File.Exists(file))
            {
                return file;
            }
        }

        return null;
    }

    private static IEnumerable<string> UnknownParameters(JsonObject operation, string path)
    {
        string query = path.Contains('?', StringComparison.Ordinal)
            ? path[(path.IndexOf('?', StringComparison.Ordinal) + 1)..]
            : string.Empty;
        HashSet<string> known =
        [
            .. operation["parameters"]?.AsArray().Where(p => (string?)p!["in"] == "query").Select(p => (string)p!["name"]!) ?? [],
        ];
        return query.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => Uri.UnescapeDataString(pair.Split('=')[0]))
            .Where(name => !known.Contains(name))
            .Select(name => $"the query's {name} is not in the contract");
    }

    // NJsonSchema knows "definitions"; OpenAPI keeps the same under "components/schemas".
    private static JsonNode Rewritten(JsonNode node)
    {
        JsonNode copy = JsonNode.Parse(node.ToJsonString().Replace("#/components/schemas/", "#/definitions/", StringComparison.Ordinal))!;
        Close(copy);
        return copy;
    }

    private static void Close(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array)
            {
                Close(item);
            }
        }
        else if (node is JsonObject it)
        {
            foreach (JsonNode? child in it.Select(p => p.Value).ToArray())
            {
                Close(child);
            }

            if (it["properties"] is JsonObject properties
                && it["type"] is JsonValue type
                && (string?)type == "object"
                && !it.ContainsKey("additionalProperties"))
            {
                it["additionalProperties"] = false;
                foreach (JsonNode? required in it["required"]?.AsArray() ?? [])
                {
                    // The description asks for a field that it forgets to describe (is_customer_cloud_account): any value will do.
                    properties.TryAdd((string)required!, new JsonObject());
                }
            }
        }
    }

    private JsonObject? Operation(string method, string path)
    {
        string[] parts = path.Split('?')[0].Split('/');
        foreach ((string template, JsonNode? item) in _paths)
        {
            string[] wanted = template.Split('/');
            if (wanted.Length == parts.Length
                && wanted.Zip(parts).All(p => p.First == p.Second || (p.First.StartsWith('{') && p.Second.Length > 0)))
            {
                return item![method.ToLowerInvariant()] as JsonObject;
            }
        }

        return null;
    }

    private IReadOnlyList<string> Faults(JsonNode schema, string body)
    {
        string key = schema.ToJsonString();
        if (!_schemas.TryGetValue(key, out JsonSchema? compiled))
        {
            JsonObject root = Rewritten(schema).AsObject();
            if ((string?)root["$ref"] is { } name)
            {
                // A reference at the root would hide the definitions beside it.
                root = _definitions[name.Split('/')[^1]]!.DeepClone().AsObject();
            }

            root["definitions"] = _definitions.DeepClone();
            _schemas[key] = compiled = JsonSchema.FromJsonAsync(root.ToJsonString()).GetAwaiter().GetResult();
        }

        try
        {
            return [.. compiled.Validate(body).SelectMany(Said)];
        }
        catch (Newtonsoft.Json.JsonException e)
        {
            return ["not JSON: " + e.Message];
        }
    }

    // "An item is not valid" helps nobody: what is wrong inside is said instead.
    private static IEnumerable<string> Said(ValidationError error) => error is ChildSchemaValidationError { Errors.Count: > 0 } outer
        ? outer.Errors.SelectMany(inner => inner.Value).SelectMany(Said)
        : [$"{error.Path}: {error.Kind}"];
}
