using System.Globalization;

namespace CmekTools.Sandbox.Faults;

/// <summary>When what goes wrong.</summary>
internal sealed record FaultRule
{
    /// <summary>The service (<c>cloud</c>, <c>kms</c>, <c>iam</c>, <c>sts</c>, <c>gcp-kms</c> …), or <c>*</c> for all.</summary>
    public string Service { get; init; } = "*";

    /// <summary>The operation (<c>CreateKey</c>, <c>UpdateCmek</c>, <c>cryptoKeys.setIamPolicy</c> …), or <c>*</c> for all.</summary>
    public string Operation { get; init; } = "*";

    /// <summary>What happens; one of them where there are several, as the seed has it.</summary>
    public required IReadOnlyList<FaultKind> Kinds { get; init; }

    /// <summary>Operations that are not meant by <c>*</c>.</summary>
    public IReadOnlyList<string> Except { get; init; } = [];

    /// <summary>Only requests that would change something.</summary>
    public bool WritesOnly { get; init; }

    /// <summary>The share of the matching requests that are hit, 0 to 1.</summary>
    public double Probability { get; init; } = 1;

    /// <summary>Only the matching request of this number, from 1; 0: each of them.</summary>
    public int Nth { get; init; }

    /// <summary>At most so many; 0: no limit.</summary>
    public int Times { get; init; }

    /// <summary>Everything that matches for this long after the first hit, whatever the probability: an outage. Zero: none.</summary>
    public TimeSpan For { get; init; }

    /// <summary>Reads <c>SERVICE[:OPERATION] KIND[,KIND…] [name=value …]</c>, for example <c>kms:CreateKey ResetAfter nth=1</c>.</summary>
    /// <exception cref="FormatException">The text has another form.</exception>
    public static FaultRule Parse(string text)
    {
        string[] parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length < 2)
        {
            throw Invalid(text, "it needs a service and a kind");
        }

        string[] about = parts[0].Split(':', 2);
        FaultRule rule = new()
        {
            Service = about[0],
            Operation = about.Length == 2 ? about[1] : "*",
            Kinds = [.. parts[1].Split(',').Select(k => Kind(text, k))],
        };
        foreach (string option in parts[2..])
        {
            string[] halves = option.Split('=', 2);
            string value = halves.Length == 2 ? halves[1] : string.Empty;
            rule = halves[0].ToUpperInvariant() switch
            {
                "PROBABILITY" when Number(value) is >= 0 and <= 1 and var p => rule with { Probability = p },
                "NTH" when Number(value) is >= 1 and <= int.MaxValue and var n => rule with { Nth = (int)n },
                "TIMES" when Number(value) is >= 1 and <= int.MaxValue and var n => rule with { Times = (int)n },
                "SECONDS" when Number(value) is > 0 and <= 86400 and var s => rule with { For = TimeSpan.FromSeconds(s) },
                "WRITES" when value.Length == 0 => rule with { WritesOnly = true },
                _ => throw Invalid(text, $"'{option}' is not understood"),
            };
        }

        return rule;
    }

    /// <summary>True where the rule is about a request.</summary>
    public bool IsAbout(SandboxRequest request) =>
        (Service == "*" || string.Equals(Service, request.Service, StringComparison.OrdinalIgnoreCase))
        && (Operation == "*" || string.Equals(Operation, request.Operation, StringComparison.OrdinalIgnoreCase))
        && !Except.Contains(request.Operation)
        && (!WritesOnly || request.IsWrite);

    private static FaultKind Kind(string text, string name) =>
        !int.TryParse(name, out _) && Enum.TryParse(name, ignoreCase: true, out FaultKind kind) && Enum.IsDefined(kind)
            ? kind
            : throw Invalid(text, $"'{name}' is none of {string.Join(", ", Enum.GetNames<FaultKind>())}");

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) ? number : null;

    private static FormatException Invalid(string text, string why) => new(
        $"'{text}' is no fault: {why}. Give SERVICE[:OPERATION] KIND[,KIND…] with any of probability=0.2, nth=1, times=3, seconds=600, "
        + "writes behind it.");
}
