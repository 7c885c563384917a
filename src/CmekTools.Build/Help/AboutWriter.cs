using System.Text;
using System.Text.RegularExpressions;
using Markdig;
using Markdig.Syntax;

namespace CmekTools.Build.Help;

/// <summary>Writes an about topic as the engine shows it: text of at most 80 columns under headings in capitals.</summary>
internal static partial class AboutWriter
{
    private const int Width = 80;
    private const string Indent = "    ";

    public static string Write(string file) => Write(file, File.ReadAllText(file));

    /// <summary>The page of errors as a topic: each row of its tables is a section of its own, for 80 columns hold no table.</summary>
    /// <param name="page">The page.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="short">What it is about, in a sentence: what Get-Help lists.</param>
    public static string WriteErrors(string page, string topic, string @short)
    {
        IEnumerable<string> lines =
        [
            .. Head(topic, @short),
            .. File.ReadLines(page).Skip(1).Where(l => !Frame().IsMatch(l)).Select(
                l => Row().Match(l) is { Success: true } row
                    ? Shown($"### {row.Groups["id"].Value} ({row.Groups["kind"].Value})\n\n{row.Groups["what"].Value}\n\n"
                        + $"{row.Groups["todo"].Value}\n")
                    : l),
        ];
        return Write(topic + ".md", string.Join('\n', lines));

        static string Shown(string text) => text.Replace("\\|", "|", StringComparison.Ordinal);
    }

    /// <summary>A page as a topic: each row of its tables is an item of a list.</summary>
    /// <param name="page">The page.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="short">What it is about, in a sentence: what Get-Help lists.</param>
    public static string WritePage(string page, string topic, string @short)
    {
        List<string> lines = [.. Head(topic, @short)];
        bool code = false;
        string[] all = [.. File.ReadLines(page).Skip(1)];
        for (int i = 0; i < all.Length; i++)
        {
            string line = all[i];
            code ^= line.StartsWith("```", StringComparison.Ordinal);
            if (code || !line.StartsWith('|'))
            {
                // What belongs to an item of a list stands behind it: an item is one paragraph in a topic.
                lines.Add(!code && line.StartsWith("  ", StringComparison.Ordinal) ? line[2..] : line);
            }
            else if (!Rule().IsMatch(line) && !(i + 1 < all.Length && Rule().IsMatch(all[i + 1])))
            {
                string[] cells = [.. line.Trim('|').Split(" | ").Select(c => c.Trim())];
                lines.Add($"- {cells[0]}: {string.Join("; ", cells[1..])}");
            }
        }

        return Write(topic + ".md", string.Join('\n', lines));
    }

    private static IEnumerable<string> Head(string topic, string @short) =>
        ["# " + topic, string.Empty, "## Short description", string.Empty, @short, string.Empty, "## Long description", string.Empty];

    private static string Write(string file, string markdown)
    {
        MarkdownDocument document = Markdown.Parse(markdown);
        if (document.FirstOrDefault() is not HeadingBlock { Level: 1 } title
            || PlainText.Of(title) != Path.GetFileNameWithoutExtension(file))
        {
            throw new DocsException(file, "A topic begins with its name, the file's, as the title.");
        }

        StringBuilder text = new();
        text.Append("TOPIC\n").Append(Indent).Append(PlainText.Of(title)).Append('\n');
        bool afterHeading = true;
        foreach (Block block in document.Skip(1))
        {
            if (block is HeadingBlock heading)
            {
                string name = PlainText.Of(heading);
                text.Append('\n').Append(heading.Level == 2 ? name.ToUpperInvariant() : "  " + name).Append('\n');
            }
            else
            {
                text.Append(afterHeading ? string.Empty : "\n");
                bool isCode = block is CodeBlock;
                foreach (string paragraph in PlainText.Paragraphs([block]))
                {
                    foreach (string line in isCode ? paragraph.Split('\n').Select(l => "  " + l) : Wrap(paragraph))
                    {
                        text.Append((Indent + line).TrimEnd()).Append('\n');
                    }
                }
            }

            afterHeading = block is HeadingBlock;
        }

        return text.ToString();
    }

    private static IEnumerable<string> Wrap(string paragraph)
    {
        string hanging = paragraph.StartsWith("- ", StringComparison.Ordinal) ? "  " : string.Empty;
        StringBuilder line = new();
        foreach (string word in paragraph.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width - Indent.Length)
            {
                yield return line.ToString();
                line.Clear().Append(hanging);
            }

            line.Append(line.Length > 0 && line.ToString() != hanging ? " " : string.Empty).Append(word);
        }

        yield return line.ToString();
    }

    [GeneratedRegex(@"^\| `(?<id>\w+)` \| (?<kind>.*?) \| (?<what>.*?) (?<!\\)\| (?<todo>.*) \|$")]
    private static partial Regex Row();

    [GeneratedRegex(@"^\|( ?-+ ?\|)+$")]
    private static partial Regex Rule();

    // A table's head, and the line below it.
    [GeneratedRegex(@"^\| ?(---|Id|Error)")]
    private static partial Regex Frame();
}
