using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>
/// The statements that CmekTools writes, and how it knows them again: by its own Sid <i>and</i> its own shape. A statement with our Sid
/// and other content is somebody else's and is left alone.
/// </summary>
internal static class OurStatements
{
    private const string UseHead = "CmekToolsUse";
    private const string RevokeHead = "CmekToolsRevoke";

    /// <summary>What a cluster needs, exactly: the vendor's list.</summary>
    public static IReadOnlyList<string> Actions { get; } = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:GenerateDataKey*",
        "kms:DescribeKey",
        "kms:ReEncrypt*",
    ];

    /// <summary>The calls that those five patterns stand for.</summary>
    public static IReadOnlyList<string> Calls { get; } =
    [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:DescribeKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];

    /// <summary>The Sid of the statement that lets the cluster's role use the key.</summary>
    public static string UseSid(CmekCluster cluster) => UseHead + AwsNames.Short(cluster);

    /// <summary>The Sid of the statement that cuts the role off.</summary>
    public static string RevokeSid(CmekCluster cluster) => RevokeHead + AwsNames.Short(cluster);

    /// <summary>The Sid of the statement that lets the cluster's account assume the role.</summary>
    public static string TrustSid(CmekCluster cluster) => "CmekToolsTrust" + AwsNames.Short(cluster);

    /// <summary>True where a Sid has the form of ours, of whatever cluster.</summary>
    public static bool IsOfUs(string? sid) => sid?.StartsWith("CmekTools", StringComparison.Ordinal) == true;

    /// <summary>The statement without which only AWS support can change the policy.</summary>
    public static JsonObject Root(string partition, string account) => new()
    {
        ["Sid"] = "EnableIAMUserPermissions",
        ["Effect"] = "Allow",
        ["Principal"] = new JsonObject { ["AWS"] = AwsNames.AccountRoot(partition, account) },
        ["Action"] = "kms:*",
        ["Resource"] = "*",
    };

    /// <summary>Lets a role use the key.</summary>
    public static JsonObject Use(string sid, string roleArn) => new()
    {
        ["Sid"] = sid,
        ["Effect"] = "Allow",
        ["Principal"] = new JsonObject { ["AWS"] = roleArn },
        ["Action"] = new JsonArray([.. Actions.Select(a => (JsonNode)JsonValue.Create(a))]),
        ["Resource"] = "*",
    };

    /// <summary>Cuts a role off: every session of it, also those already issued, and also when it is deleted and made again.</summary>
    public static JsonObject Revoke(string sid, string roleArn) => new()
    {
        ["Sid"] = sid,
        ["Effect"] = "Deny",
        ["Principal"] = "*",
        ["Action"] = "kms:*",
        ["Resource"] = "*",
        ["Condition"] = new JsonObject { [Equal(roleArn)] = new JsonObject { ["aws:PrincipalArn"] = roleArn } },
    };

    // A role's path may have * and ? in it. ArnEquals takes them for any text, and would hit other roles too.
    private static string Equal(string roleArn) => roleArn.AsSpan().IndexOfAny('*', '?') < 0 ? "ArnEquals" : "StringEquals";

    /// <summary>Lets the cluster's account assume the role, for this organization only.</summary>
    public static JsonObject Trust(string sid, string partition, string account, string externalId) => new()
    {
        ["Sid"] = sid,
        ["Effect"] = "Allow",
        ["Principal"] = new JsonObject { ["AWS"] = AwsNames.AccountRoot(partition, account) },
        ["Action"] = "sts:AssumeRole",
        ["Condition"] = new JsonObject { ["StringEquals"] = new JsonObject { ["sts:ExternalId"] = externalId } },
    };

    /// <summary>Our statement for a role, complete or not: by Sid, shape and principal.</summary>
    public static JsonObject? FindUse(PolicyDocument policy, CmekCluster cluster, string roleArn, string? roleId) =>
        policy.Statements.FirstOrDefault(s => IsUse(s, cluster) && OnlyPrincipal(s) is { } p && (p == roleArn || p == roleId))
        // What KMS shows as a bare id is a role that is gone.
        ?? policy.Statements.FirstOrDefault(s => IsUse(s, cluster) && OnlyPrincipal(s) is { } p && AwsNames.IsRoleId(p));

    /// <summary>Somebody else's statement that gives a role exactly what ours would.</summary>
    public static JsonObject? FindEqualUse(PolicyDocument policy, string roleArn) => policy.Statements.FirstOrDefault(s =>
        HasOnly(s, "Sid", "Effect", "Principal", "Action", "Resource") && PolicyJson.Text(s, "Effect") == "Allow"
            && OnlyPrincipal(s) == roleArn
        && PolicyJson.Strings(s["Resource"]) is ["*"] && SameActions(s));

    /// <summary>True where a statement gives exactly the five actions.</summary>
    public static bool SameActions(JsonObject statement) =>
        PolicyJson.Strings(statement["Action"]).ToHashSet(StringComparer.OrdinalIgnoreCase).SetEquals(Actions);

    /// <summary>Our Deny for a role.</summary>
    public static JsonObject? FindRevoke(PolicyDocument policy, CmekCluster cluster, string roleArn) =>
        policy.Statements.FirstOrDefault(s => RevokedRole(s, cluster) == roleArn);

    /// <summary>The role that a statement of ours cuts off, or null where the statement is not such a one.</summary>
    public static string? RevokedRole(JsonObject statement, CmekCluster cluster) =>
        IsSid(statement, RevokeSid(cluster)) ? CutRole(statement) : null;

    /// <summary>
    /// The role that a statement of the shape of our Deny cuts off, whatever cluster it is for; null for another shape, which is somebody
    /// else's under whatever name.
    /// </summary>
    public static string? CutRole(JsonObject statement) =>
        (Condition(statement, "ArnEquals") ?? Condition(statement, "StringEquals")) is { } role
            && PolicyJson.Text(statement, "Sid") is { } sid && PolicyJson.Same(statement, Revoke(sid, role))
            ? role
            : null;

    /// <summary>The mark of the cluster for which a Sid says that it lets a role use the key; null for another Sid.</summary>
    public static string? UseMark(string sid) => Mark(sid, UseHead);

    /// <summary>The mark of the cluster for which a Sid says that it cuts a role off; null for another Sid.</summary>
    public static string? RevokeMark(string sid) => Mark(sid, RevokeHead);

    /// <summary>Is it a cut of ours, by name and shape, of whatever cluster?</summary>
    public static bool IsCut(JsonObject statement) =>
        RevokeMark(PolicyJson.Text(statement, "Sid") ?? string.Empty) is not null && CutRole(statement) is not null;

    /// <summary>Our trust statement, complete or not.</summary>
    public static JsonObject? FindTrust(PolicyDocument policy, CmekCluster cluster) => policy.Statements.FirstOrDefault(s =>
        IsSid(s, TrustSid(cluster)) && HasOnly(s, "Sid", "Effect", "Principal", "Action", "Condition")
            && PolicyJson.Text(s, "Effect") == "Allow"
        && OnlyPrincipal(s) is not null && PolicyJson.Strings(s["Action"]) is ["sts:AssumeRole"]);

    /// <summary>The one AWS principal of a statement, or null where it has several or another kind.</summary>
    public static string? OnlyPrincipal(JsonObject statement) =>
        statement["Principal"] is JsonObject { Count: 1 } principal && PolicyJson.Strings(principal["AWS"]) is [string only] ? only : null;

    /// <summary>True for our Allow for some role of this cluster.</summary>
    public static bool IsUse(JsonObject s, CmekCluster cluster) =>
        IsSid(s, UseSid(cluster)) && HasOnly(s, "Sid", "Effect", "Principal", "Action", "Resource")
            && PolicyJson.Text(s, "Effect") == "Allow"
        && PolicyJson.Strings(s["Resource"]) is ["*"] && PolicyJson.Strings(s["Action"]) is { Count: > 0 } actions
        && actions.All(a => Actions.Contains(a, StringComparer.OrdinalIgnoreCase));

    /// <summary>The roles that our statements let in, and those that they cut off, of whatever cluster.</summary>
    public static IReadOnlyList<string> Roles(PolicyDocument policy) =>
    [
        .. policy.Statements
            .Where(s => IsOfUs(PolicyJson.Text(s, "Sid")))
            .Select(s => OnlyPrincipal(s) ?? Condition(s, "ArnEquals") ?? Condition(s, "StringEquals"))
            .OfType<string>()
            .Where(r => AwsNames.TryParseRole(r) is not null)
            .Distinct(StringComparer.Ordinal),
    ];

    private static string? Condition(JsonObject statement, string how) =>
        (statement["Condition"] as JsonObject)?[how] is JsonObject arn && PolicyJson.Strings(arn["aws:PrincipalArn"]) is [string role]
            ? role
            : null;

    // Behind the head come the first eight characters of the cluster's id.
    private static string? Mark(string sid, string head) =>
        sid.Length >= head.Length + 8 && sid.StartsWith(head, StringComparison.Ordinal)
            && sid[head.Length..(head.Length + 8)].All(char.IsAsciiLetterOrDigit)
            ? sid[head.Length..(head.Length + 8)]
            : null;

    private static bool IsSid(JsonObject statement, string sid) => PolicyJson.Text(statement, "Sid") is { } has
        && (has == sid || (has.StartsWith(sid + "x", StringComparison.Ordinal) && has[(sid.Length + 1)..].All(char.IsAsciiDigit)));

    private static bool HasOnly(JsonObject statement, params string[] names) => statement.All(p => names.Contains(p.Key));
}
