using System.Globalization;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
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
    private static readonly string[] s_calls = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:CreateGrant"];

    [Fact]
    public async Task NothingIsCertainThatTheOtherSeesOtherwise()
    {
        string modules = await ModulesAsync();
        int count = Number("CMEKTOOLS_POLICIES", Usual);
        int seed = Number("CMEKTOOLS_SEED", 1);
        List<string> cases = [];
        List<Question> questions = [];
        for (int i = 0; i < count; i++)
        {
            GeneratedAccess made = new((seed * 1_000_003) + i);
            KeyAccess access = made.Access();
            foreach (string call in s_calls)
            {
                CallDecision ours = KeyAccessEvaluator.Decide(access, call);

                // What the engine does not know is filled in twice: a certain verdict has to hold for both.
                for (int filled = 0; filled < 2; filled++)
                {
                    cases.Add(made.Simulation(call).ToJsonString());
                    questions.Add(new Question(i, made, call, ours, cases[^1]));
                }
            }
        }

        using TempFolder folder = new();
        string script = Path.Combine(ExternalProgram.RepositoryRoot, "benchmarks", "policies", "evaluate.mjs");
        FinishedProgram other = (
            await ExternalProgram.RunAsync("node", [script, modules, folder.Write("cases", string.Join('\n', cases))])).Expect();
        string[] answers = other.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(cases.Count, answers.Length);
        List<string> wrong = [];
        int compared = 0;
        int errors = 0;
        for (int i = 0; i < answers.Length; i++)
        {
            (Decision ours, string theirs) = (questions[i].Ours.Decision, answers[i]);
            errors += theirs.StartsWith("Error", StringComparison.Ordinal) ? 1 : 0;
            if (ours is not (Decision.Allowed or Decision.Denied) || theirs.StartsWith("Error", StringComparison.Ordinal))
            {
                continue;
            }

            compared++;
            if (ours == Decision.Allowed != (theirs == "Allowed"))
            {
                wrong.Add(
                    $"{questions[i].Call}: {ours} ({questions[i].Ours.Reason}), the other {theirs}: {questions[i].Made} "
                        + $"{questions[i].Simulation}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{count} policies, {cases.Count} calls, {compared} certain verdicts compared, {errors} not judged by the other, "
                + $"{wrong.Count} seen otherwise");
        Assert.True(
            compared > cases.Count / 4,
            $"only {compared} of {cases.Count} could be compared; {errors} were refused: "
                + $"{answers.FirstOrDefault(a => a.StartsWith("Error", StringComparison.Ordinal))}");
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {compared}:\n{string.Join('\n', wrong.Take(Number("CMEKTOOLS_SHOW", 5)))}");
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

    private static int Number(string variable, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : usual;

    private sealed record Question(int Index, GeneratedAccess Made, string Call, CallDecision Ours, string Simulation);
}
