using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// The deny policy that a cut writes on the key's project (https://cloud.google.com/iam/docs/deny-access): it wins over groups, over
/// inherited bindings and over whatever is granted later. Its name follows from cluster and account, so that every key of the cluster
/// shares one, and a restore finds it without a receipt.
/// </summary>
internal static class DenyPolicy
{
    /// <summary>What it denies: using the key, and giving oneself that.</summary>
    public static IReadOnlyList<string> Everything { get; } =
    [
        Permissions.Decrypt,
        Permissions.Encrypt,
        Permissions.DecryptViaDelegation,
        Permissions.UpdateVersions,
        Permissions.SetPolicy(ResourceKind.Key),
        Permissions.SetPolicy(ResourceKind.KeyRing),
        Permissions.SetPolicy(ResourceKind.Project),
    ];

    /// <summary>The least that is worth it.</summary>
    public static IReadOnlyList<string> Least { get; } = [Permissions.Decrypt, Permissions.Encrypt];

    /// <summary>The policy's resource name.</summary>
    public static string NameFor(AccessTarget target)
    {
        string hash = Convert.ToHexString(
            SHA256.HashData(Encoding.UTF8.GetBytes(target.AuthPrincipal.ToLowerInvariant())))[..12].ToLowerInvariant();
        return $"policies/{Point("projects/" + GcpNames.ParseKey(target.KeyUri).Project)}/denypolicies/"
            + $"cmektools-cut-{GcpNames.Short(target.Cluster)}-{hash}";
    }

    /// <summary>A project, folder or organization as an attachment point: its full resource name, URL-encoded.</summary>
    public static string Point(string resource) => Uri.EscapeDataString("cloudresourcemanager.googleapis.com/" + resource);

    /// <summary>The policy.</summary>
    public static JsonObject For(AccessTarget target, IReadOnlyList<string> permissions) => new()
    {
        ["displayName"] = Cut($"CmekTools cut {target.Cluster.Name}"),
        ["rules"] = new JsonArray(new JsonObject
        {
            ["description"] = "Revoke-CmekAccess; Restore-CmekAccess takes it away.",
            ["denyRule"] = new JsonObject
            {
                ["deniedPrincipals"] = new JsonArray([.. Principals(target).Select(p => (JsonNode)p)]),
                ["deniedPermissions"] = new JsonArray([.. permissions.Select(p => (JsonNode)Permissions.ForDeny(p))]),
            },
        }),
    };

    /// <summary>Does a policy that is there deny as much?</summary>
    public static bool IsSame(JsonObject policy, AccessTarget target)
    {
        JsonObject level = new() { ["policies"] = new JsonArray(policy.DeepClone()) };
        string[] members = IamMembers.Of(target);
        return members.All(m => Least.All(p => DenyRules.Deny(level, m, p) == Decision.Allowed));
    }

    /// <summary>
    /// Is what is there a cut of this account and cluster and no more? A policy that somebody has added rules, principals, permissions,
    /// exceptions or conditions to is his too.
    /// </summary>
    public static bool IsOurs(JsonObject policy, AccessTarget target)
    {
        if (policy["rules"] is not JsonArray { Count: 1 } rules
            || rules[0]?["denyRule"] is not JsonObject rule
            || !rule.All(p => p.Key is "deniedPrincipals" or "deniedPermissions" || p.Value is null or JsonArray { Count: 0 }))
        {
            return false;
        }

        // The cut of a cluster of which little was known named its own principal with another account.
        string account = IamMembers.ForDeny(IamMembers.ServiceAccount(target.AuthPrincipal));
        string own = IamMembers.ForDeny(IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster).Split('@')[0] + "@"));
        string[] permissions = [.. Everything.Select(Permissions.ForDeny)];
        return Texts(rule["deniedPrincipals"]).All(
            p => string.Equals(p, account, StringComparison.OrdinalIgnoreCase) || p.StartsWith(own, StringComparison.OrdinalIgnoreCase))
            && Texts(rule["deniedPermissions"]).All(permissions.Contains);
    }

    private static IEnumerable<string> Texts(JsonNode? list) => (list as JsonArray ?? []).Select(t => t?.ToString() ?? string.Empty);

    private static string[] Principals(AccessTarget target) =>
    [
        IamMembers.ForDeny(IamMembers.ServiceAccount(target.AuthPrincipal)),
        IamMembers.ForDeny(IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster))),
    ];

    // A display name has at most 63 characters.
    private static string Cut(string text) => text.Length <= 63 ? text : text[..63];
}
