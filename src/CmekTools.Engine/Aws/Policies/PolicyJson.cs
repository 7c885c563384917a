using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>What policy documents need of JSON: reading, writing as it was, comparing by meaning, showing a change.</summary>
internal static class PolicyJson
{
    private static readonly JsonSerializerOptions s_compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions s_indented = new(s_compact) { WriteIndented = true };

    /// <summary>The text that is sent.</summary>
    public static string Compact(JsonNode node) => node.ToJsonString(s_compact);

    /// <summary>The text for people.</summary>
    public static string Indented(JsonNode node) => node.ToJsonString(s_indented).Replace("\r\n", "\n", StringComparison.Ordinal);

    /// <summary>The strings of a value that may be one string or an array of them; what is neither is left out.</summary>
    public static IReadOnlyList<string> Strings(JsonNode? node) => node switch
    {
        JsonArray array => [.. array.SelectMany(Strings)],
        JsonValue value when value.GetValueKind() == JsonValueKind.String => [value.GetValue<string>()],
        // Conditions may hold booleans and numbers: they mean what their text means.
        JsonValue value => [value.ToJsonString()],
        _ => [],
    };

    /// <summary>A property's text, or null where it is not a string.</summary>
    public static string? Text(JsonObject within, string name) =>
        within[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    /// <summary>
    /// True where two documents mean the same: the order of properties and of sets, and single strings against arrays of one, do not
    /// count.
    /// </summary>
    /// <param name="left">One.</param>
    /// <param name="right">The other.</param>
    /// <param name="rename">Applied to every string first, for names that stand for the same thing.</param>
    public static bool Same(JsonNode? left, JsonNode? right, Func<string, string>? rename = null) =>
        string.Equals(Canonical(left, rename), Canonical(right, rename), StringComparison.Ordinal);

    /// <summary>A change as lines with − and +, as a reviewer reads it.</summary>
    public static string Diff(JsonNode? before, JsonNode? after)
    {
        string[] old = before is null ? [] : Indented(before).Split('\n');
        string[] now = after is null ? [] : Indented(after).Split('\n');
        return Diff(old, now);
    }

    private static string Diff(string[] old, string[] now)
    {
        // Longest common subsequence: policies are at most 32 KiB, so a table is small.
        int[,] length = new int[old.Length + 1, now.Length + 1];
        for (int i = old.Length - 1; i >= 0; i--)
        {
            for (int j = now.Length - 1; j >= 0; j--)
            {
                length[i, j] = Bare(old[i]) == Bare(now[j]) ? length[i + 1, j + 1] + 1 : Math.Max(length[i + 1, j], length[i, j + 1]);
            }
        }

        StringBuilder text = new();
        int a = 0;
        int b = 0;
        while (a < old.Length || b < now.Length)
        {
            if (a < old.Length && b < now.Length && Bare(old[a]) == Bare(now[b]))
            {
                text.Append("  ").Append(now[b]).Append('\n');
                a++;
                b++;
            }
            else if (b >= now.Length || (a < old.Length && length[a + 1, b] >= length[a, b + 1]))
            {
                text.Append("- ").Append(old[a++]).Append('\n');
            }
            else
            {
                text.Append("+ ").Append(now[b++]).Append('\n');
            }
        }

        return text.ToString().TrimEnd('\n');
    }

    // A comma that comes or goes with the next element is no change of this line.
    private static string Bare(string line) => line.TrimEnd(',');

    private static string Canonical(JsonNode? node, Func<string, string>? rename)
    {
        StringBuilder text = new();
        Write(node, text, Place.Document, rename ?? (s => s));
        return text.ToString();
    }

    private static void Write(JsonNode? node, StringBuilder text, Place place, Func<string, string> rename)
    {
        switch (node)
        {
            case JsonObject obj:
                text.Append('{');
                foreach ((string key, JsonNode? value) in obj.OrderBy(p => p.Key, StringComparer.Ordinal))
                {
                    text.Append(JsonSerializer.Serialize(key)).Append(':');
                    Write(value, text, Inside(place, key), rename);
                    text.Append(',');
                }

                text.Append('}');
                break;
            case JsonValue value when place == Place.Principal:
                // "*" by itself and {"AWS": "*"} are the same principal.
                text.Append("{\"AWS\":<").Append(value.ToJsonString()).Append(">,}");
                break;
            case JsonArray or JsonValue when place == Place.Set:
                text.Append('<');
                text.AppendJoin(
                    '|',
                    Strings(node).Select(rename).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(
                        s => JsonSerializer.Serialize(s)));
                text.Append('>');
                break;
            case JsonArray array:
                text.Append('[');
                foreach (JsonNode? item in array)
                {
                    Write(item, text, place == Place.Document ? Place.Document : Place.Other, rename);
                    text.Append(';');
                }

                text.Append(']');
                break;
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                text.Append(JsonSerializer.Serialize(rename(value.GetValue<string>())));
                break;
            default:
                text.Append(node?.ToJsonString() ?? "null");
                break;
        }
    }

    private static Place Inside(Place place, string key) => place switch
    {
        Place.Document when key is "Action" or "NotAction" or "Resource" or "NotResource" => Place.Set,
        Place.Document when key is "Principal" or "NotPrincipal" => Place.Principal,
        Place.Document when key is "Condition" => Place.Condition,
        Place.Document => Place.Document,
        Place.Principal => Place.Set,
        Place.Condition => Place.Operator,
        Place.Operator => Place.Set,
        _ => Place.Other,
    };

    // Where in a policy a value is: it decides whether an order has a meaning.
    private enum Place
    {
        Document,
        Principal,
        Condition,
        Operator,
        Set,
        Other,
    }
}
