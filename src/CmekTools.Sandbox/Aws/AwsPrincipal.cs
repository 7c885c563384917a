using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws;

/// <summary>A user or a role.</summary>
internal abstract class AwsPrincipal(string accountId, string arn, string uniqueId, DateTimeOffset created)
{
    /// <summary>The account that it lives in.</summary>
    public string AccountId { get; } = accountId;

    /// <summary>Its ARN.</summary>
    public string Arn { get; } = arn;

    /// <summary>AIDA… or AROA…: never given out a second time, not even for the same name.</summary>
    public string UniqueId { get; } = uniqueId;

    /// <summary>When it was made.</summary>
    public DateTimeOffset Created { get; } = created;

    /// <summary>The permissions boundary.</summary>
    public StoredPolicy? Boundary { get; set; }

    /// <summary>The ARN of the permissions boundary.</summary>
    public string? BoundaryArn { get; set; }

    /// <summary>What it is allowed by its own policies.</summary>
    public abstract IEnumerable<PolicyDocument> IdentityPolicies { get; }
}

/// <summary>A user, or an account's root user.</summary>
internal sealed class IamUser(string accountId, string arn, StoredPolicy policy)
    : AwsPrincipal(accountId, arn, arn == AwsIds.Root(accountId) ? accountId : AwsIds.Unique("AIDA"), DateTimeOffset.MinValue)
{
    /// <inheritdoc/>
    public override IEnumerable<PolicyDocument> IdentityPolicies { get; } = [policy.Parsed];
}

/// <summary>A role.</summary>
internal sealed class IamRole(string accountId, string path, string name, StoredPolicy trust, DateTimeOffset created)
    : AwsPrincipal(accountId, $"arn:aws:iam::{accountId}:role{path}{name}", AwsIds.Unique("AROA"), created)
{
    /// <summary>The name, without the path.</summary>
    public string Name { get; } = name;

    /// <summary>Begins and ends with a slash.</summary>
    public string Path { get; } = path;

    /// <summary>Who may assume it.</summary>
    public Lagged<StoredPolicy> Trust { get; } = new(trust);

    /// <summary>For people.</summary>
    public string? Description { get; set; }

    /// <summary>The longest session, in seconds.</summary>
    public int MaxSessionDuration { get; set; } = 3600;

    /// <summary>The tags.</summary>
    public SortedDictionary<string, string> Tags { get; } = new(StringComparer.Ordinal);

    /// <summary>The inline policies by name.</summary>
    public SortedDictionary<string, StoredPolicy> Inline { get; } = new(StringComparer.Ordinal);

    /// <summary>The attached managed policies by ARN.</summary>
    public SortedDictionary<string, StoredPolicy> Attached { get; } = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IEnumerable<PolicyDocument> IdentityPolicies => Inline.Values.Concat(Attached.Values).Select(p => p.Parsed);
}

/// <summary>Who makes a request.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="Arn">Who it is: of a role's session the session's ARN.</param>
/// <param name="UserId">The unique id; of a role's session <c>AROA…:session</c>.</param>
/// <param name="PrincipalArn">What <c>aws:PrincipalArn</c> says: of a role's session the role's ARN.</param>
/// <param name="UniqueId">The unique id that policies hold.</param>
/// <param name="Identity">What its own policies allow.</param>
/// <param name="Boundary">What limits them.</param>
/// <param name="SessionPolicy">What limits this session.</param>
internal sealed record AwsCaller(
    string AccountId,
    string Arn,
    string UserId,
    string PrincipalArn,
    string UniqueId,
    IReadOnlyList<PolicyDocument> Identity,
    PolicyDocument? Boundary,
    PolicyDocument? SessionPolicy);

/// <summary>An access key, and whose it is.</summary>
internal sealed record AwsCredential(string AccessKeyId, string SecretAccessKey, AwsPrincipal Principal)
{
    /// <summary>The token of temporary credentials.</summary>
    public string? SessionToken { get; init; }

    /// <summary>The name of a role's session.</summary>
    public string? SessionName { get; init; }

    /// <summary>When temporary credentials end.</summary>
    public DateTimeOffset Expiration { get; init; } = DateTimeOffset.MaxValue;

    /// <summary>What limits the session further.</summary>
    public PolicyDocument? SessionPolicy { get; init; }

    /// <summary>The session's ARN, or the user's.</summary>
    public string Arn => SessionName is null || Principal is not IamRole role
        ? Principal.Arn
        : $"arn:aws:sts::{role.AccountId}:assumed-role/{role.Name}/{SessionName}";

    /// <summary>The caller that these credentials speak for, with the policies of this moment.</summary>
    public AwsCaller ToCaller() => new(
        Principal.AccountId,
        Arn,
        SessionName is null ? Principal.UniqueId : $"{Principal.UniqueId}:{SessionName}",
        Principal.Arn,
        Principal.UniqueId,
        [.. Principal.IdentityPolicies],
        Principal.Boundary?.Parsed,
        SessionPolicy);

    // A record would print its secret.
    public override string ToString() => AccessKeyId;
}
