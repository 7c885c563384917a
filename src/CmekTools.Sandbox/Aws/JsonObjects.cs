using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Aws;

/// <summary>Reads JSON that has to be an object.</summary>
internal static class JsonObjects
{
    /// <summary>Reads an object, and everything in it: JsonNode would report a name that comes twice only when somebody looks.</summary>
    /// <exception cref="FormatException">It is no JSON, or no object, or has a name twice.</exception>
    public static JsonObject Read(string text)
    {
        try
        {
            JsonObject read = JsonNode.Parse(text) as JsonObject ?? throw new FormatException("not a JSON object");
            Visit(read);
            return read;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new FormatException("not well-formed JSON", e);
        }
    }

    private static void Visit(JsonNode? node)
    {
        IEnumerable<JsonNode?> children = node switch
        {
            JsonObject fields => fields.Select(f => f.Value),
            JsonArray items => items,
            _ => [],
        };
        foreach (JsonNode? child in children)
        {
            Visit(child);
        }
    }
}
