using System.Globalization;
using System.Net;
using System.Xml.Linq;

namespace CmekTools.Sandbox.Aws;

/// <summary>One request of the Query protocol: a form in, XML out.</summary>
internal sealed class QueryCall(AwsWorld world, AwsCaller caller, IReadOnlyDictionary<string, string> form)
{
    /// <summary>The world.</summary>
    public AwsWorld World { get; } = world;

    /// <summary>Who asks.</summary>
    public AwsCaller Caller { get; } = caller;

    /// <summary>Reads a form.</summary>
    public static Dictionary<string, string> ReadForm(string body)
    {
        Dictionary<string, string> form = new(StringComparer.Ordinal);
        foreach (string pair in body.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = pair.Split('=', 2);
            form[WebUtility.UrlDecode(halves[0])] = halves.Length == 2 ? WebUtility.UrlDecode(halves[1]) : string.Empty;
        }

        return form;
    }

    /// <summary>A time in XML.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A fault in a parameter.</summary>
    public static AwsErrorException Invalid(string message) => new("ValidationError", message);

    /// <summary>A text, or null.</summary>
    public string? Text(string name) => form.GetValueOrDefault(name);

    /// <summary>A text that has to be there.</summary>
    public string Need(string name) => Text(name) is { Length: > 0 } text
        ? text
        : throw Invalid(
            $"1 validation error detected: Value at '{char.ToLowerInvariant(name[0])}{name[1..]}' failed to satisfy constraint: "
                + "Member must not be null");

    /// <summary>A number in its limits.</summary>
    public int Number(string name, int usual, int least, int most)
    {
        if (Text(name) is not { } text)
        {
            return usual;
        }

        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= least
            && number <= most
            ? number
            : throw Invalid(
                $"1 validation error detected: Value '{text}' at '{char.ToLowerInvariant(name[0])}{name[1..]}' failed to satisfy "
                    + $"constraint: Member must have value between {least} and {most}");
    }

    /// <summary>A list of texts: <c>NAME.member.1</c> and so on.</summary>
    public IEnumerable<string> Texts(string name)
    {
        for (int i = 1; Text($"{name}.member.{i}") is { } text; i++)
        {
            yield return text;
        }
    }

    /// <summary>The parameter Tags.</summary>
    public List<KeyValuePair<string, string>> Tags()
    {
        List<KeyValuePair<string, string>> tags = [];
        for (int i = 1; Text($"Tags.member.{i}.Key") is { } name; i++)
        {
            if (tags.Exists(t => string.Equals(t.Key, name, StringComparison.OrdinalIgnoreCase)))
            {
                throw new AwsErrorException("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
            }

            tags.Add(new(name, Text($"Tags.member.{i}.Value") ?? string.Empty));
        }

        return tags;
    }

    /// <summary>An element with a text; none where there is no text.</summary>
    public static XElement? Element(string name, string? text) => text is null ? null : new XElement(name, text);

    /// <summary>A list in an answer.</summary>
    public static XElement List(string name, IEnumerable<object> members) => new(name, members.Select(m => new XElement("member", m)));
}
