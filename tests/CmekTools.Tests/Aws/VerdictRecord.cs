using System.Globalization;

namespace CmekTools.Tests.Aws;

/// <summary>The recorded answers: a line of numbers, then a letter for each question.</summary>
internal sealed record VerdictRecord(int Count, int Seed, int Certain, string Fingerprint, IReadOnlyList<string> Answers)
{
    private static readonly Dictionary<char, string> s_letters = new()
    {
        ['A'] = "Allowed",
        ['I'] = "ImplicitlyDenied",
        ['X'] = "ExplicitlyDenied",
        ['?'] = "Error",
    };

    public static VerdictRecord Read()
    {
        using StreamReader reader = new(typeof(VerdictRecord).Assembly.GetManifestResourceStream("RecordedVerdicts.txt")!);
        string[] lines = reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] numbers = lines[1].Split(' ');
        return new VerdictRecord(
            int.Parse(numbers[0], CultureInfo.InvariantCulture),
            int.Parse(numbers[1], CultureInfo.InvariantCulture),
            int.Parse(numbers[2], CultureInfo.InvariantCulture),
            numbers[3],
            [.. lines.Skip(2).SelectMany(l => l).Select(c => s_letters[c])]);
    }

    public void Write(string path) => File.WriteAllLines(
        path,
        [
            "# What @cloud-copilot/iam-simulate says: policies, seed, certain verdicts, fingerprint; A allowed, I implicitly, X explicitly "
                + "denied, ? not judged.",
            string.Create(CultureInfo.InvariantCulture, $"{Count} {Seed} {Certain} {Fingerprint}"),
            .. Answers.Select(Letter).Chunk(128).Select(c => new string(c)),
        ]);

    private static char Letter(string answer) =>
        answer.StartsWith("Error", StringComparison.Ordinal) ? '?' : s_letters.Single(l => l.Value == answer).Key;
}
