using System.Globalization;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The little of CEL that policies of keys really use. An expression that is not understood grants nothing.</summary>
internal static partial class GcpConditions
{
    public static bool Holds(string expression, string resource, DateTimeOffset now) =>
        expression.Split("||").Any(alternative => alternative.Split("&&").All(term => Term(term.Trim().Trim('(').TrimEnd(), resource, now)));

    private static bool Term(string term, string resource, DateTimeOffset now)
    {
        if (term is "true")
        {
            return true;
        }

        if (Time().Match(term) is { Success: true } time && DateTimeOffset.TryParse(time.Groups[2].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset limit))
        {
            return time.Groups[1].Value switch
            {
                "<" or "<=" => now < limit,
                _ => now > limit,
            };
        }

        if (Name().Match(term) is { Success: true } name)
        {
            return resource == name.Groups[1].Value;
        }

        return Prefix().Match(term) is { Success: true } prefix && resource.StartsWith(prefix.Groups[1].Value, StringComparison.Ordinal);
    }

    [GeneratedRegex("""^request\.time\s*(<=|<|>=|>)\s*timestamp\(["']([^"']+)["']\)+$""")]
    private static partial Regex Time();

    [GeneratedRegex("""^resource\.name\s*==\s*["']([^"']+)["']\)*$""")]
    private static partial Regex Name();

    [GeneratedRegex("""^resource\.name\.startsWith\(["']([^"']+)["']\)+$""")]
    private static partial Regex Prefix();
}
