using Markdig;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace CmekTools.Build.Help;

/// <summary>
/// Reads a command's page. Its shape is fixed: the command's name as the title, the synopsis as the first paragraph, then the sections
/// Description, Parameters, Inputs, Outputs, Examples, Notes and Links. In the examples a comment <c>before:</c> holds commands that
/// are run and not shown, and <c>not run:</c> a reason; a fence <c>powershell</c> holds the commands, a fence <c>text</c> what they
/// print.
/// </summary>
internal static class PageReader
{
    private static readonly string[] s_sections = ["Description", "Parameters", "Inputs", "Outputs", "Examples", "Notes", "Links"];

    public static Page Read(string file)
    {
        MarkdownDocument document = Markdown.Parse(
            System.IO.File.ReadAllText(file),
            new MarkdownPipelineBuilder().UsePreciseSourceLocation().Build());
        Block[] blocks = [.. document];
        if (blocks is not [HeadingBlock { Level: 1 } title, ParagraphBlock synopsis, ..])
        {
            throw new DocsException(file, "A page begins with the command's name as its title and one paragraph, the synopsis.");
        }

        string name = PlainText.Of(title);
        if (name != Path.GetFileNameWithoutExtension(file))
        {
            throw new DocsException(file, $"The title '{name}' is not the file's name.");
        }

        Dictionary<string, Block[]> sections = Sections(file, blocks[2..], level: 2).ToDictionary(
            s => PlainText.Of(s.Heading),
            s => s.Blocks);
        if (sections.Keys.FirstOrDefault(k => !s_sections.Contains(k)) is { } unknown)
        {
            throw new DocsException(file, $"'{unknown}' is none of the sections {string.Join(", ", s_sections)}.");
        }

        Block[] Section(string section) => sections.GetValueOrDefault(section) ?? [];
        return new Page(file, name)
        {
            Synopsis = PlainText.Of(synopsis),
            Description = PlainText.Paragraphs(Section("Description")),
            Parameters = Entries(file, Section("Parameters")),
            Inputs = Entries(file, Section("Inputs")),
            Outputs = Entries(file, Section("Outputs")),
            Examples = [.. Sections(file, Section("Examples"), level: 3).Select(s => ReadExample(file, s.Heading, s.Blocks))],
            Notes = PlainText.Paragraphs(Section("Notes")),
            Links =
            [
                .. Section("Links").SelectMany(b => b.Descendants<LinkInline>()).Select(
                    l => new Link(PlainText.Of(l), l.Url ?? string.Empty)),
            ],
        };
    }

    private static Entry[] Entries(string file, Block[] blocks) =>
        [
            .. Sections(file, blocks, level: 3).Select(
                s => new Entry(PlainText.Of(s.Heading), s.Heading.Line + 1, PlainText.Paragraphs(s.Blocks))),
        ];

    private static Example ReadExample(string file, HeadingBlock heading, Block[] blocks)
    {
        FencedCodeBlock[] code = [.. blocks.OfType<FencedCodeBlock>()];
        if (code.Length is 0 or > 2 || code[0].Info != "powershell" || (code.Length == 2 && code[1].Info != "text"))
        {
            throw new DocsException(file, heading.Line + 1, "An example has one fence 'powershell' and at most one fence 'text' after it.");
        }

        string?[] comments = [.. blocks.OfType<HtmlBlock>().Select(h => h.Lines.ToString().Trim())];
        string? notRun = Comment(comments, "not run:");
        if (notRun is null && code.Length == 1)
        {
            throw new DocsException(file, heading.Line + 1, "An example that is run has a fence 'text' for what it prints.");
        }

        return new Example(
            PlainText.Of(heading),
            heading.Line + 1,
            PlainText.Paragraphs(blocks.Where(b => b is not FencedCodeBlock and not HtmlBlock)),
            code[0].Lines.ToString())
        {
            Before = Comment(comments, "before:"),
            NotRun = notRun,
            Output = code.Length == 2 ? code[1].Lines.ToString() : null,
            OutputLines = code.Length == 2 ? (code[1].Line + 1, code[1].Line + 1 + code[1].Lines.Count) : default,
        };
    }

    private static string? Comment(string?[] comments, string word)
    {
        string opening = "<!-- " + word;
        return comments.FirstOrDefault(c => c!.StartsWith(opening, StringComparison.Ordinal)) is { } comment
            ? comment[opening.Length..^3].Trim()
            : null;
    }

    private static IEnumerable<(HeadingBlock Heading, Block[] Blocks)> Sections(string file, Block[] blocks, int level)
    {
        if (blocks.Length > 0 && blocks[0] is not HeadingBlock)
        {
            throw new DocsException(file, blocks[0].Line + 1, $"Here a heading of level {level} is due.");
        }

        for (int start = 0; start < blocks.Length;)
        {
            HeadingBlock heading = (HeadingBlock)blocks[start];
            if (heading.Level != level)
            {
                throw new DocsException(file, heading.Line + 1, $"This heading's level is {heading.Level}, and {level} is due.");
            }

            int end = Array.FindIndex(blocks, start + 1, b => b is HeadingBlock h && h.Level <= level);
            end = end < 0 ? blocks.Length : end;
            yield return (heading, blocks[(start + 1)..end]);
            start = end;
        }
    }
}
