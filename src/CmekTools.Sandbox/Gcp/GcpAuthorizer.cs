using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Decides by the bindings on a resource and what is above it.</summary>
internal sealed class GcpAuthorizer(GcpPolicies policies)
{
    private readonly Dictionary<string, string[]> _customRoles = [];
    private readonly Dictionary<string, HashSet<string>> _groups = [];

    /// <summary>A role of the customer's own.</summary>
    public void AddCustomRole(string name, params string[] permissions) => _customRoles[name] = permissions;

    /// <summary>A group's members.</summary>
    public void AddGroup(string email, params string[] members) => _groups["group:" + email] = [.. members];

    public void Require(string caller, string permission, string resource)
    {
        if (!Allows(caller, permission, resource))
        {
            throw GcpErrorException.Denied(permission, resource);
        }
    }

    /// <summary>Which of the permissions in question the caller has.</summary>
    public JsonObject Test(GcpCall call, string resource) => new()
    {
        ["permissions"] = new JsonArray([.. (call.Body["permissions"]?.AsArray() ?? []).OfType<JsonValue>().Select(p => p.ToString()).Where(p => Allows(call.Caller, p, resource)).Select(p => (JsonNode)p)]),
    };

    public bool Allows(string caller, string permission, string resource) =>
        Chain(resource).Any(level => (policies.Effective(level)["bindings"]?.AsArray() ?? []).OfType<JsonObject>().Any(binding =>
            Grants(binding["role"]?.ToString() ?? string.Empty, permission)
            && (binding["members"]?.AsArray() ?? []).Any(m => IsMember(caller, m!.ToString()))
            && (binding["condition"]?["expression"]?.ToString() is not { } expression || GcpConditions.Holds(expression, resource, DateTimeOffset.UtcNow))));

    // A key's policy, its ring's and the project's; a service account's and the project's.
    private static IEnumerable<string> Chain(string resource)
    {
        string[] parts = resource.Split('/');
        if (parts.Length >= 8)
        {
            yield return string.Join('/', parts[..8]);
        }

        if (parts.Length >= 6 && parts[2] == "locations")
        {
            yield return string.Join('/', parts[..6]);
        }

        if (parts.Length == 4)
        {
            yield return resource;
        }

        yield return string.Join('/', parts[..2]);
    }

    private bool IsMember(string caller, string member) =>
        member == caller
        || member is "allUsers" or "allAuthenticatedUsers"
        || (member.StartsWith("domain:", StringComparison.Ordinal) && caller.EndsWith("@" + member[7..], StringComparison.Ordinal))
        || (_groups.TryGetValue(member, out HashSet<string>? members) && members.Contains(caller));

    private bool Grants(string role, string permission) => role switch
    {
        "roles/owner" => permission != "iam.serviceAccounts.getAccessToken",
        "roles/editor" => !permission.EndsWith("IamPolicy", StringComparison.Ordinal) && !IsCrypto(permission) && permission != "iam.serviceAccounts.getAccessToken",
        "roles/cloudkms.admin" => permission.StartsWith("cloudkms.", StringComparison.Ordinal) && !IsCrypto(permission),
        "roles/cloudkms.viewer" => permission.StartsWith("cloudkms.", StringComparison.Ordinal) && (permission.EndsWith(".get", StringComparison.Ordinal) || permission.EndsWith(".list", StringComparison.Ordinal)),
        "roles/cloudkms.cryptoKeyEncrypterDecrypter" => IsCrypto(permission),
        "roles/cloudkms.cryptoKeyEncrypter" => permission == "cloudkms.cryptoKeyVersions.useToEncrypt",
        "roles/cloudkms.cryptoKeyDecrypter" => permission == "cloudkms.cryptoKeyVersions.useToDecrypt",
        "roles/iam.serviceAccountTokenCreator" => permission == "iam.serviceAccounts.getAccessToken",
        "roles/iam.serviceAccountUser" => permission is "iam.serviceAccounts.actAs" or "iam.serviceAccounts.get" or "iam.serviceAccounts.list",
        "roles/iam.serviceAccountAdmin" => permission.StartsWith("iam.serviceAccounts.", StringComparison.Ordinal) && permission != "iam.serviceAccounts.getAccessToken",
        _ => _customRoles.TryGetValue(role, out string[]? permissions) && permissions.Contains(permission),
    };

    private static bool IsCrypto(string permission) => permission.StartsWith("cloudkms.cryptoKeyVersions.useTo", StringComparison.Ordinal);
}
