using CmekTools.Benchmarks.Inputs;
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
}
