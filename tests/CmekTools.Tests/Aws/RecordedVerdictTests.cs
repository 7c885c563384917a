using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// The engine's verdicts beside those that another public evaluator gave, recorded once for machines that do not have it
/// (benchmarks/policies.ps1 -Record).
/// </summary>
public sealed class RecordedVerdictTests
{
    [Fact]
    public void NothingIsCertainThatTheOtherSawOtherwise()
    {
        VerdictRecord record = VerdictRecord.Read();
        GeneratedQuestions questions = new(record.Count, record.Seed);

        Assert.True(
            questions.Fingerprint() == record.Fingerprint,
            "The generated policies are not those that were recorded: record the answers again with benchmarks/policies.ps1 -Record.");
        List<string> wrong = questions.Wrong(record.Answers, out int compared);
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {compared}:\n{string.Join('\n', wrong.Take(5))}");

        // Whoever is certain of nothing is never wrong.
        Assert.True(questions.Certain >= record.Certain, $"{questions.Certain} are certain, and {record.Certain} were.");
    }
}
