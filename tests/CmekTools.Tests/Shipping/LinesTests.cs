using System.Text.RegularExpressions;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>What .editorconfig says of a line's length, which no compiler holds.</summary>
public sealed class LinesTests
{
    [Fact]
    public void NoLineOfCodeIsLongerThanEditorconfigSays()
    {
        string root = ExternalProgram.RepositoryRoot;
        Match limit = Regex.Match(
            File.ReadAllText(Path.Combine(root, ".editorconfig")),
            @"^max_line_length = (\d+)$",
            RegexOptions.Multiline);
        int most = int.Parse(limit.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        string[] made = ["bin", "obj"];
        string[] tooLong =
        [
            .. from folder in (string[])["src", "tests", "benchmarks"]
               from file in Directory.GetFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories)
               let name = Path.GetRelativePath(root, file)
               where !name.Split(Path.DirectorySeparatorChar).Intersect(made).Any()
               from line in File.ReadLines(file).Select((text, i) => (Text: text, Number: i + 1))
               where line.Text.Length > most
               select $"{name}:{line.Number} has {line.Text.Length}",
        ];
        Assert.True(tooLong.Length == 0, string.Join('\n', tooLong));
    }
}
