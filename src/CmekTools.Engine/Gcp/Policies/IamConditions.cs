using System.Globalization;
using System.Text.RegularExpressions;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>What a condition is asked about.</summary>
/// <param name="Names">The resource's name in each of its spellings (a project goes by id and by number).</param>
/// <param name="Type">The resource's type.</param>
/// <param name="Now">The time of the request.</param>
internal sealed record ConditionScope(IReadOnlyList<string> Names, string Type, DateTimeOffset Now)
{
    /// <summary>What a condition sees as <c>resource.service</c>.</summary>
    public string Service => Type[..Type.IndexOf('/', StringComparison.Ordinal)];
}

/// <summary>
/// Judges conditions (https://cloud.google.com/iam/docs/conditions-attribute-reference) with a CEL library, which is loaded with the
/// first condition. An attribute or function that is not known here, or an answer that depends on how the resource's name is spelt, is
/// Perhaps: both a wrong "lets in" and a wrong "keeps out" would cost data.
/// </summary>
internal static partial class IamConditions
{
    /// <summary>Does it hold at the time of the scope?</summary>
    public static Decision Holds(string expression, ConditionScope scope) =>
        IsKnown(expression, scope) ? Evaluate(expression, scope, [scope.Now]) : Decision.Perhaps;

    /// <summary>Does it hold now, or will it at some time? Denied only where it never will.</summary>
    public static Decision EverHolds(string expression, ConditionScope scope)
    {
        if (!IsKnown(expression, scope))
        {
            return Decision.Perhaps;
        }

        string code = StripText(expression);
        if (!code.Contains("request", StringComparison.Ordinal))
        {
            return Evaluate(expression, scope, [scope.Now]);
        }

        Decision now = Evaluate(expression, scope, [scope.Now]);
        if (now == Decision.Allowed)
        {
            return now;
        }

        // Between two limits that it is compared with, the answer does not change; hours and weekdays come again and again.
        Match[] limits = Limit().Matches(expression).ToArray();
        DateTimeOffset[] times = [.. limits.Select(m => Time(m.Groups["time"].Value)).OfType<DateTimeOffset>()];
        bool plain = limits.Length == Request().Count(code) && times.Length == limits.Length
            && Request().Count(code) == Request().Count(expression) && code.IndexOfAny(['+', '-', '*', '/', '%']) < 0;
        if (!plain)
        {
            return Decision.Perhaps;
        }

        DateTimeOffset[] moments =
        [
            .. times.SelectMany(t => new[] { t.AddSeconds(-1), t, t.AddSeconds(1) }).Where(t => t > scope.Now),
            scope.Now.AddYears(500),
        ];
        return Evaluate(expression, scope, moments) == Decision.Denied && now == Decision.Denied ? Decision.Denied : Decision.Perhaps;
    }

    /// <summary>When it ends by itself: the earliest time to come that it must stay below, or null.</summary>
    public static DateTimeOffset? Ends(string expression, DateTimeOffset now) => Upper().Matches(expression)
        .Select(m => Time(m.Groups["time"].Value))
        .Where(t => t > now)
        .Min();

    // Only what can be told here is handed to the library: it takes an attribute that is not given for an empty one in places.
    private static bool IsKnown(string expression, ConditionScope scope)
    {
        string code = expression.Length <= LongestTold ? StripText(expression) : string.Empty;
        if (!IsShallow(code) || expression.Count(c => c is '(' or '[' or '{' or '?') > MostBrackets)
        {
            return false;
        }

        bool byNumber = ProjectNumber().IsMatch(expression) && !scope.Names.Any(n => ProjectNumber().IsMatch(n));
        bool ofVersion = expression.Contains("CryptoKeyVersion", StringComparison.OrdinalIgnoreCase);
        // The library passes over characters that are none of CEL's.
        bool odd = Operators().Replace(code, " ").IndexOfAny(['&', '|', '=', '@', '#', '$', ';', '^', '~', '`', '\\', '"']) >= 0;
        return code.Trim().Length > 0 && !byNumber && !ofVersion && !odd && Words().Matches(code).All(m => IsKnownWord(m.Value));
    }

