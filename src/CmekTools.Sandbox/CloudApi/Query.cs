using System.Globalization;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>A request's query.</summary>
internal sealed class Query
{
    private const int DefaultLimit = 100;

    private readonly Dictionary<string, string> _values = [];

    public Query(string raw)
    {
        foreach (string pair in raw.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = pair.Split('=', 2);
            _values[Plain(halves[0])] = halves.Length == 2 ? Plain(halves[1]) : string.Empty;
        }
    }

    public string? this[string name] => _values.GetValueOrDefault(name);

    /// <summary>A limit; 0 and nothing mean the service's own.</summary>
    public int Limit(string name)
    {
        if (this[name] is not { Length: > 0 } text)
        {
            return DefaultLimit;
        }

        int limit = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw CloudApiFault.Invalid($"{name} must be a number");
        return limit == 0 ? DefaultLimit : Math.Min(limit, 500);
    }

    /// <summary>One of some words; the first where absent.</summary>
    public string OneOf(string name, params string[] words)
    {
        string word = this[name] is { Length: > 0 } given ? given : words[0];
        return words.Contains(word) ? word : throw CloudApiFault.Invalid($"{name} must be one of {string.Join(", ", words)}");
    }

    private static string Plain(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
}
