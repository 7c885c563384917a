using System.Globalization;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether a statement's Condition holds.</summary>
/// <param name="Holds">How sure that is.</param>
/// <param name="Why">Where it is not sure: the operator and key that it hangs on.</param>
internal readonly record struct ConditionFinding(Certainty Holds, string? Why = null);

/// <summary>Evaluates a statement's Condition. What hangs on an unknown key is Perhaps.</summary>
internal static class PolicyConditions
{
    /// <summary>Evaluates a Condition: every operator and every key of it has to hold.</summary>
    /// <param name="condition">The Condition element, or null.</param>
    /// <param name="context">What is known of the request.</param>
    /// <param name="variables">False where the document's version knows no variables.</param>
    public static ConditionFinding Evaluate(JsonNode? condition, PolicyContext context, bool variables = true)
    {
        if (condition is not JsonObject operators)
        {
            return condition is null
                ? new ConditionFinding(Certainty.Yes)
                : new ConditionFinding(Certainty.Perhaps, "a condition of an unknown form");
        }

        string? why = null;
        foreach ((string name, JsonNode? keys) in operators)
        {
            if (keys is not JsonObject pairs)
            {
                why ??= name;
                continue;
            }

            foreach ((string key, JsonNode? values) in pairs)
            {
                Certainty holds = One(name, key, PolicyJson.Strings(values), context, variables);
                if (holds == Certainty.No)
                {
                    return new ConditionFinding(Certainty.No);
                }

                why ??= holds == Certainty.Perhaps ? $"{name} {key}" : null;
            }
        }

        return new ConditionFinding(why is null ? Certainty.Yes : Certainty.Perhaps, why);
    }

    /// <summary>True where a Condition names a key, under whatever operator.</summary>
    public static bool Names(JsonNode? condition, Func<string, bool> key) =>
        condition is JsonObject operators && operators.Any(o => o.Value is JsonObject pairs && pairs.Any(p => key(p.Key)));

    /// <summary>True where a Condition limits a statement to principals by their ARN.</summary>
    public static bool ByPrincipalArn(JsonNode? condition) => condition is JsonObject operators && operators.Any(o =>
        !o.Key.Contains("Not", StringComparison.OrdinalIgnoreCase)
        && !o.Key.EndsWith("IfExists", StringComparison.OrdinalIgnoreCase)
        && !o.Key.Equals("Null", StringComparison.OrdinalIgnoreCase)
        && o.Value is JsonObject pairs
        && pairs.Any(p => p.Key.Equals("aws:PrincipalArn", StringComparison.OrdinalIgnoreCase)));

    private static Certainty One(string name, string key, IReadOnlyList<string> wanted, PolicyContext context, bool variables)
    {
        bool forAll = name.StartsWith("ForAllValues:", StringComparison.OrdinalIgnoreCase);
        bool forAny = name.StartsWith("ForAnyValue:", StringComparison.OrdinalIgnoreCase);
        string bare = forAll || forAny ? name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..] : name;
        bool ifExists = bare.EndsWith("IfExists", StringComparison.OrdinalIgnoreCase);
        bare = (ifExists ? bare[..^"IfExists".Length] : bare).ToUpperInvariant();
        ContextValue value = context.Look(key);
        if (value.Kind == ContextKind.Unknown || wanted.Count == 0)
        {
            return Certainty.Perhaps;
        }

        if (bare == "NULL")
        {
            return Certainties.Of(
                wanted.Any(w => string.Equals(w, value.Kind == ContextKind.Absent ? "true" : "false", StringComparison.OrdinalIgnoreCase)));
        }

        bool negative = bare.Contains("NOT", StringComparison.Ordinal);
        string positive = bare.Replace("NOT", string.Empty, StringComparison.Ordinal);
        if (!s_operators.Contains(positive))
        {
            return Certainty.Perhaps;
        }

        if (value.Kind == ContextKind.Absent)
        {
            // One value of none does not fit, whatever the operator; each of none does.
            return Certainties.Of(!forAny && (ifExists || forAll || negative));
        }

        Certainty fits = Certainties.Any(wanted.Select(w => PolicyPatterns.Resolve(w, context, variables) is { } pattern
            ? Compare(positive, value, pattern)
            : Certainty.Perhaps));
        return negative ? Certainties.Not(fits) : fits;
    }

    private static readonly HashSet<string> s_operators =
    [
        "STRINGEQUALS", "STRINGEQUALSIGNORECASE", "STRINGLIKE", "ARNEQUALS", "ARNLIKE", "BOOL",
        "NUMERICEQUALS", "NUMERICLESSTHAN", "NUMERICLESSTHANEQUALS", "NUMERICGREATERTHAN", "NUMERICGREATERTHANEQUALS",
        "DATEEQUALS", "DATELESSTHAN", "DATELESSTHANEQUALS", "DATEGREATERTHAN", "DATEGREATERTHANEQUALS",
    ];

    private static Certainty Compare(string name, ContextValue value, string pattern)
    {
        if (value.Kind == ContextKind.Begins)
        {
            return Begins(name, value.Text, pattern);
        }

        string text = value.Text;
        return name switch
        {
            "STRINGEQUALS" => Certainties.Of(text == PolicyPatterns.Literal(pattern)),
            "STRINGEQUALSIGNORECASE" or "BOOL" =>
                Certainties.Of(string.Equals(text, PolicyPatterns.Literal(pattern), StringComparison.OrdinalIgnoreCase)),
            "STRINGLIKE" => Certainties.Of(PolicyPatterns.Like(pattern, text)),
            "ARNEQUALS" or "ARNLIKE" => PolicyPatterns.ArnLike(pattern, text),
            _ when name.StartsWith("NUMERIC", StringComparison.Ordinal) => Ordered(name["NUMERIC".Length..], Number(text), Number(pattern)),
            _ => Ordered(name["DATE".Length..], Instant(text), Instant(pattern)),
        };
    }

    // Of the value only the beginning is known.
    private static Certainty Begins(string name, string start, string pattern)
    {
        int wild = pattern.AsSpan().IndexOfAny('*', '?');
        bool like = name is "STRINGLIKE" && wild >= 0;
        string head = PolicyPatterns.Literal(like ? pattern[..wild] : pattern);
        StringComparison how = name is "STRINGEQUALSIGNORECASE" ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        if (name is not ("STRINGEQUALS" or "STRINGEQUALSIGNORECASE" or "STRINGLIKE"))
        {
            return Certainty.Perhaps;
        }

        if (like && wild == pattern.Length - 1 && pattern[wild] == '*' && start.StartsWith(head, how))
        {
            return Certainty.Yes;
        }

        bool fits = head.StartsWith(start, how) || (like && start.StartsWith(head, how));
        return fits ? Certainty.Perhaps : Certainty.No;
    }

    private static Certainty Ordered(string how, decimal? value, decimal? wanted) => value is not { } a || wanted is not { } b
        ? Certainty.Perhaps
        : Certainties.Of(how switch
        {
            "EQUALS" => a == b,
            "LESSTHAN" => a < b,
            "LESSTHANEQUALS" => a <= b,
            "GREATERTHAN" => a > b,
            _ => a >= b,
        });

    private static decimal? Number(string text) =>
        decimal.TryParse(text, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal number) ? number : null;

    private static decimal? Instant(string text)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds < 253_402_300_800)
        {
            return seconds;
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date.ToUnixTimeMilliseconds() / 1000m
            : null;
    }
}