    // The library goes down one level of its stack, and many frames, for each bracket and each question: too many end the process, and
    // with it the session of whoever wanted to cut a key. Google takes twelve logical operators.
    private static bool IsShallow(string code)
    {
        int depth = 0;
        int questions = 0;
        foreach (char c in code)
        {
            depth += c is '(' or '[' or '{' ? 1 : c is ')' or ']' or '}' ? -1 : 0;
            questions += c == '?' ? 1 : 0;
            if (depth > DeepestTold || questions > DeepestTold)
            {
                return false;
            }
        }

        return true;
    }

    private const int LongestTold = 4096;
    private const int DeepestTold = 32;

    // In the text as it stands, strings and comments too: where the library sees the end of one of them elsewhere, nothing is too deep.
    private const int MostBrackets = 128;

    // A name with what is selected from it, or a function.
    private static bool IsKnownWord(string word) => word is "true" or "false" or "in" or "timestamp" or "duration" or "size" or "r"
        || word is "resource.name" or "resource.type" or "resource.service" or "request.time"
        || s_methods.Any(m => word is ['.', ..] && word[1..] == m)
        || (word.LastIndexOf('.') is > 0 and var dot && s_methods.Contains(word[(dot + 1)..]) && IsKnownWord(word[..dot]));

    private static readonly HashSet<string> s_methods =
    [
        "startsWith", "endsWith", "contains", "matches", "size",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ];

    private static Decision Evaluate(string expression, ConditionScope scope, IReadOnlyList<DateTimeOffset> moments)
    {
        Decision[] all = [.. from name in scope.Names from time in moments select Cel.Answer(expression, name, scope, time)];
        return all.Distinct().Count() == 1 ? all[0] : Decision.Perhaps;
    }

    // The code without what stands in strings and comments, each of which becomes a blank or an empty string.
    private static string StripText(string expression) =>
        Text().Replace(expression, m => m.Value.StartsWith("//", StringComparison.Ordinal) ? " " : "''");

    private static DateTimeOffset? Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time) ? time : null;

    [GeneratedRegex("""
        //[^\r\n]*|[rR]?(?:"{3}(?:[^\\]|\\.)*?"{3}|'{3}(?:[^\\]|\\.)*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
        """, RegexOptions.IgnorePatternWhitespace | RegexOptions.Singleline)]
    private static partial Regex Text();

    [GeneratedRegex(@"\.?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")]
    private static partial Regex Words();

    [GeneratedRegex(@"&&|\|\||==|!=|<=|>=")]
    private static partial Regex Operators();

    [GeneratedRegex(@"\brequest\b")]
    private static partial Regex Request();

    [GeneratedRegex("""
        request\.time\s*(?:<=?|>=?|==|!=)\s*timestamp\(\s*(?<q>["'])(?<time>[^"'\\]+)\k<q>\s*\)
        |timestamp\(\s*(?<q>["'])(?<time>[^"'\\]+)\k<q>\s*\)\s*(?:<=?|>=?|==|!=)\s*request\.time(?![.\w])
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Limit();

    [GeneratedRegex("""
        request\.time\s*<=?\s*timestamp\(\s*(?<q>["'])(?<time>[^"'\\]+)\k<q>\s*\)
        |timestamp\(\s*(?<q>["'])(?<time>[^"'\\]+)\k<q>\s*\)\s*>=?\s*request\.time(?![.\w])
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Upper();

    [GeneratedRegex(@"projects/[0-9]")]
    private static partial Regex ProjectNumber();

    // By itself, so that the library is loaded only where this class is touched.
    private static class Cel
    {
        private static readonly global::Cel.CelEnvironment s_environment = new([], string.Empty);

        public static Decision Answer(string expression, string name, ConditionScope scope, DateTimeOffset time)
        {
            try
            {
                object? answer = s_environment.Program(expression, new Dictionary<string, object?>
                {
                    ["resource"] = new Dictionary<string, object?> { ["name"] = name, ["type"] = scope.Type, ["service"] = scope.Service },
                    ["request"] = new Dictionary<string, object?> { ["time"] = time },
                });
                return answer switch
                {
                    true => Decision.Allowed,
                    false => Decision.Denied,
                    _ => Decision.Perhaps,
                };
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Not CEL, or CEL that the library does not know: Google's own reader decides.
                return Decision.Perhaps;
            }
        }
    }
}
