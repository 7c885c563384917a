using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.State;

/// <summary>
/// Reads JSON that comes from outside: of a bearable size and depth, and with each name once in an object. Two readers of a doubled
/// name may each take another of the two, so that it means nothing.
/// </summary>
internal static class SafeJson
{
    /// <summary>The most characters of one text.</summary>
    public const int SizeLimit = 16 * 1024 * 1024;

    /// <summary>The most objects and arrays inside one another.</summary>
    public const int DepthLimit = 64;

    /// <summary>Reads an object.</summary>
    /// <exception cref="JsonException">It is none, too long, too deep, or has a doubled name.</exception>
    public static JsonObject ParseObject(string text, int sizeLimit = SizeLimit)
    {
        Check(text, sizeLimit);
        return JsonNode.Parse(
            text,
            null,
            new JsonDocumentOptions { MaxDepth = DepthLimit }) as JsonObject ?? throw new JsonException("it is no JSON object.");
    }

    /// <summary>Looks at a text without making objects of it.</summary>
    /// <exception cref="JsonException">It is no JSON, too long, too deep, or has a doubled name.</exception>
    public static void Check(string text, int sizeLimit = SizeLimit)
    {
        if (text.Length > sizeLimit)
        {
            throw new JsonException($"it has {text.Length} characters, and {sizeLimit} is the most that is read.");
        }

        Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(text), new JsonReaderOptions { MaxDepth = DepthLimit });
        Stack<HashSet<string>> open = new();
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    open.Push([]);
                    break;
                case JsonTokenType.EndObject:
                    open.Pop();
                    break;
                case JsonTokenType.PropertyName when !open.Peek().Add(Name(ref reader)):
                    throw new JsonException($"the name '{Name(ref reader)}' stands in one object twice.");
                case JsonTokenType.String when reader.ValueIsEscaped:
                    // Half of a character (\ud800) is taken by the parser, and thrown about by whoever asks for the text.
                    _ = Name(ref reader);
                    break;
            }
        }
    }

    private static string Name(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("a name or a text in it is no text.", e);
        }
    }
}
