using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools;

/// <summary>
/// How the module's views show states, keys and principals. The views call it because script in views is slow to load and to read.
/// </summary>
public static partial class ViewText
{
    // The sequences of $PSStyle.Foreground; the engine takes them out where the output has no colours.
    private const string Green = "\u001b[32m";
    private const string Red = "\u001b[31m";
    private const string Yellow = "\u001b[33m";
    private const string Reset = "\u001b[0m";

    /// <summary>
    /// Text that came from outside (a service, a file), as it may be shown: what would move the cursor, colour or hide something in a
    /// terminal, or turn the direction of writing, is shown as an escape (<c>\x1b</c>, <c>\u202e</c>). Ends of lines and tabs stay.
    /// </summary>
    /// <param name="value">The text, or anything else by its ToString.</param>
    public static string Plain(object? value)
    {
        string text = value?.ToString() ?? string.Empty;
        int first = 0;
        while (first < text.Length && !IsHostile(text, first))
        {
            first++;
        }

        if (first == text.Length)
        {
            return text;
        }

        StringBuilder shown = new(text, 0, first, text.Length + 16);
        for (int i = first; i < text.Length; i++)
        {
            char c = text[i];
            if (!IsHostile(text, i))
            {
                shown.Append(c);
            }
            else if (c <= '\u00ff')
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            }
            else
            {
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            }
        }

        return shown.ToString();
    }

    /// <summary>
    /// Like <see cref="Plain"/>, for what has one line: ends of lines and tabs are shown as escapes too, so that a name cannot make a
    /// line of its own.
    /// </summary>
    /// <param name="value">The text, or anything else by its ToString.</param>
    public static string Line(object? value) => Plain(value)
        .Replace(
            "\r",
            "\\r",
            StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal);

    // A carriage return alone writes over the line; before a line feed it is an end of line.
    private static bool IsHostile(string text, int i) => text[i] switch
    {
        '\n' or '\t' => false,
        '\r' => i + 1 >= text.Length || text[i + 1] != '\n',
        < ' ' or (>= '\u007f' and <= '\u009f') => true,
        '\u00ad' or '\u061c' or '\ufeff' => true,
        >= '\u200b' and <= '\u200f' => true,
        >= '\u2028' and <= '\u202e' => true,
        >= '\u2060' and <= '\u206f' => true,
        >= '\ufff9' and <= '\ufffb' => true,
        var c when char.IsSurrogate(c) => !(char.IsHighSurrogate(c)
            ? i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])
            : i > 0 && char.IsHighSurrogate(text[i - 1])) || IsTag(text, i),
        _ => false,
    };

    // Tags (U+E0000 to U+E007F) are letters that nobody sees.
    private static bool IsTag(string text, int i)
    {
        int at = char.IsHighSurrogate(text[i]) ? i : i - 1;
        return char.ConvertToUtf32(text, at) is >= 0xE0000 and <= 0xE007F;
    }

    /// <summary>
    /// A state, a check's result or a journal entry's outcome: green where all is well, red where nothing works, yellow in between.
    /// </summary>
    /// <param name="state">An enum's value, or its text in an object that came from another process.</param>
    /// <returns>The text, with colour where it is one of the known ones.</returns>
    public static string State(object? state)
    {
        string text = Plain(state);
        string? colour = text switch
        {
            "ENABLED" or "Enabled" or "Pass" or "done" or "CREATED" or "Verified" => Green,
            "REVOKED" or "Fail" or "failed" or "PendingDeletion" or "Destroyed" or "Disabled" or "Broken" => Red,
            "Warn" or "Unknown" or "unknown" or "Planned" or "LOCKED" or "Creating" or "cancelled" or "Unsealed" or "Elsewhere" => Yellow,
            _ when text.EndsWith("FAILED", StringComparison.Ordinal) => Red,
            _ when text.EndsWith("ING", StringComparison.Ordinal) => Yellow,
            _ => null,
        };
        return colour is null ? text : colour + text + Reset;
    }

    /// <summary>A key's URI, shortened to what tells keys apart. Lists show it whole.</summary>
    /// <param name="uri">An ARN or a resource name; anything else is shown as it is.</param>
    /// <param name="width">The most characters.</param>
    public static string Key(string? uri, int width)
    {
        uri = Plain(uri);
        string name = uri[(uri.LastIndexOf('/') + 1)..];
        const int Tail = 4;
        return name.Length <= width || width <= Tail + 1
            ? name
            : string.Concat(name.AsSpan(0, width - Tail - 1), "…", name.AsSpan(name.Length - Tail));
    }

    /// <summary>A principal without what all principals have: a role's name, or a service account's id.</summary>
    /// <param name="principal">A role's ARN or a service account's email; anything else is shown as it is.</param>
    public static string Principal(string? principal) => PrincipalName().Match(principal ?? string.Empty) is { Success: true } match
        ? Plain(match.Groups["role"].Value + match.Groups["account"].Value)
        : Plain(principal);

    [GeneratedRegex(@"^(?:arn:[^:]+:iam::\d+:role/(?:.*/)?(?<role>[^/]+)|(?<account>[^@]+)@.*)$")]
    private static partial Regex PrincipalName();
}
