using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>Reads request bodies: what is not of the contract's type is refused with the name of the field.</summary>
internal static class JsonBody
{
    /// <summary>The body as an object.</summary>
    public static JsonObject Read(SandboxRequest request)
    {
        try
        {
            return JsonNode.Parse(request.Text) as JsonObject ?? throw CloudApiFault.Invalid("the body must be a JSON object");
        }
        catch (JsonException)
        {
            throw CloudApiFault.Invalid("the body is not JSON");
        }
        catch (ArgumentException)
        {
            throw CloudApiFault.Invalid("the body has a field twice");
        }
    }

    /// <summary>A text; null where absent.</summary>
    public static string? Text(this JsonObject from, string field) => from[field] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out string? text) => text,
        _ => throw CloudApiFault.Invalid($"{field} must be a string"),
    };

    /// <summary>A whole number; null where absent.</summary>
    public static int? Number(this JsonObject from, string field) => from[field] switch
    {
        null => null,
        JsonValue value when value.TryGetValue(out int number) => number,
        _ => throw CloudApiFault.Invalid($"{field} must be a whole number"),
    };

    /// <summary>An object; null where absent.</summary>
    public static JsonObject? Object(this JsonObject from, string field) => from[field] switch
    {
        null => null,
        JsonObject it => it,
        _ => throw CloudApiFault.Invalid($"{field} must be an object"),
    };

    /// <summary>The objects of an array; null where absent.</summary>
    public static IReadOnlyList<JsonObject>? Objects(this JsonObject from, string field) => from[field] switch
    {
        null => null,
        JsonArray all => [.. all.Select(one => one as JsonObject ?? throw CloudApiFault.Invalid($"{field} must hold objects"))],
        _ => throw CloudApiFault.Invalid($"{field} must be an array"),
    };

    /// <summary>Texts by name; null where absent.</summary>
    public static SortedDictionary<string, string>? Texts(this JsonObject from, string field)
    {
        if (from.Object(field) is not { } map)
        {
            return null;
        }

        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        foreach ((string name, JsonNode? _) in map)
        {
            found[name] = map.Text(name) ?? string.Empty;
        }

        return found;
    }

    /// <summary>A moment, as the service writes it.</summary>
    public static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
