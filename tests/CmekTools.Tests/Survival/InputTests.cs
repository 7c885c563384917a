using CmekTools.Benchmarks.Inputs;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;
using Xunit;

namespace CmekTools.Tests.Survival;

/// <summary>The small version of the million inputs that the benchmark gives.</summary>
public sealed class InputTests
{
    [Fact]
    public void EveryParserTakesWrongInputOrSaysWhatIsWrong() => Assert.Empty(Parsers.Run(6000, 7));

    // Found by the benchmark: such a condition, in a binding that anybody wrote, ended the process of whoever judged it.
    [Theory]
    [InlineData("[", "", 3000)]
    [InlineData("(", ")", 3000)]
    [InlineData("(", ")", 500)]
    [InlineData("!", "", 4000)]
    [InlineData("-", "", 4000)]
    [InlineData("true ? true : ", "", 280)]
    [InlineData("1 - ", "", 1000)]
    [InlineData("true && ", "", 500)]
    [InlineData("true || ", "", 500)]
    [InlineData("'a' + ", "", 600)]
    public void AConditionThatIsTooDeepIsJudgedAndEndsNothing(string before, string after, int times)
    {
        string body = before.Contains('\'', StringComparison.Ordinal)
            ? "'a' == 'a'"
            : before.Contains('1', StringComparison.Ordinal) || before == "-"
            ? "1 == 1"
            : "true";
        string expression = string.Concat(Enumerable.Repeat(before, times)) + body + string.Concat(Enumerable.Repeat(after, times));
        ConditionScope scope = new(
            ["projects/a/locations/us-east1/keyRings/r/cryptoKeys/k"],
            "cloudkms.googleapis.com/CryptoKey",
            DateTimeOffset.UnixEpoch);
        Assert.True(Enum.IsDefined(IamConditions.Holds(expression, scope)));
        Assert.True(Enum.IsDefined(IamConditions.EverHolds(expression, scope)));
    }

    // Found by the million inputs: brackets that stood in a string or a comment for CmekTools, and not for the library.
    [Theory]
    [InlineData("//\r")]
    [InlineData("\"\"\"\" || \"")]
    [InlineData("' || '")]
    [InlineData("r'\\' || '' + ")]
    [InlineData("'\\' || '' + ")]
    [InlineData("\"a\n\" || \"")]
    [InlineData("b'\\' || [\"")]
    [InlineData("'//' || '")]
    public void BracketsThatOnlyTheLibrarySeesEndNothingEither(string before)
    {
        ConditionScope scope = new(
            ["projects/a/locations/us-east1/keyRings/r/cryptoKeys/k"],
            "cloudkms.googleapis.com/CryptoKey",
            DateTimeOffset.UnixEpoch);
        foreach (string brackets in new[] { new string('[', 3000), new string('(', 3000), new string(')', 1500) + new string('(', 2500) })
        {
            Assert.Equal(Decision.Perhaps, IamConditions.EverHolds(before + brackets, scope));
            Assert.Equal(Decision.Perhaps, IamConditions.Holds(before + brackets + "'\"\n", scope));
        }
    }
}
