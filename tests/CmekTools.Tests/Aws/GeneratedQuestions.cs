using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Tests.Aws;

/// <summary>One call of a generated policy: what the engine says, and the request as another evaluator is asked it.</summary>
/// <param name="Made">The policies.</param>
/// <param name="Call">The call.</param>
/// <param name="Ours">What the engine says.</param>
/// <param name="Simulation">The request, with a value for everything that the engine cannot know.</param>
internal sealed record GeneratedQuestion(GeneratedAccess Made, string Call, PermissionDecision Ours, JsonObject Simulation);

/// <summary>The calls of many generated policies, the same for the same seed, and what comes out where another has answered them.</summary>
internal sealed class GeneratedQuestions
{
    private static readonly string[] s_calls = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:CreateGrant"];

    public GeneratedQuestions(int count, int seed)
    {
        for (int i = 0; i < count; i++)
        {
            GeneratedAccess made = new((seed * 1_000_003) + i);
            RoleKeyEvidence access = made.Access();
            foreach (string call in s_calls)
            {
                PermissionDecision ours = RoleKeyEvaluator.Decide(access, call);

                // What the engine does not know is filled in twice: a certain verdict has to hold for both.
                for (int filled = 0; filled < 2; filled++)
                {
                    All.Add(new GeneratedQuestion(made, call, ours, made.Simulation(call)));
                }
            }
        }
    }

    public List<GeneratedQuestion> All { get; } = [];

    /// <summary>How many the engine is certain of.</summary>
    public int Certain => All.Count(q => IsCertain(q.Ours));

    /// <summary>The questions in few letters: answers that were recorded are for these and no others.</summary>
    public string Fingerprint()
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (GeneratedQuestion question in All)
        {
            JsonObject asked = question.Simulation.DeepClone().AsObject();
            asked["request"]!["contextVariables"]!.AsObject().Remove("aws:CurrentTime");
            hash.AppendData(Encoding.UTF8.GetBytes(asked.ToJsonString()));
        }

        return Convert.ToHexString(hash.GetHashAndReset())[..16];
    }

    /// <summary>What is certain and was seen otherwise, a line each.</summary>
    /// <param name="answers">Allowed, ImplicitlyDenied, ExplicitlyDenied or Error, one a question.</param>
    /// <param name="compared">How many could be compared.</param>
    public List<string> Wrong(IReadOnlyList<string> answers, out int compared)
    {
        List<string> wrong = [];
        compared = 0;
        foreach ((GeneratedQuestion question, string theirs) in All.Zip(answers))
        {
            if (!IsCertain(question.Ours) || theirs.StartsWith("Error", StringComparison.Ordinal))
            {
                continue;
            }

            compared++;
            bool allowed = question.Ours.Decision == Decision.Allowed;
            if (allowed != (theirs == "Allowed") || (question.Ours.Explicit && theirs != "ExplicitlyDenied"))
            {
                wrong.Add(
                    $"{question.Call}: {question.Ours.Decision} ({question.Ours.Reason}), the other {theirs}: {question.Made} "
                        + question.Simulation.ToJsonString());
            }
        }

        return wrong;
    }

    /// <summary>A number from the environment.</summary>
    public static int Number(string variable, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : usual;

    private static bool IsCertain(PermissionDecision decision) => decision.Decision is Decision.Allowed or Decision.Denied;
}
