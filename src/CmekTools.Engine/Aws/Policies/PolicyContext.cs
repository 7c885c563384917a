using System.Globalization;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>What is known of a condition key's value.</summary>
internal enum ContextKind
{
    /// <summary>Nothing.</summary>
    Unknown,

    /// <summary>The request does not have the key.</summary>
    Absent,

    /// <summary>The value.</summary>
    Known,

    /// <summary>How the value begins.</summary>
    Begins,
}

/// <summary>A condition key's value, as far as it is known.</summary>
/// <param name="Kind">How far that is.</param>
/// <param name="Text">The value, or its beginning.</param>
internal readonly record struct ContextValue(ContextKind Kind, string Text = "");

/// <summary>The condition keys of a request, as far as they are known.</summary>
internal sealed class PolicyContext
{
    private readonly Dictionary<string, ContextValue> _values = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The keys of a call to KMS that a cluster makes as its role.</summary>
    /// <param name="key">The key.</param>
    /// <param name="who">The role.</param>
    /// <param name="now">The time.</param>
    public static PolicyContext ForKey(KeyArn key, PolicyPrincipal who, DateTimeOffset now)
    {
        PolicyContext context = new();
        context.Common(who, key.Region, now);
        context.Set("kms:CallerAccount", who.Account);
        context.Set("aws:ResourceAccount", key.Account);
        context.Set("kms:MultiRegion", key.MultiRegion ? "true" : "false");

        // The cluster calls KMS itself, and not an AWS service for it.
        context.Absent(
            "kms:ViaService",
            "aws:CalledVia",
            "aws:CalledViaFirst",
            "aws:CalledViaLast",
            "aws:SourceArn",
            "aws:SourceAccount",
            "aws:SourceOrgID",
            "aws:SourceOrgPaths",
            "aws:PrincipalServiceName",
            "aws:PrincipalServiceNamesList");
        if (who.RoleArn is not null)
        {
            // Only users have a name of their own.
            context.Absent("aws:username");
            context._values["aws:userid"] = who.RoleId is { } id
                ? new ContextValue(ContextKind.Begins, id + ":")
                : new ContextValue(ContextKind.Begins, "AROA");
        }

        context.Set("aws:ViaAWSService", "false");
        return context;
    }

    /// <summary>The same keys for one call: what only CreateGrant has is absent in every other.</summary>
    public PolicyContext For(string call)
    {
        PolicyContext context = new();
        foreach ((string key, ContextValue value) in _values)
        {
            context._values[key] = value;
        }

        if (string.Equals(call, "kms:CreateGrant", StringComparison.OrdinalIgnoreCase))
        {
            // True only where an AWS service makes the grant for the caller.
            context.Set("kms:GrantIsForAWSResource", "false");
        }
        else
        {
            context.Absent(
                "kms:GrantIsForAWSResource",
                "kms:GrantOperations",
                "kms:GranteePrincipal",
                "kms:GrantConstraintType",
                "kms:RetiringPrincipal");
        }

        return context;
    }

    /// <summary>The keys of the call by which the cluster's account assumes the role.</summary>
    /// <param name="who">The cluster's account.</param>
    /// <param name="externalId">The external ID that is sent; null where none is.</param>
    /// <param name="now">The time.</param>
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

        // Whether the account's caller is a role or a user, and signed in with a second factor, is its own affair.
        context.Absent("aws:CalledVia", "aws:SourceArn", "aws:SourceAccount", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList");
        return context;
    }

    /// <summary>What is known of a key.</summary>
    public ContextValue Look(string key) => _values.GetValueOrDefault(key);

    /// <summary>True for a key whose value changes by itself: what hangs on it does not last.</summary>
    public static bool IsTime(string key) =>
        string.Equals(key, "aws:CurrentTime", StringComparison.OrdinalIgnoreCase)
            || string.Equals(key, "aws:EpochTime", StringComparison.OrdinalIgnoreCase);

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

    private void Set(string key, string value) => _values[key] = new ContextValue(ContextKind.Known, value);

    private void Absent(params string[] keys)
    {
        foreach (string key in keys)
        {
            _values[key] = new ContextValue(ContextKind.Absent);
        }
    }
}
