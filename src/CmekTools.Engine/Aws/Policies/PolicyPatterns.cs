using System.Text;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>
/// Patterns of policies: wildcards, ARNs part by part, and variables. A character that a variable makes literal is kept apart from a
/// wildcard by a
/// character of the private use area, which no ARN holds.
/// </summary>
internal static class PolicyPatterns
{
    private const char LiteralStar = '\uE000';
    private const char LiteralMark = '\uE001';
    private const int ArnParts = 6;

    /// <summary>True where a pattern with * and ? stands for a text.</summary>
    public static bool Like(string pattern, string text, bool ignoreCase = false)
    {
        int p = 0;
        int t = 0;
        int star = -1;
        int mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || Equal(pattern[p], text[t], ignoreCase)))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
        {
            p++;
        }

        return p == pattern.Length;
    }

    /// <summary>A pattern's text as it is compared where wildcards mean nothing.</summary>
    public static string Literal(string pattern) => pattern.Replace(LiteralStar, '*').Replace(LiteralMark, '?');

    /// <summary>Each of an ARN's six parts is compared by itself, so that a * does not reach past a colon.</summary>
    public static Certainty ArnLike(string pattern, string arn)
    {
        string[] wanted = pattern.Split(':', ArnParts);
        string[] has = arn.Split(':', ArnParts);
        if (wanted.Length == ArnParts && has.Length == ArnParts)
        {
            return Certainties.Of(wanted.Zip(has).All(pair => Like(pair.First, pair.Second)));
        }

        // What is no ARN is compared in a way that is not documented.
        return wanted.Length == ArnParts
            ? Certainty.No
            : pattern.Contains('*', StringComparison.Ordinal)
            ? Certainty.Perhaps
            : Certainty.No;
    }

    /// <summary>Whether a Resource element stands for a resource.</summary>
    /// <param name="pattern">The element, its variables resolved.</param>
    /// <param name="arn">The resource's ARN.</param>
    /// <param name="complete">True for a policy of a user or role: missing parts of an ARN are completed with *.</param>
    public static Certainty ResourceLike(string pattern, string arn, bool complete)
    {
        if (pattern == "*")
        {
            return Certainty.Yes;
        }

        string[] wanted = pattern.Split(':', ArnParts);
        string[] has = arn.Split(':', ArnParts);
        bool whole = Like(pattern, arn);
        if (wanted.Length < ArnParts)
        {
            string[] completed = [.. wanted, .. Enumerable.Repeat("*", ArnParts - wanted.Length)];
            bool fits = completed.Zip(has).All(pair => Like(pair.First, pair.Second));
            return complete && fits ? Certainty.Yes : Certainties.Of(fits || whole) == Certainty.Yes ? Certainty.Perhaps : Certainty.No;
        }

        bool parts = wanted.Zip(has).All(pair => Like(pair.First, pair.Second));

        // A * that reaches past a colon: the services' own pages do not agree.
        return parts == whole ? Certainties.Of(parts) : Certainty.Perhaps;
    }

    /// <summary>
    /// True where a Resource has a variable before the fifth colon of its ARN, where AWS takes none; what it does then is not
    /// documented.
    /// </summary>
    public static bool HasMisplacedVariable(string text, bool variables)
    {
        int variable = text.IndexOf("${", StringComparison.Ordinal);
        return variables && variable >= 0 && text.AsSpan(0, variable).Count(':') < ArnParts - 1;
    }

    /// <summary>Puts what is known in the place of variables.</summary>
    /// <param name="text">The text of a policy.</param>
    /// <param name="context">What is known.</param>
    /// <param name="variables">False for a document of version 2008-10-17, where a variable is nothing but letters.</param>
    /// <returns>The pattern, or null where a variable is not known.</returns>
    public static string? Resolve(string text, PolicyContext context, bool variables)
    {
        if (!variables || !text.Contains("${", StringComparison.Ordinal))
        {
            return text;
        }

        StringBuilder pattern = new();
        int at = 0;
        while (at < text.Length)
        {
            int start = text.IndexOf("${", at, StringComparison.Ordinal);
            int end = start < 0 ? -1 : text.IndexOf('}', start);
            if (end < 0)
            {
                pattern.Append(text, at, text.Length - at);
                break;
            }

            pattern.Append(text, at, start - at);
            if (Variable(text[(start + 2)..end], context) is not { } value)
            {
                return null;
            }

            pattern.Append(value.Replace('*', LiteralStar).Replace('?', LiteralMark));
            at = end + 1;
        }

        return pattern.ToString();
    }

    private static string? Variable(string inside, PolicyContext context)
    {
        if (inside is "*" or "?" or "$")
        {
            return inside;
        }

        int comma = inside.IndexOf(',', StringComparison.Ordinal);
        string name = (comma < 0 ? inside : inside[..comma]).Trim();
        ContextValue value = context.Look(name);
        string fallback = comma < 0 ? string.Empty : inside[(comma + 1)..].Trim();
        return value.Kind switch
        {
            ContextKind.Known => value.Text,
            ContextKind.Absent when fallback.Length >= 2 && fallback[0] == '\'' && fallback[^1] == '\'' => fallback[1..^1],
            _ => null,
        };
    }

    private static bool Equal(char pattern, char text, bool ignoreCase)
    {
        char wanted = pattern switch { LiteralStar => '*', LiteralMark => '?', _ => pattern };
        return wanted == text || (ignoreCase && char.ToLowerInvariant(wanted) == char.ToLowerInvariant(text));
    }
}
