using System.Globalization;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>The condition keys of a request, as far as they are known.</summary>
internal sealed class PolicyContext
{
    private readonly Dictionary<string, string> _known = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _absent = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The keys of a call to KMS that a cluster makes as its role.</summary>
    public static PolicyContext ForKey(KeyArn key, PolicyPrincipal who, DateTimeOffset now)
    {
        PolicyContext context = new();
        context.Common(who, key.Region, now);
        context.Set("kms:CallerAccount", who.Account);
        // The cluster calls KMS itself, and not an AWS service for it.
        context.Absent(
            "kms:ViaService",
            "kms:GrantIsForAWSResource",
            "aws:CalledVia",
            "aws:CalledViaFirst",
            "aws:CalledViaLast",
            "aws:SourceArn",
            "aws:SourceAccount");
        context.Set("aws:ViaAWSService", "false");
        return context;
    }

    /// <summary>The keys of the call by which the cluster's account assumes the role.</summary>
    public static PolicyContext ForTrust(PolicyPrincipal who, string? externalId, DateTimeOffset now)
    {
        PolicyContext context = new();
        context.Common(who, null, now);
        if (externalId is null)
        {
            context.Absent("sts:ExternalId");
        }
        else
        {
            context.Set("sts:ExternalId", externalId);
        }

        context.Absent(
            "aws:CalledVia",
            "aws:SourceArn",
            "aws:SourceAccount",
            "sts:SourceIdentity",
            "aws:MultiFactorAuthPresent",
            "aws:MultiFactorAuthAge");
        return context;
    }

    /// <summary>A key's value; null and false where it cannot be known.</summary>
    public (bool Known, string? Value) Look(string key) =>
        _known.TryGetValue(key, out string? value) ? (true, value) : (_absent.Contains(key), null);

    private void Common(PolicyPrincipal who, string? region, DateTimeOffset now)
    {
        Set("aws:PrincipalAccount", who.Account);
        Set("aws:SecureTransport", "true");
        Set("aws:PrincipalIsAWSService", "false");
        Set("aws:CurrentTime", now.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        Set("aws:EpochTime", now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));
        if (who.RoleArn is { } arn)
        {
            Set("aws:PrincipalArn", arn);
            Set("aws:PrincipalType", "AssumedRole");
        }

        if (region is not null)
        {
            Set("aws:RequestedRegion", region);
        }
    }

    private void Set(string key, string value) => _known[key] = value;

    private void Absent(params string[] keys) => _absent.UnionWith(keys);
}

/// <summary>Evaluates a statement's Condition. What hangs on an unknown key is null.</summary>
internal static class PolicyConditions
{
    /// <summary>True: holds; false: does not; null: cannot be known, and <c>Why</c> names the key.</summary>
    public static (bool? Holds, string? Why) Evaluate(JsonNode? condition, PolicyContext context)
    {
        if (condition is not JsonObject operators)
        {
            return (condition is null ? true : null, condition is null ? null : "the condition has a form that is not known");
        }

        string? why = null;
        foreach ((string name, JsonNode? keys) in operators)
        {
            if (keys is not JsonObject pairs)
            {
                why ??= name;
                continue;
            }

            foreach ((string key, JsonNode? values) in pairs)
            {
                bool? holds = One(name, key, PolicyJson.Strings(values), context);
                if (holds == false)
                {
                    return (false, null);
                }

                why ??= holds is null ? $"{name} {key}" : null;
            }
        }

        return (why is null ? true : null, why);
    }

    private static bool? One(string name, string key, IReadOnlyList<string> wanted, PolicyContext context)
    {
        bool forAll = name.StartsWith("ForAllValues:", StringComparison.OrdinalIgnoreCase);
        bool forAny = name.StartsWith("ForAnyValue:", StringComparison.OrdinalIgnoreCase);
        string bare = forAll || forAny ? name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..] : name;
        bool ifExists = bare.EndsWith("IfExists", StringComparison.OrdinalIgnoreCase);
        bare = (ifExists ? bare[..^"IfExists".Length] : bare).ToUpperInvariant();
        (bool known, string? value) = context.Look(key);
        if (!known)
        {
            return null;
        }

