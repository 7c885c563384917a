using System.Globalization;
using System.Text.RegularExpressions;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// Judges a binding's condition as far as it can be judged from here: true, false, or null where a part that decides is not known. Null is never
/// taken for an answer, for both a wrong "lets in" and a wrong "keeps out" would cost data.
/// </summary>
internal sealed partial class IamCondition(string expression, string resource, DateTimeOffset now)
{
    private int _at;

    /// <summary>Does an expression hold for a key or an account at a time?</summary>
    public static bool? Holds(string expression, string resource, DateTimeOffset now)
    {
        IamCondition reader = new(expression, resource, now);
        bool? value = reader.Either();
        reader.SkipBlanks();
        return reader._at == expression.Length ? value : null;
    }

    /// <summary>When an expression ends by itself: the earliest time to come that it must stay below, or null.</summary>
    public static DateTimeOffset? Ends(string expression, DateTimeOffset now) => Limit().Matches(expression)
        .Select(m => Parse(m.Groups[1].Value))
        .Where(t => t > now)
        .Min();

    private bool? Either()
    {
        bool? value = Both();
        while (Take("||"))
        {
            bool? other = Both();
            value = value == true || other == true ? true : value is null || other is null ? null : false;
        }

        return value;
    }

    private bool? Both()
    {
        bool? value = Term();
        while (Take("&&"))
        {
            bool? other = Term();
            value = value == false || other == false ? false : value is null || other is null ? null : true;
        }

        return value;
    }

    private bool? Term()
    {
        if (Take("!"))
        {
            return !Term();
        }

        if (Take("("))
        {
            bool? value = Either();
            // Without its bracket the rest is not what it seems.
            return Take(")") ? value : Give(null, expression.Length);
        }

        SkipBlanks();
        Match match = Known().Match(expression, _at);
        return match.Success && EndsHere(match.Index + match.Length) ? Give(Judge(match), match.Index + match.Length) : Give(null, NextTerm());
    }

    private bool? Judge(Match match)
    {
        if (match.Groups["time"] is { Success: true } time)
        {
            return Parse(time.Value) is not { } limit ? null : match.Groups["order"].Value switch
            {
                "<" => now < limit,
                "<=" => now <= limit,
                ">" => now > limit,
                _ => now >= limit,
            };
        }

        if (match.Groups["name"] is { Success: true } name)
        {
            return (resource == name.Value) == (match.Groups["equal"].Value == "==");
        }

        return match.Groups["prefix"] is { Success: true } prefix ? resource.StartsWith(prefix.Value, StringComparison.Ordinal) : match.Value == "true";
    }

    // A known beginning with something behind it ("resource.name == 'x' + y") is not a known term.
    private bool EndsHere(int at)
    {
        string rest = expression[at..].TrimStart();
        return rest.Length == 0 || rest[0] == ')' || rest.StartsWith("&&", StringComparison.Ordinal) || rest.StartsWith("||", StringComparison.Ordinal);
    }

    // Where the term that is not known ends: at the next operator or closing bracket outside of its own brackets and strings.
    private int NextTerm()
    {
        int depth = 0;
        char quote = '\0';
        for (int i = _at; i < expression.Length; i++)
        {
            char c = expression[i];
            if (quote != '\0')
            {
                i += c == '\\' ? 1 : 0;
                quote = c == quote ? '\0' : quote;
            }
            else if (c is '"' or '\'')
            {
                quote = c;
            }
            else if (c is '(' or '[' or '{')
            {
                depth++;
            }
            else if (c is ')' or ']' or '}' && --depth < 0)
            {
                return i;
            }
            else if (depth == 0 && c is '&' or '|')
            {
                return i;
            }
            else if (depth == 0 && c == '?')
            {
                // "a ? b : c" binds less than all that was read before it.
                return expression.Length + 1;
            }
        }

        return expression.Length;
    }

    private bool? Give(bool? value, int end)
    {
        _at = end;
        return value;
    }

    private bool Take(string token)
    {
        SkipBlanks();
        bool found = _at <= expression.Length && string.CompareOrdinal(expression, _at, token, 0, token.Length) == 0;
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

    private static DateTimeOffset? Parse(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time) ? time : null;

    [GeneratedRegex("""
        \G(?:request\.time\s*(?<order><=|>=|<|>)\s*timestamp\(\s*(?<q>["'])(?<time>[^"']+)\k<q>\s*\)
        |resource\.name\s*(?<equal>==|!=)\s*(?<q>["'])(?<name>[^"'\\]+)\k<q>
        |resource\.name\.startsWith\(\s*(?<q>["'])(?<prefix>[^"'\\]*)\k<q>\s*\)
        |(?:true|false)\b)
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Known();

    [GeneratedRegex("""request\.time\s*<=?\s*timestamp\(\s*["']([^"']+)["']\s*\)""")]
    private static partial Regex Limit();
}
