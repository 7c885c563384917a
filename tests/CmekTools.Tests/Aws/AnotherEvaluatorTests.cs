using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Aws;

/// <summary>
/// The engine's verdicts beside those of another public evaluator (@cloud-copilot/iam-simulate on npm), where it is on the machine. It is
/// run as a program
/// of its own; <c>benchmarks/policies.ps1</c> runs the same over ten thousand policies.
/// </summary>
public sealed class AnotherEvaluatorTests
{
    private const int Usual = 150;

    [Fact]
    public async Task NothingIsCertainThatTheOtherSeesOtherwise()
    {
        string modules = await ModulesAsync();
        int count = GeneratedQuestions.Number("CMEKTOOLS_POLICIES", Usual);
        int seed = GeneratedQuestions.Number("CMEKTOOLS_SEED", 1);
        GeneratedQuestions questions = new(count, seed);

        using TempFolder folder = new();
        string script = Path.Combine(ExternalProgram.RepositoryRoot, "benchmarks", "policies", "evaluate.mjs");
        string cases = folder.Write("cases", string.Join('\n', questions.All.Select(q => q.Simulation.ToJsonString())));
        FinishedProgram other = (await ExternalProgram.RunAsync("node", [script, modules, cases])).Expect();
        string[] answers = other.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(questions.All.Count, answers.Length);

        List<string> wrong = questions.Wrong(answers, out int compared);
        string[] refused = [.. answers.Where(a => a.StartsWith("Error", StringComparison.Ordinal))];
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{count} policies, {answers.Length} calls, {compared} certain verdicts compared, {refused.Length} not judged by the other, "
                + $"{wrong.Count} seen otherwise");
        Assert.True(
            compared > answers.Length / 4,
            $"only {compared} of {answers.Length} could be compared; {refused.Length} were refused: {refused.FirstOrDefault()}");
        Assert.True(
            wrong.Count == 0,
            $"{wrong.Count} of {compared}:\n{string.Join('\n', wrong.Take(GeneratedQuestions.Number("CMEKTOOLS_SHOW", 5)))}");
        if (Environment.GetEnvironmentVariable("CMEKTOOLS_RECORD") is { Length: > 0 } path)
        {
            new VerdictRecord(count, seed, questions.Certain, questions.Fingerprint(), answers).Write(path);
        }
    }

    private static async Task<string> ModulesAsync()
    {
        ExternalProgram.Need("node");
        List<string> places = [Environment.GetEnvironmentVariable("CMEKTOOLS_IAM_SIMULATE") ?? string.Empty];
        if (ExternalProgram.Exists("npm"))
        {
            places.Add((await ExternalProgram.RunAsync("npm", ["root", "--global"])).Output.Trim());
        }

        string? found = places.FirstOrDefault(p => p.Length > 0 && Directory.Exists(Path.Combine(p, "@cloud-copilot", "iam-simulate")));
        if (found is null)
        {
            Assert.Skip("@cloud-copilot/iam-simulate is not installed; CMEKTOOLS_IAM_SIMULATE names the node_modules folder that has it.");
        }

        return found!;
    }
}
