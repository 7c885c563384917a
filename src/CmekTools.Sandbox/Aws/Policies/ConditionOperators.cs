using System.Globalization;
using System.Net;

namespace CmekTools.Sandbox.Aws.Policies;

/// <summary>The operators of conditions.</summary>
internal static class ConditionOperators
{
    private static readonly string[] Known =
    [
        "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
        "ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "Bool", "Null", "IpAddress", "NotIpAddress",
        "DateEquals", "DateNotEquals", "DateGreaterThan", "DateGreaterThanEquals", "DateLessThan", "DateLessThanEquals",
        "NumericEquals", "NumericNotEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "NumericLessThan", "NumericLessThanEquals",
    ];

    /// <summary>True for an operator that AWS takes.</summary>
    public static bool IsKnown(string name) => Known.Contains(Split(name).Name);

    /// <summary>True where the condition holds.</summary>
    /// <param name="condition">The condition.</param>
    /// <param name="values">The request's values of the key; null where the request does not have it.</param>
    public static bool Holds(PolicyCondition condition, IReadOnlyList<string>? values)
    {
        (string name, string set, bool ifExists) = Split(condition.Operator);
        if (name == "Null")
        {
            return condition.Values.Any(v => string.Equals(v, "true", StringComparison.OrdinalIgnoreCase) == values is null);
        }

        bool negated = name.Contains("Not", StringComparison.Ordinal);
        if (values is null)
        {
            // "Not equal to x" is true of what is not there.
            return ifExists || set == "ForAllValues" || (negated && set.Length == 0);
        }

        bool Fits(string value) => condition.Values.Any(
            wanted => Compare(name.Replace("Not", string.Empty, StringComparison.Ordinal), wanted, value)) != negated;
        return set == "ForAllValues" || (negated && set.Length == 0) ? values.All(Fits) : values.Any(Fits);
    }

    private static (string Name, string Set, bool IfExists) Split(string name)
    {
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        string set = colon < 0 ? string.Empty : name[..colon];
        string rest = set is "" or "ForAnyValue" or "ForAllValues" ? name[(colon + 1)..] : name;
        return rest.EndsWith("IfExists", StringComparison.Ordinal) ? (rest[..^8], set, true) : (rest, set, false);
    }

    private static bool Compare(string name, string wanted, string value) => name switch
    {
        "StringEquals" => wanted == value,
        "StringEqualsIgnoreCase" or "Bool" => string.Equals(wanted, value, StringComparison.OrdinalIgnoreCase),
        "StringLike" => Wildcard.Fits(wanted, value),
        "ArnEquals" or "ArnLike" => Wildcard.FitsArn(wanted, value),
        "IpAddress" => InNetwork(wanted, value),
        _ when name.StartsWith("Date", StringComparison.Ordinal) => Ordered(name[4..], Date(wanted), Date(value)),
        _ when name.StartsWith("Numeric", StringComparison.Ordinal) => Ordered(name[7..], Number(wanted), Number(value)),
        _ => false,
    };

    private static bool Ordered(string how, double? wanted, double? value) => how switch
    {
        "Equals" => value == wanted,
        "GreaterThan" => value > wanted,
        "GreaterThanEquals" => value >= wanted,
        "LessThan" => value < wanted,
        "LessThanEquals" => value <= wanted,
        _ => false,
    };

    private static double? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;

    // A date is ISO 8601 or seconds since 1970.
    private static double? Date(string text) => Number(text)
        ?? (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date.ToUnixTimeMilliseconds() / 1000.0
            : null);

    private static bool InNetwork(string network, string address) =>
        IPAddress.TryParse(address, out IPAddress? ip)
        && (
            IPNetwork.TryParse(network, out IPNetwork range)
                ? range.Contains(ip)
                : IPAddress.TryParse(network, out IPAddress? one) && one.Equals(ip));
}
