using System.Text;
using Markdig;
using Markdig.Syntax;

namespace CmekTools.Build.Help;

/// <summary>Writes an about topic as the engine shows it: text of at most 80 columns under headings in capitals.</summary>
internal static class AboutWriter
{
    private const int Width = 80;
    private const string Indent = "    ";

    public static string Write(string file)
    {
        MarkdownDocument document = Markdown.Parse(File.ReadAllText(file));
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
}
