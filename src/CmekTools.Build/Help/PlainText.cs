using System.Text;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace CmekTools.Build.Help;

/// <summary>Markdown as text for a terminal: no marks, a line for each item of a list, code as it stands.</summary>
internal static class PlainText
{
    public static string Of(LeafBlock block) => block.Inline is { } inline ? Of(inline) : block.Lines.ToString();

    public static string Of(ContainerInline container)
    {
        StringBuilder text = new();
        foreach (Inline inline in container)
        {
            text.Append(inline switch
            {
                LiteralInline literal => literal.Content.ToString(),
                CodeInline code => code.Content,
                LineBreakInline => " ",
                AutolinkInline link => link.Url,
                HtmlEntityInline entity => entity.Transcoded.ToString(),
                LinkInline link when link.Url is { } url
                    && url.Contains("://", StringComparison.Ordinal) => $"{Of((ContainerInline)link)} ({url})",
                ContainerInline nested => Of(nested),
                _ => string.Empty,
            });
        }

        return text.ToString();
    }

    /// <summary>The blocks' paragraphs. Items of a list are paragraphs that begin with a dash.</summary>
    public static List<string> Paragraphs(IEnumerable<Block> blocks)
    {
        List<string> paragraphs = [];
        foreach (Block block in blocks)
        {
            switch (block)
            {
                case ListBlock list:
                    int number = int.TryParse(list.OrderedStart, out int first) ? first : 1;
                    paragraphs.AddRange(
                        list.OfType<ListItemBlock>().Select(
                            i => (list.IsOrdered ? $"{number++}. " : "- ") + string.Join(' ', Paragraphs(i))));
                    break;
                case CodeBlock code:
                    paragraphs.Add(code.Lines.ToString());
                    break;
                case ContainerBlock container:
                    paragraphs.AddRange(Paragraphs(container));
                    break;
                case LeafBlock leaf and not HtmlBlock:
                    paragraphs.Add(Of(leaf));
                    break;
            }
        }

        return paragraphs;
    }
}
