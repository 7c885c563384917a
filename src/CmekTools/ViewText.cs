using System.Text.RegularExpressions;

namespace CmekTools;

/// <summary>How the module's views show states, keys and principals. The views call it because script in views is slow to load and to read.</summary>
public static partial class ViewText
{
    // The sequences of $PSStyle.Foreground; the engine takes them out where the output has no colours.
    private const string Green = "\u001b[32m";
    private const string Red = "\u001b[31m";
    private const string Yellow = "\u001b[33m";
    private const string Reset = "\u001b[0m";

    /// <summary>A state, a check's result or a journal entry's outcome: green where all is well, red where nothing works, yellow in between.</summary>
    /// <param name="state">An enum's value, or its text in an object that came from another process.</param>
    /// <returns>The text, with colour where it is one of the known ones.</returns>
    public static string State(object? state)
    {
        string text = state?.ToString() ?? string.Empty;
        string? colour = text switch
        {
            "ENABLED" or "Enabled" or "Pass" or "done" or "CREATED" => Green,
            "REVOKED" or "Fail" or "failed" or "PendingDeletion" or "Destroyed" or "Disabled" => Red,
            "Warn" or "Unknown" or "unknown" or "Planned" or "LOCKED" or "Creating" => Yellow,
            _ when text.EndsWith("FAILED", StringComparison.Ordinal) => Red,
            _ when text.EndsWith("ING", StringComparison.Ordinal) => Yellow,
            _ => null,
        };
        return colour is null ? text : colour + text + Reset;
    }

    /// <summary>A key's URI, shortened to what tells keys apart. Lists show it whole.</summary>
    /// <param name="uri">An ARN or a resource name; anything else is shown as it is.</param>
    /// <param name="width">The most characters.</param>
    public static string Key(string? uri, int width)
    {
        string name = uri is null ? string.Empty : uri[(uri.LastIndexOf('/') + 1)..];
        const int Tail = 4;
        return name.Length <= width || width <= Tail + 1 ? name : string.Concat(name.AsSpan(0, width - Tail - 1), "…", name.AsSpan(name.Length - Tail));
    }

    /// <summary>A principal without what all principals have: a role's name, or a service account's id.</summary>
    /// <param name="principal">A role's ARN or a service account's email; anything else is shown as it is.</param>
    public static string Principal(string? principal) => PrincipalName().Match(principal ?? string.Empty) is { Success: true } match
        ? match.Groups["role"].Value + match.Groups["account"].Value
        : principal ?? string.Empty;

    [GeneratedRegex(@"^(?:arn:[^:]+:iam::\d+:role/(?:.*/)?(?<role>[^/]+)|(?<account>[^@]+)@.*)$")]
    private static partial Regex PrincipalName();
}
