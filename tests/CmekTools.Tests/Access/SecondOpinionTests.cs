using CmekTools.Engine.Access;
using Xunit;

namespace CmekTools.Tests.Access;

/// <summary>What two verdicts make together.</summary>
public sealed class SecondOpinionTests
{
    [Fact]
    public void AnOpinionMakesAPassOfWhatBothLetAndOfNothingElse()
    {
        foreach (Verdict ours in Enum.GetValues<Verdict>())
        {
            foreach (Verdict theirs in Enum.GetValues<Verdict>())
            {
                Opinion one = new("kms:Decrypt", ours, "our reason", theirs, "their reason");
                Assert.Equal(ours == Verdict.Lets && theirs == Verdict.Lets, one.Result == CmekCheckResult.Pass);
                Assert.Equal(theirs == Verdict.Stops, one.Result == CmekCheckResult.Fail);
                Assert.Contains("their reason", one.Say("The judge"), StringComparison.Ordinal);

                // A disagreement tells both.
                bool disagree = ours != theirs && ours != Verdict.Unsure && theirs != Verdict.Unsure;
                Assert.Equal(disagree, one.Say("The judge").StartsWith("The judge disagrees on kms:Decrypt", StringComparison.Ordinal));
                Assert.True(!disagree || one.Say("The judge").Contains("our reason", StringComparison.Ordinal));
            }
        }
    }
}
