using System.Collections.Concurrent;
using System.Text.RegularExpressions;

namespace CmekTools;

/// <summary>
/// The secrets that this process was given, so that none of them is shown or kept, whoever repeats it: a proxy that answers with the
/// request's headers, an SDK that puts a token into its error. They are held in memory only, as their SDKs and clients hold them too.
/// </summary>
internal static partial class Secrets
{
    /// <summary>What stands in the place of a secret.</summary>
    public const string Mask = "(secret)";

    // Whatever is shorter is more likely a word than a secret, and would take parts out of sentences.
    private const int ShortestSecret = 8;
    private static readonly ConcurrentDictionary<string, byte> s_known = new(StringComparer.Ordinal);

    /// <summary>Notes secrets; null and what is too short for one are passed over.</summary>
    public static void Note(params IEnumerable<string?> secrets)
    {
        foreach (string? secret in secrets)
        {
            if (secret?.Trim() is { Length: >= ShortestSecret } known)
            {
                s_known.TryAdd(known, 0);
            }
        }
    }

    /// <summary>Notes those that the environment holds, by the names that the services' tools know.</summary>
    public static void NoteEnvironment() => Note(
        (
            (string[])
            [
                "COCKROACH_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN",
            ])
            .Select(Environment.GetEnvironmentVariable));

    /// <summary>The text without secrets: those that were noted, and whatever is one by its form.</summary>
    public static string Hide(string text)
    {
        text = HideKnown(text);
        bool mayHold = text.Contains("earer ", StringComparison.Ordinal) || text.Contains("PRIVATE KEY", StringComparison.Ordinal)
            || text.Contains("ya29.", StringComparison.Ordinal);
        return mayHold ? Forms().Replace(text, Mask) : text;
    }

    /// <summary>The text without the secrets that were noted; its form stays as it is.</summary>
    public static string HideKnown(string text)
    {
        foreach (string secret in s_known.Keys)
        {
            if (text.Contains(secret, StringComparison.Ordinal))
            {
                text = text.Replace(secret, Mask, StringComparison.Ordinal);
            }
        }

        return text;
    }

    /// <summary>True where a failure, or one that it comes from, says a secret.</summary>
    public static bool AreIn(Exception failure)
    {
        string text = failure.ToString();
        return Hide(text).Length != text.Length;
    }

    // What is a secret by its form, whoever's it is.
    [GeneratedRegex(
        @"(?<=\b[Bb]earer )[A-Za-z0-9._~+/=-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"
            + @"|\bya29\.[A-Za-z0-9._-]{8,}",
        RegexOptions.Singleline | RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 2000)]
    private static partial Regex Forms();
}
