using System.Text.RegularExpressions;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>The page docs/errors.md: every error's id and category.</summary>
internal static partial class ErrorPage
{
    private static readonly Lazy<Dictionary<string, string>> s_page = new(Read);

    /// <summary>Reads the ids with their categories. An id that stands there twice fails.</summary>
    public static Dictionary<string, string> Read()
    {
        Dictionary<string, string> page = [];
        foreach (Match row in Rows().Matches(File.ReadAllText(Path.Combine(ExternalProgram.RepositoryRoot, "docs", "errors.md"))))
        {
            Assert.True(
                page.TryAdd(row.Groups["id"].Value, row.Groups["category"].Value.Trim()),
                $"{row.Groups["id"].Value} stands on the page twice.");
            Assert.True(
                row.Groups["when"].Value.Trim().Length > 10 && row.Groups["todo"].Value.Trim().Length > 5,
                $"{row.Groups["id"].Value} is not explained.");
        }

        return page;
    }

    /// <summary>Fails where an error of ours is not on the page under its category.</summary>
    public static void Expect(System.Management.Automation.ErrorRecord error)
    {
        if (error.Exception is CmekException known)
        {
            Assert.True(
                s_page.Value.TryGetValue(known.ErrorId, out string? categories),
                $"docs/errors.md does not list {known.ErrorId}: {known.Message}");
            Assert.False(
                string.IsNullOrEmpty(error.ErrorDetails?.RecommendedAction),
                $"{known.ErrorId} does not say what to do: {known.Message}");
            Assert.Contains(error.CategoryInfo.Category.ToString(), categories!.Split(", "));
        }
    }

    [GeneratedRegex(@"^\| `(?<id>\w+)` \|(?<category>[^|]+)\|(?<when>[^|]+)\|(?<todo>.+)\|\s*$", RegexOptions.Multiline)]
    private static partial Regex Rows();
}
