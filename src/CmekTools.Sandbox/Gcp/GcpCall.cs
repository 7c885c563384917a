using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>A request taken apart: the resource, the verb after the colon, the query and the body.</summary>
internal sealed class GcpCall
{
    public GcpCall(SandboxRequest request, string caller, GcpHierarchy hierarchy)
    {
        Method = request.Method;
        Caller = caller;
        string path = request.RawPath.TrimStart('/');
        path = path[(path.IndexOf('/', StringComparison.Ordinal) + 1)..];
        int colon = path.LastIndexOf(':');
        colon = colon < 0 ? path.LastIndexOf("%3A", StringComparison.OrdinalIgnoreCase) : colon;
        Verb = colon > 0 ? Uri.UnescapeDataString(path[colon..])[1..] : null;
        // A slash that is written %2F belongs to its segment.
        Segments = [.. (colon > 0 ? path[..colon] : path).Split('/').Select(Uri.UnescapeDataString)];
        Resource = hierarchy.Canonical(string.Join('/', Segments));
        if (Segments[0] == "projects")
        {
            Segments = Resource.Split('/');
        }

        foreach (string pair in request.RawQuery.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = pair.Split('=', 2);
            Query[Uri.UnescapeDataString(halves[0])] = halves.Length == 2
                ? Uri.UnescapeDataString(halves[1].Replace('+', ' '))
                : string.Empty;
        }

        Body = Parse(request.Text);
    }

    public string Method { get; }

    /// <summary>The member that asks, for example <c>user:admin@example.com</c>.</summary>
    public string Caller { get; }

    public string Resource { get; }

    public string? Verb { get; }

    public string[] Segments { get; }

    public Dictionary<string, string> Query { get; } = [];

    public JsonObject Body { get; }

    /// <summary>A text field of the body.</summary>
    public string? Text(string name) => Body[name] is JsonValue value ? value.ToString() : null;

    /// <summary>A parameter of the query that is needed.</summary>
    public string Needed(string name) =>
        Query.TryGetValue(name, out string? value) && value.Length > 0 ? value : throw GcpErrorException.Invalid($"{name} is required.");

    /// <summary>One page of a list.</summary>
    /// <param name="name">The list's field.</param>
    /// <param name="items">All of them.</param>
    /// <param name="counted">True where the answer has a field for how many there are: those of keys, rings and versions have.</param>
    public JsonObject Page(string name, IEnumerable<JsonObject> items, bool counted = false)
    {
        JsonObject[] all = [.. items];
        int size = Query.TryGetValue("pageSize", out string? text) && int.TryParse(text, out int given) && given > 0 ? given : 500;
        int start = Query.TryGetValue("pageToken", out string? token) && token.Length > 0
            ? int.TryParse(token, out int at) && at >= 0 ? at : throw GcpErrorException.Invalid("Invalid page token.")
            : 0;
        JsonObject page = new() { [name] = new JsonArray([.. all.Skip(start).Take(size)]) };
        if (counted)
        {
            page["totalSize"] = all.Length;
        }

        if (start + size < all.Length)
        {
            page["nextPageToken"] = (start + size).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }

        return page;
    }

    private static JsonObject Parse(string text)
    {
        if (text.Length == 0)
        {
            return [];
        }

        try
        {
            return JsonNode.Parse(text) as JsonObject ?? throw GcpErrorException.Invalid("Invalid JSON payload received.");
        }
        catch (JsonException e)
        {
            throw GcpErrorException.Invalid($"Invalid JSON payload received. {e.Message}");
        }
    }
}
