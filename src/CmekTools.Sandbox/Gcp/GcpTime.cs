using System.Globalization;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Google's form of a time.</summary>
internal static class GcpTime
{
    // Ten thousand years: what google.protobuf.Duration can say.
    private const double Longest = 315_576_000_000;

    public static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    public static bool IsTime(string text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _);

    /// <summary>Reads a duration like <c>86400s</c>; null for what is none.</summary>
    public static TimeSpan? Seconds(string? text) =>
        text is [.. string digits, 's']
            && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds)
            && seconds <= Longest
            ? TimeSpan.FromSeconds(seconds)
            : null;
}
