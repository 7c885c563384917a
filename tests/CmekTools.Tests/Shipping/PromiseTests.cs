using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using CmekTools.Build.Help;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// A sentence of README, CONTRIBUTING or docs that says never, always, nothing, nobody, only or exactly stands in Promises.tsv with the
/// tests that would fail if it
/// were untrue, or with what it is instead of a promise. Who writes one adds its row; who finds no test for it writes one, or weakens the
/// sentence.
/// </summary>
public sealed partial class PromiseTests
{
    // What a sentence with such a word is where it promises nothing of this project's doing.
    private static readonly string[] s_noPromise = [
        "says what a parameter does",
        "defines, heads or shows an example",
        "a fact of others, or advice",
    ];

    private static readonly Lazy<Row[]> s_rows = new(ReadRows);
    private static readonly Lazy<Sentence[]> s_sentences = new(ReadSentences);
    private static readonly Lazy<HashSet<string>> s_tests = new(() => [.. TestMethods(), .. PesterTests()]);

    private static string Root => ExternalProgram.RepositoryRoot;

    [Fact]
    public void EverySentenceThatPromisesHasItsRow()
    {
        Assert.True(s_sentences.Value.Length > 200, $"only {s_sentences.Value.Length} sentences were found");
        string[] missing = [.. s_sentences.Value.Where(s => !s_rows.Value.Any(r => r.Fits(s))).Select(s => $"{s.Page}\t{s.Text}")];
        Assert.True(
            missing.Length == 0,
            $"{missing.Length} sentences promise something and have no row in tests/CmekTools.Tests/Shipping/Promises.tsv (its head "
                + $"says how to add one):\n{string.Join('\n', missing)}");
    }

    [Fact]
    public void EveryRowHasItsSentence()
    {
        string[] files = [.. s_rows.Value.Where(r => r.IsComment).Select(r => r.Page).Distinct()];
        Dictionary<string, string> comments = files.ToDictionary(f => f, CommentsOf);
        string[] gone =
        [
            .. s_rows.Value.Where(
                r => r.IsComment
                    ? !comments[r.Page].Contains(r.Text, StringComparison.Ordinal)
                    : !s_sentences.Value.Any(r.Fits)).Select(r => $"{r.Page}\t{r.Text}"),
        ];
        Assert.True(gone.Length == 0, $"{gone.Length} rows of Promises.tsv are of sentences that are gone:\n{string.Join('\n', gone)}");

        // A row that fits a second sentence would let a new promise in unseen.
        string[] wide = [
            .. s_rows.Value.Where(
                r => !r.IsOfMany
                    && s_sentences.Value.Where(r.Fits).Select(f => f.Text).Distinct().Count() > 1).Select(r => $"{r.Page}\t{r.Text}"),
        ];
        Assert.True(wide.Length == 0, $"{wide.Length} rows of Promises.tsv fit more than one sentence:\n{string.Join('\n', wide)}");
    }

    [Fact]
    public void EveryTestThatARowNamesIsThere()
    {
        string[] gone = [
            .. s_rows.Value.SelectMany(r => r.Tests.Where(t => !s_tests.Value.Contains(t)).Select(t => $"{r.Page}\t{r.Text}\t{t}")),
        ];
        Assert.True(gone.Length == 0, $"{gone.Length} rows of Promises.tsv name a test that is not there:\n{string.Join('\n', gone)}");
        Assert.All(s_rows.Value, r => Assert.True(r.Tests.Length > 0 || s_noPromise.Contains(r.Held), $"{r.Page}\t{r.Text}: '{r.Held}'"));
    }

    [Fact]
    public void ASentenceIsTakenOutOfThePageAsItStands()
    {
        const string Page = """
            ---
            title: nothing
            ---
            # Only a title

            It never
            breaks; `-Only` is code. This is plain. (It always works.)

            - One thing.
              Nobody waits. - Another.

            ```powershell
            Get-Nothing # only code
            ```

            | `FirstId` | Nothing was sent. Try again. |
            |---|---|
            | a name | exactly one \| two |
            """;
        Assert.Equal(
            [
                "Only a title",
                "It never breaks; `-Only` is code.",
                "(It always works.)",
                "Nobody waits.",
                "[`FirstId`] Nothing was sent.",
                "[a name] exactly one \\| two",
            ],
            Sentences(Page));
    }

    [Fact]
    public void AParameterTakesFromThePipelineOnlyWhereThePageSaysSo()
    {
        Dictionary<string, string> pages = Directory.GetFiles(Path.Combine(Root, "docs", "cmdlets"), "*.md").ToDictionary(
            f => Path.GetFileNameWithoutExtension(f),
            File.ReadAllText);
        string[] wrong =
        [
            .. CommandReader.Read(PowerShellSession.ModuleManifest)
                .Where(
                    c => pages[c.Name].Contains(
                        "Nothing is taken from the pipeline.",
                        StringComparison.Ordinal) == c.ParameterSets.Any(s => s.Parameters.Any(TakesFromPipeline)))
                .Select(c => c.Name),
        ];
        Assert.Empty(wrong);

        static bool TakesFromPipeline(CommandParameterInfo p) => p.ValueFromPipeline || p.ValueFromPipelineByPropertyName;
    }

