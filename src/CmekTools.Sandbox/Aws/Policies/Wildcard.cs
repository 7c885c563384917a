namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>The wildcards of policies: <c>*</c> for any text, <c>?</c> for one character.</summary>
internal static class Wildcard
{
    /// <summary>True where the whole text fits the pattern.</summary>
    public static bool Fits(string pattern, string text, StringComparison comparison = StringComparison.Ordinal)
    {
        // Walks both; on a mismatch it goes back to the last star and lets that take one character more.
        int p = 0, t = 0, star = -1, mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && (pattern[p] == '?' || string.Compare(pattern, p, text, t, 1, comparison) == 0))
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

        return pattern.AsSpan(p).TrimStart('*').IsEmpty;
    }

    /// <summary>True where each of an ARN's six parts fits.</summary>
    public static bool FitsArn(string pattern, string arn)
    {
        string[] wanted = pattern.Split(':', 6);
        string[] given = arn.Split(':', 6);
        return wanted.Length == 6 && given.Length == 6 && wanted.Zip(given).All(pair => Fits(pair.First, pair.Second));
    }
}