        if (bare == "NULL")
        {
            return wanted.Any(w => string.Equals(w, value is null ? "true" : "false", StringComparison.OrdinalIgnoreCase));
        }

        bool negative = bare.Contains("NOT", StringComparison.Ordinal);
        if (value is null)
        {
            return ifExists || forAll || (negative && !forAny);
        }

        // Policy variables stand for things of the request that are not known here.
        if (wanted.Any(w => w.Contains("${", StringComparison.Ordinal)))
        {
            return null;
        }

        bool?[] each = [.. wanted.Select(w => Compare(bare, value, w))];
        if (each.Any(e => e is null))
        {
            return null;
        }

        return negative ? each.All(e => e == true) : each.Any(e => e == true);
    }

    private static bool? Compare(string name, string value, string wanted) => name switch
    {
        "STRINGEQUALS" => value == wanted,
        "STRINGNOTEQUALS" => value != wanted,
        "STRINGEQUALSIGNORECASE" => string.Equals(value, wanted, StringComparison.OrdinalIgnoreCase),
        "STRINGNOTEQUALSIGNORECASE" => !string.Equals(value, wanted, StringComparison.OrdinalIgnoreCase),
        "STRINGLIKE" => PolicyEvaluator.Like(wanted, value),
        "STRINGNOTLIKE" => !PolicyEvaluator.Like(wanted, value),
        "ARNEQUALS" or "ARNLIKE" => ArnLike(wanted, value),
        "ARNNOTEQUALS" or "ARNNOTLIKE" => !ArnLike(wanted, value),
        "BOOL" => string.Equals(value, wanted, StringComparison.OrdinalIgnoreCase),
        "NUMERICEQUALS" => Number(value, wanted, (a, b) => a == b),
        "NUMERICNOTEQUALS" => Number(value, wanted, (a, b) => a != b),
        "NUMERICLESSTHAN" => Number(value, wanted, (a, b) => a < b),
        "NUMERICLESSTHANEQUALS" => Number(value, wanted, (a, b) => a <= b),
        "NUMERICGREATERTHAN" => Number(value, wanted, (a, b) => a > b),
        "NUMERICGREATERTHANEQUALS" => Number(value, wanted, (a, b) => a >= b),
        "DATEEQUALS" => Date(value, wanted, (a, b) => a == b),
        "DATENOTEQUALS" => Date(value, wanted, (a, b) => a != b),
        "DATELESSTHAN" => Date(value, wanted, (a, b) => a < b),
        "DATELESSTHANEQUALS" => Date(value, wanted, (a, b) => a <= b),
        "DATEGREATERTHAN" => Date(value, wanted, (a, b) => a > b),
        "DATEGREATERTHANEQUALS" => Date(value, wanted, (a, b) => a >= b),
        _ => null,
    };

    // Each of the six parts is compared by itself, so that a * does not reach past a colon.
    private static bool ArnLike(string pattern, string arn)
    {
        string[] wanted = pattern.Split(':', 6);
        string[] has = arn.Split(':', 6);
        return wanted.Length == has.Length
            ? wanted.Zip(has).All(pair => PolicyEvaluator.Like(pair.First, pair.Second))
            : pattern == "*";
    }

    private static bool? Number(string value, string wanted, Func<decimal, decimal, bool> test) =>
        decimal.TryParse(value, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal a)
        && decimal.TryParse(wanted, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal b)
            ? test(a, b)
            : null;

    private static bool? Date(string value, string wanted, Func<DateTimeOffset, DateTimeOffset, bool> test) =>
        Instant(value) is { } a && Instant(wanted) is { } b ? test(a, b) : null;

    private static DateTimeOffset? Instant(string text)
    {
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) && seconds < 253_402_300_800)
        {
            return DateTimeOffset.FromUnixTimeSeconds(seconds);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset date)
            ? date
            : null;
    }
}