    private static Row[] ReadRows() =>
    [
        .. File.ReadAllLines(
            Path.Combine(Root, "tests", "CmekTools.Tests", "Shipping", "Promises.tsv")).Where(l => l.Length > 0 && l[0] != '#').Select(l =>
        {
            string[] cells = l.Split('\t');
            Assert.True(cells.Length == 3, $"Promises.tsv: a row is page, sentence and tests with tabs between them: {l}");
            return new Row(cells[0], cells[1], cells[2]);
        }),
    ];

    private static Sentence[] ReadSentences()
    {
        string[] pages = [
            Path.Combine(Root, "README.md"),
            Path.Combine(Root, "CONTRIBUTING.md"),
            .. Directory.GetFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories),
        ];
        return [
            .. pages.SelectMany(
                p => Sentences(File.ReadAllText(p)).Select(s => new Sentence(Path.GetRelativePath(Root, p).Replace('\\', '/'), s))),
        ];
    }

    private static IEnumerable<string> Sentences(string page) => Units(page).SelectMany(u =>
    {
        // A table's cell says little without its row.
        string row = RowName().Match(u).Value;
        return SentenceEnd().Split(u[row.Length..]).Where(s => Promise().IsMatch(Code().Replace(s, "`"))).Select(s => row + s);
    });

    // Titles, paragraphs, items of lists and cells of tables.
    private static IEnumerable<string> Units(string page)
    {
        string[] lines = page.ReplaceLineEndings("\n").Split('\n');
        List<string> current = [];
        bool fenced = false;
        int begin = lines[0] == "---" ? Array.IndexOf(lines, "---", 1) + 1 : 0;
        foreach (string line in lines[begin..].Select(l => l.Trim()).Append(string.Empty))
        {
            bool fence = line.StartsWith("```", StringComparison.Ordinal);
            bool title = line.StartsWith('#');
            bool row = line.StartsWith('|');
            if (current.Count > 0 && (line.Length == 0 || fence || title || row || Item().IsMatch(line)))
            {
                yield return string.Join(' ', current);
                current.Clear();
            }

            fenced ^= fence;
            if (fenced || fence || line.Length == 0)
            {
                continue;
            }

            if (title)
            {
                yield return line.TrimStart('#', ' ');
            }
            else if (row)
            {
                string[] cells = [.. Bar().Split(line.Trim('|')).Select(c => c.Trim())];
                foreach (string unit in cells.Select((c, i) => i == 0 ? c : $"[{cells[0]}] {c}"))
                {
                    yield return unit;
                }
            }
            else
            {
                current.Add(Item().Replace(line, string.Empty));
            }
        }
    }

    // A file's comments as running text.
    private static string CommentsOf(string file) => string.Join(
        ' ',
        File.ReadAllLines(Path.Combine(Root, file)).Select(l => Comment().Match(l)).Where(m => m.Success).Select(
            m => m.Groups["text"].Value.Trim()));

    private static IEnumerable<string> TestMethods() => typeof(PromiseTests).Assembly.GetTypes()
        .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance)
            .Where(m => m.GetCustomAttributes().Any(a => a is FactAttribute or TheoryAttribute))
            .Select(m => $"{t.Name}.{m.Name}"));

    private static IEnumerable<string> PesterTests()
    {
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "tests", "Pester"), "*.Tests.ps1"))
        {
            string describe = string.Empty;
            foreach (Match block in PesterBlock().Matches(File.ReadAllText(file)))
            {
                string name = block.Groups["name"].Value.Replace("''", "'", StringComparison.Ordinal);
                describe = block.Groups["kind"].Value == "Describe" ? name : describe;
                yield return $"Pester: {describe} > {name}";
            }
        }
    }

    [GeneratedRegex(@"\b(never|always|nothing|nobody|exactly|only)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Promise();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex Code();

    [GeneratedRegex(@"(?<=[.!?])\s+(?=[A-Z`\-(""'*])")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"^\[[^\]]*\] ")]
    private static partial Regex RowName();

    [GeneratedRegex(@"(?<!\\)\|")]
    private static partial Regex Bar();

    [GeneratedRegex(@"^([-*]|\d+\.)\s+")]
    private static partial Regex Item();

    [GeneratedRegex(@"^\s*///?(?<text>.*)$|\s//\s(?<text>.*)$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"^\s*(?<kind>Describe|It) '(?<name>(?:[^']|'')*)'", RegexOptions.Multiline)]
    private static partial Regex PesterBlock();

    private sealed record Sentence(string Page, string Text);

    private sealed record Row(string Page, string Text, string Held)
    {
        public bool IsOfMany => Page.EndsWith("/*.md", StringComparison.Ordinal);

        public bool IsComment => Page.EndsWith(".cs", StringComparison.Ordinal);

        public string[] Tests { get; } = s_noPromise.Contains(Held) ? [] : Held.Split("; ", StringSplitOptions.RemoveEmptyEntries);

        public bool Fits(Sentence sentence) => sentence.Text.Contains(Text, StringComparison.Ordinal)
            && (
                sentence.Page == Page
                    || (
                        Page.EndsWith("/*.md", StringComparison.Ordinal)
                            && sentence.Page.StartsWith(Page[..^"*.md".Length], StringComparison.Ordinal)));
    }
}
