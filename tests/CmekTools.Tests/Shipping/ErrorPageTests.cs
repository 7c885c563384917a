using System.Text.RegularExpressions;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// docs/errors.md and the code say the same: every id that the sources give an error stands on the page once, with a category that they
/// give it, and the page has no other. (The kit holds the page against every error that a test sees, too.)
/// </summary>
public sealed partial class ErrorPageTests
{
    [Fact]
    public void ThePageListsEveryErrorAndNoOther()
    {
        Dictionary<string, HashSet<string>> code = [];
        foreach (
            string file in new[] { "CmekTools.Engine", "CmekTools.Module" }.SelectMany(
                p => Directory.GetFiles(Path.Combine(ExternalProgram.RepositoryRoot, "src", p), "*.cs", SearchOption.AllDirectories)))
        {
            if (file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            {
                continue;
            }

            string text = File.ReadAllText(file);
            Dictionary<string, string> constants = Constants().Matches(text).ToDictionary(
                m => m.Groups["name"].Value,
                m => m.Groups["value"].Value);
            foreach (Match match in Uses().Matches(text))
            {
                foreach (Match id in Ids().Matches(match.Groups["ids"].Value))
                {
                    string? name = id.Groups["text"] is { Success: true } literal
                        ? literal.Value
                        : constants.GetValueOrDefault(id.Groups["name"].Value);
                    if (name is not null)
                    {
                        (code.TryGetValue(name, out HashSet<string>? kinds) ? kinds : code[name] = []).UnionWith(
                            Kinds().Matches(match.Groups["kinds"].Value).Select(k => k.Groups["kind"].Value));
                    }
                }
            }
        }

        Assert.True(code.Count > 100, $"only {code.Count} ids were found in the sources");
        code["UnexpectedFailure"] = ["InvalidResult"];

        // The script of the module says it: at that moment none of the module's own code may run.
        code["VersionConflict"] = ["InvalidOperation"];
        Dictionary<string, string> page = ErrorPage.Read();
        Assert.Equal(code.Keys.Order(StringComparer.Ordinal), page.Keys.Order(StringComparer.Ordinal));
        Assert.All(code, c => Assert.Subset(c.Value, page[c.Key].Split(", ").ToHashSet()));
    }

    // An id and the kind that follows it, as CmekException and the tables of services' codes have them; either may be a choice of two.
    [
        GeneratedRegex(
            @"(?<ids>(?:\w[\w.]*(?: [=<>!]+ \w+)? \? (?:""\w+""|[A-Z]\w+) : )?(?:""[A-Z]\w+""|\b[A-Z]\w+)),\s*"
            + @"(?<kinds>(?:[^;,""]{0,80}\? )?CmekErrorKind\.\w+(?: : CmekErrorKind\.\w+)?)"),
    ]
    private static partial Regex Uses();

    [GeneratedRegex(@"""(?<text>[A-Z]\w+)""|(?<name>\b[A-Z]\w+)")]
    private static partial Regex Ids();

    [GeneratedRegex(@"CmekErrorKind\.(?<kind>\w+)")]
    private static partial Regex Kinds();

    [GeneratedRegex(@"const string (?<name>\w+) = ""(?<value>\w+)"";")]
    private static partial Regex Constants();
}
