using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Decides by the bindings on a resource and what is above it.</summary>
internal sealed class GcpAuthorizer(GcpPolicies policies, GcpHierarchy hierarchy, GcpRoles roles, TimeProvider clock)
{
    private readonly Dictionary<string, HashSet<string>> _groups = [];
    private readonly Dictionary<string, string[]> _boundaries = [];

    /// <summary>A role of the customer's own.</summary>
    public void AddCustomRole(string name, params string[] permissions) => roles.Add(name, permissions);

    /// <summary>The deny policies, which win over everything.</summary>
    public GcpDenyPolicies? Denies { get; set; }

    /// <summary>A group's members.</summary>
    public void AddGroup(string email, params string[] members) => _groups["group:" + email] = [.. members];

    /// <summary>A principal access boundary: the resources that a member may reach at all, with what is below them.</summary>
    public void AddBoundary(string member, params string[] resources) => _boundaries[member] = resources;

    /// <summary>Does a boundary hang on the member?</summary>
    public bool HasBoundary(string member) => _boundaries.ContainsKey(member);

    /// <summary>Is the resource within the member's boundary, if it has one?</summary>
    public bool WithinBoundary(string member, string resource) =>
        !_boundaries.TryGetValue(member, out string[]? resources)
        || resources.Any(r => resource == r || resource.StartsWith(r + "/", StringComparison.Ordinal));

    /// <summary>Does a role give a permission?</summary>
    public bool Gives(string role, string permission) => roles.Gives(role, permission);

    /// <summary>Is a permission denied on one level?</summary>
    public bool IsDenied(string level, string caller, string permission) => Denies?.Denies(level, caller, permission, IsInGroup) == true;

    /// <summary>Is the caller named by a member that is no group?</summary>
    public static bool IsNamed(string caller, string member) =>
        member == caller
        || member is "allUsers" or "allAuthenticatedUsers"
        || (member.StartsWith("domain:", StringComparison.Ordinal) && caller.EndsWith("@" + member[7..], StringComparison.Ordinal));

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
        ["permissions"] = new JsonArray(
            [
                .. (
                    call.Body["permissions"]?.AsArray() ?? []).OfType<JsonValue>().Select(p => p.ToString()).Where(
                        p => Allows(call.Caller, p, resource)).Select(p => (JsonNode)p),
            ]),
    };

    public bool Allows(string caller, string permission, string resource) =>
        WithinBoundary(caller, resource)
        && !LevelsOf(resource).Any(level => IsDenied(level, caller, permission))
        && LevelsOf(resource).Any(level => (policies.Effective(level)["bindings"]?.AsArray() ?? []).OfType<JsonObject>().Any(binding =>
            roles.Gives(binding["role"]?.ToString() ?? string.Empty, permission)
            && (binding["members"]?.AsArray() ?? []).Any(m => IsMember(caller, m!.ToString()))
            && (
                binding["condition"]?["expression"]?.ToString() is not { } expression
                    || GcpConditions.Holds(expression, resource, clock.GetUtcNow()))));

    /// <summary>A key, its ring and the project; a service account and the project; and what is above.</summary>
    public IEnumerable<string> LevelsOf(string resource)
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

        if (parts.Length == 4 && parts[2] == "serviceAccounts")
        {
            yield return resource;
        }

        foreach (
            string level in parts[0] == "projects"
                ? hierarchy.LevelsOf(string.Join('/', parts[..2]))
                : hierarchy.Above.SkipWhile(l => l != resource))
        {
            yield return level;
        }
    }

    private bool IsMember(string caller, string member) => IsNamed(caller, member) || IsInGroup(member, caller);

    private bool IsInGroup(string group, string caller) =>
        _groups.TryGetValue(group, out HashSet<string>? members) && members.Contains(caller);
}
