using System.Text.RegularExpressions;

namespace CmekTools.Build.Package;

/// <summary>The README and the pages as the package has them: what concerns a clone is left out, and each link leads somewhere.</summary>
internal static partial class PackedPages
{
    /// <summary>Rewrites the README of a module's folder, and looks at the links of all pages in it.</summary>
    /// <param name="module">The module's folder, with everything that is packed.</param>
    /// <exception cref="InvalidDataException">A page links to a file that is not there, or a mark has no end.</exception>
    public static void Complete(string module)
    {
        string readme = Path.Combine(module, "README.md");
        string text = OfClone().Replace(File.ReadAllText(readme), string.Empty);
        if (text.Contains("<!-- clone", StringComparison.Ordinal) || text.Contains("<!-- /clone", StringComparison.Ordinal))
        {
            throw new InvalidDataException("README.md: a mark 'clone' has no counterpart.");
        }

        File.WriteAllText(readme, text);
        string[] dead =
        [
            .. Directory.GetFiles(module, "*.md", SearchOption.AllDirectories).Order(StringComparer.Ordinal).SelectMany(
                page => Links(File.ReadAllText(page)).Where(l => !Leads(module, page, l)).Select(
                    l => $"{Path.GetRelativePath(module, page)} links to {l}")),
        ];
        if (dead.Length > 0)
        {
            throw new InvalidDataException("The package does not hold what its pages link to: " + string.Join("; ", dead));
        }
    }

    /// <summary>The links of a page to files, without what they name inside these.</summary>
    public static IEnumerable<string> Links(string markdown) =>
        Link().Matches(Code().Replace(markdown, string.Empty)).Select(m => m.Groups["to"].Value.Split('#')[0]).Where(
            l => l.Length > 0 && !l.Contains("://", StringComparison.Ordinal));

    private static bool Leads(string module, string page, string link)
    {
        string to = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, link));
        return to.StartsWith(Path.GetFullPath(module), StringComparison.Ordinal) && (File.Exists(to) || Directory.Exists(to));
    }

    [GeneratedRegex(@"<!-- clone\b[^>]*-->.*?<!-- /clone -->\r?\n(\r?\n)?", RegexOptions.Singleline)]
    private static partial Regex OfClone();

    [GeneratedRegex(@"(?ms)^```.*?^```|`[^`\r\n]*`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\]\((?<to>[^)\s]+)\)")]
    private static partial Regex Link();
}
