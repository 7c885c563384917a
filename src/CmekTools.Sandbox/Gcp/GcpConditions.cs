using System.Globalization;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The little of CEL that policies of keys really use. An expression that is not understood grants nothing.</summary>
internal static class GcpConditions
{
    public static bool Holds(string expression, string resource, DateTimeOffset now)
    {
        try
        {
            return new GcpConditionReader(expression, resource, now).Read();
        }
        catch (FormatException)
        {
            // A sandbox that guessed here would let a client pass that Google refuses.
            return false;
        }
    }
}

/// <summary>Reads one expression from left to right; "and" binds closer than "or".</summary>
internal sealed partial class GcpConditionReader(string expression, string resource, DateTimeOffset now)
{
    private int _at;

    /// <exception cref="FormatException">The expression is outside the subset.</exception>
    public bool Read()
    {
        bool value = Either();
        SkipBlanks();
        return _at == expression.Length ? value : throw new FormatException(expression[_at..]);
    }

    // No short circuits below: what follows has to be read in any case.
    private bool Either()
    {
        bool value = Both();
        while (Take("||"))
        {
            value |= Both();
        }

        return value;
    }

    private bool Both()
    {
        bool value = Term();
        while (Take("&&"))
        {
            value &= Term();
        }

        return value;
    }

    private bool Term()
    {
        if (Take("("))
        {
            bool value = Either();
            return Take(")") ? value : throw new FormatException("a bracket is not closed");
        }

        SkipBlanks();
        Match match = Known().Match(expression, _at);
        if (!match.Success)
        {
            throw new FormatException(expression[_at..]);
        }

        _at += match.Length;
        if (match.Groups["time"] is { Success: true } time)
        {
            DateTimeOffset limit = DateTimeOffset.Parse(time.Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
            return match.Groups["order"].Value switch
            {
                "<" => now < limit,
                "<=" => now <= limit,
                ">" => now > limit,
                _ => now >= limit,
            };
        }

        if (match.Groups["name"] is { Success: true } name)
        {
            return resource == name.Value;
        }

        return match.Groups["prefix"] is { Success: true } prefix
            ? resource.StartsWith(prefix.Value, StringComparison.Ordinal)
            : match.Value == "true";
    }

    private bool Take(string token)
    {
        SkipBlanks();
        bool found = string.CompareOrdinal(expression, _at, token, 0, token.Length) == 0;
        _at += found ? token.Length : 0;
        return found;
    }

    private void SkipBlanks()
    {
        while (_at < expression.Length && char.IsWhiteSpace(expression[_at]))
        {
            _at++;
        }
    }

    [GeneratedRegex("""
        \G(?:request\.time\s*(?<order><=|>=|<|>)\s*timestamp\(\s*(?<q>["'])(?<time>[^"']+)\k<q>\s*\)
        |resource\.name\s*==\s*(?<q>["'])(?<name>[^"']+)\k<q>
        |resource\.name\.startsWith\(\s*(?<q>["'])(?<prefix>[^"']*)\k<q>\s*\)
        |(?:true|false)\b)
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Known();
}
