using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace CmekTools;

/// <summary>
/// How the module's views show states, keys and principals. The views call it because script in views is slow to load and to read.
/// </summary>
public static partial class ViewText
{
    // The sequences of $PSStyle.Foreground; the engine takes them out where PSStyle says that the output has no colours.
    private const string Green = "\u001b[32m";
    private const string Red = "\u001b[31m";
    private const string Yellow = "\u001b[33m";
    private const string Reset = "\u001b[0m";
    private static readonly Func<string?> s_rendering = Rendering();

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

    // The engine lets sequences through to a file that a shell makes of a process' whole output (pwsh -File x.ps1 > log): there nobody
    // sees them as colours. Whoever wants them in a file says so by $PSStyle.OutputRendering, which this assembly knows by name only.
    private static bool MayColour => !Console.IsOutputRedirected || s_rendering() == "Ansi";

    private static Func<string?> Rendering()
    {
        Type? style = Type.GetType("System.Management.Automation.PSStyle, System.Management.Automation");
        return style?.GetProperty("Instance")?.GetMethod is { } instance && style.GetProperty("OutputRendering") is { } rendering
            ? () => rendering.GetValue(instance.Invoke(null, null))?.ToString()
            : static () => null;
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
            "Warn" or "Unknown" or "unknown" or "Planned" or "LOCKED" or "Creating" or "cancelled" or "Unsealed" or "Elsewhere" or "open" =>
                Yellow,
            _ when text.EndsWith("FAILED", StringComparison.Ordinal) => Red,
            _ when text.EndsWith("ING", StringComparison.Ordinal) => Yellow,
            _ => null,
        };
        return colour is null || !MayColour ? text : colour + text + Reset;
    }

    /// <summary>A key's name: the last part of its URI, whole, in lines. Lists show the URI.</summary>
    /// <param name="uri">An ARN or a resource name; anything else is shown as it is.</param>
    /// <param name="width">The most characters a line.</param>
    public static string Key(string? uri, int width) => Words(uri?[(uri.LastIndexOf('/') + 1)..], width);

    /// <summary>
    /// A name whole, in lines that end where one of its words does: after a hyphen, a dot and the like, and before a capital. Only a
    /// word that is longer than a line is broken.
    /// </summary>
    /// <param name="value">The name, or anything else by its ToString.</param>
    /// <param name="width">The most characters a line, at least 1.</param>
    public static string Words(object? value, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        string rest = Line(value);
        StringBuilder lines = new();
        while (rest.Length > width)
        {
            int end = width;
            while (end > 0 && !IsEndOfWord(rest, end))
            {
                end--;
            }

            end = end > 0 ? end : width;
            lines.Append(rest, 0, end).Append('\n');
            rest = rest[end..];
        }

        return lines.Append(rest).ToString();
    }

    /// <summary>A list in lines, each item whole in its line where it fits.</summary>
    /// <param name="values">The items.</param>
    /// <param name="width">The most characters a line, at least 1.</param>
    public static string List(IEnumerable<object?>? values, int width)
    {
        StringBuilder lines = new();
        int used = 0;
        foreach (string item in (values ?? []).Select(Line))
        {
            bool first = lines.Length == 0;
            bool fits = !first && used + 2 + item.Length <= width;
            lines.Append(first ? string.Empty : fits ? ", " : ",\n").Append(item);
            used = fits ? used + 2 + item.Length : item.Length;
        }

        return lines.ToString();
    }

    /// <summary>
    /// A text in the last column of a table, in lines that end at spaces: the engine would end them anywhere. A word that is longer than
    /// a line ends as a name does.
    /// </summary>
    /// <param name="value">The text, or anything else by its ToString.</param>
    /// <param name="window">How many characters the window is wide; 80 where a host does not say.</param>
    /// <param name="used">How many of them the columns before take, with the spaces between.</param>
    public static string Free(object? value, int window, int used) => Wrap(value, Left(window, used));

    /// <summary>A list in the last column of a table, each item whole in its line where it fits.</summary>
    /// <param name="values">The items.</param>
    /// <param name="window">How many characters the window is wide; 80 where a host does not say.</param>
    /// <param name="used">How many of them the columns before take, with the spaces between.</param>
    public static string FreeList(IEnumerable<object?>? values, int window, int used) => List(values, Left(window, used));

    /// <summary>Texts in the last column of a table, each in lines of its own; those that are null or empty have none.</summary>
    /// <param name="values">The texts.</param>
    /// <param name="window">How many characters the window is wide; 80 where a host does not say.</param>
    /// <param name="used">How many of them the columns before take, with the spaces between.</param>
    public static string FreeRows(IEnumerable<object?>? values, int window, int used) => string.Join(
        '\n',
        (values ?? []).Where(v => v?.ToString() is { Length: > 0 }).Select(v => Free(v, window, used)));

    /// <summary>The regions of a status and the rotations that an update has proven, each in its line.</summary>
    /// <param name="regions">Each by its ToString.</param>
    /// <param name="rotations">Each by its ToString, without the path of its key.</param>
    /// <remarks>Here and not in script: a pipeline in a view costs a fresh process tens of milliseconds.</remarks>
    public static string RegionRows(IEnumerable? regions, IEnumerable? rotations) => string.Join(
        '\n',
        [
            .. (regions ?? Array.Empty<object>()).Cast<object?>().Select(r => $"{r}"),
            .. (rotations ?? Array.Empty<object>()).Cast<object?>().Select(r => $"rotated {Key($"{r}", 999)}"),
        ]);

    /// <summary>
    /// How wide a column without a width of its own is: what the others leave is shared out among those that have none, the first of
    /// them having the rest.
    /// </summary>
    /// <param name="window">How many characters the window is wide; 80 where a host does not say.</param>
    /// <param name="used">How many of them the columns with a width take, with the spaces between all.</param>
    /// <param name="columns">How many columns share.</param>
    /// <param name="place">Which of them it is, from 0.</param>
    public static int Share(int window, int used, int columns, int place)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        int left = Left(window, used);
        return Math.Max(1, (left / columns) + (place < left % columns ? 1 : 0));
    }

    /// <summary>A text in lines that end at spaces; a word that is longer than a line ends as a name does.</summary>
    /// <param name="value">The text, or anything else by its ToString.</param>
    /// <param name="width">The most characters a line, at least 1.</param>
    public static string Wrap(object? value, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        return string.Join('\n', Plain(value).ReplaceLineEndings("\n").Split('\n').SelectMany(l => Lines(l, width)));
    }

    // The engine keeps the window's last column free.
    private static int Left(int window, int used)
    {
        const int Narrowest = 10;
        return Math.Max(Narrowest, (window > 0 ? window : 80) - used - 1);
    }

    private static IEnumerable<string> Lines(string text, int width)
    {
        StringBuilder line = new();
        foreach (string part in text.Split(' ').SelectMany(w => w.Length > width ? Words(w, width).Split('\n') : [w]))
        {
            if (line.Length > 0 && line.Length + 1 + part.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : string.Empty).Append(part);
        }

        yield return line.ToString();
    }

    // Whether a line may end before this place.
    private static bool IsEndOfWord(string text, int i) =>
        (!char.IsLetterOrDigit(text[i - 1]) && !char.IsSurrogate(text[i - 1])) || (char.IsUpper(text[i]) && char.IsLower(text[i - 1]));

    /// <summary>A principal without what all principals have: a role's name, or a service account's id.</summary>
    /// <param name="principal">A role's ARN or a service account's email; anything else is shown as it is.</param>
    public static string Principal(string? principal) => PrincipalName().Match(principal ?? string.Empty) is { Success: true } match
        ? Plain(match.Groups["role"].Value + match.Groups["account"].Value)
        : Plain(principal);

    [GeneratedRegex(@"^(?:arn:[^:]+:iam::\d+:role/(?:.*/)?(?<role>[^/]+)|(?<account>[^@]+)@.*)$")]
    private static partial Regex PrincipalName();
}
