using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>IAM deny policies (v2), on projects, folders and organizations.</summary>
internal sealed class GcpDenyPolicies(GcpHierarchy hierarchy, GcpAuthorizer authorizer)
{
    private readonly Dictionary<string, SortedDictionary<string, JsonObject>> _policies = [];

    /// <summary>Puts one there without any check.</summary>
    public void Put(string resource, string id, JsonObject policy) => On(resource)[id] = policy;

    /// <summary>Is a permission denied to somebody on one level?</summary>
    public bool Denies(string level, string caller, string permission, Func<string, string, bool> isInGroup) =>
        _policies.TryGetValue(level, out SortedDictionary<string, JsonObject>? policies)
        && policies.Values.SelectMany(p => p["rules"]?.AsArray() ?? []).Select(r => r?["denyRule"]).OfType<JsonObject>().Any(rule =>
            Names(rule, "deniedPrincipals").Any(p => Is(p, caller, isInGroup))
                && !Names(rule, "exceptionPrincipals").Any(p => Is(p, caller, isInGroup))
            && Names(rule, "deniedPermissions").Any(p => Covers(p, permission))
            && !Names(rule, "exceptionPermissions").Any(p => Covers(p, permission)));

    /// <summary>Answers <c>v2/policies/POINT/denypolicies[/ID]</c>.</summary>
    public JsonObject Answer(GcpCall call)
    {
        string resource = hierarchy.Canonical(call.Segments[1]["cloudresourcemanager.googleapis.com/".Length..]);
        string? id = call.Segments.Length > 3 ? call.Segments[3] : null;
        if (call.Segments.Length > 4)
        {
            return new JsonObject { ["name"] = call.Resource, ["done"] = true };
        }

        string verb = (call.Method, id) switch
        {
            ("GET", null) => "list",
            ("GET", _) => "get",
            ("POST", _) => "create",
            ("DELETE", _) => "delete",
            _ => "update",
        };
        authorizer.Require(call.Caller, "iam.denypolicies." + verb, resource);
        SortedDictionary<string, JsonObject> policies = On(resource);
        switch (verb)
        {
            case "list":
                // The rules are only in the policy itself.
                return call.Page("policies", policies.Select(p => Shown(resource, p.Key, p.Value, rules: false)));
            case "get":
                return Shown(resource, id!, Existing(policies, id!), rules: true);
            case "create":
                string name = call.Needed("policyId");
                Check(call.Body);
                if (!policies.TryAdd(name, call.Body.DeepClone().AsObject()))
                {
                    throw GcpErrorException.Exists($"Policy {name}");
                }

                return Operation(resource, name);
            case "delete":
                Existing(policies, id!);
                policies.Remove(id!);
                return Operation(resource, id!);
            default:
                throw GcpErrorException.NotFound(call.Resource);
        }
    }

    private static JsonObject Existing(SortedDictionary<string, JsonObject> policies, string id) =>
        policies.GetValueOrDefault(id) ?? throw GcpErrorException.NotFound($"Policy {id}");

    private static IEnumerable<string> Names(JsonObject rule, string field) => (rule[field]?.AsArray() ?? []).Select(n => n!.ToString());

    private static void Check(JsonObject policy)
    {
        foreach (JsonObject rule in (policy["rules"]?.AsArray() ?? []).Select(r => r?["denyRule"]).OfType<JsonObject>())
        {
            if (Names(rule, "deniedPrincipals").FirstOrDefault(p => !p.StartsWith("principal", StringComparison.Ordinal)) is { } principal)
            {
                throw GcpErrorException.Invalid(
                    $"Invalid principal '{principal}': deny policies take principal identifiers of the v2 API.");
            }

            if (
                Names(rule, "deniedPermissions").FirstOrDefault(
                    p => !p.Contains(".googleapis.com/", StringComparison.Ordinal)) is { } permission)
            {
                throw GcpErrorException.Invalid($"Permission '{permission}' is not supported in deny policies.");
            }
        }
    }

    private static bool Is(string principal, string caller, Func<string, string, bool> isInGroup)
    {
        string[] who = caller.Split(':', 2);
        return principal == "principalSet://goog/public:all"
            || (who[0] == "serviceAccount" && principal == $"principal://iam.googleapis.com/projects/-/serviceAccounts/{who[1]}")
            || (who[0] == "user" && principal == $"principal://goog/subject/{who[1]}")
            || (
                principal.StartsWith("principalSet://goog/group/", StringComparison.Ordinal)
                    && isInGroup("group:" + principal["principalSet://goog/group/".Length..], caller));
    }

    // cloudkms.cryptoKeys.get is written cloudkms.googleapis.com/cryptoKeys.get; a star takes the place of the resource, the verb, or both.
    private static bool Covers(string denied, string permission)
    {
        string[] p = permission.Replace("resourcemanager.", "cloudresourcemanager.", StringComparison.Ordinal).Split('.');
        string[] d = denied.Split('/', 2)[^1].Split('.');
        return denied.StartsWith(p[0] + ".googleapis.com/", StringComparison.Ordinal) && d.Length == 2 && p.Length == 3
            && (d[0] == "*" || d[0] == p[1]) && (d[1] == "*" || d[1] == p[2]);
    }

    private static JsonObject Operation(string resource, string id) => new()
    {
        ["name"] =
            $"policies/{Uri.EscapeDataString("cloudresourcemanager.googleapis.com/" + resource)}/denypolicies/{id}/"
                + $"operations/op-{Guid.NewGuid():N}",
        ["done"] = false,
    };

    private JsonObject Shown(string resource, string id, JsonObject policy, bool rules)
    {
        JsonObject shown = policy.DeepClone().AsObject();
        // Answers always have the project's number.
        shown["name"] = $"policies/{Uri.EscapeDataString("cloudresourcemanager.googleapis.com/" + hierarchy.ByNumber(resource))}"
            + $"/denypolicies/{id}";
        shown["kind"] = "DenyPolicy";
        if (!rules)
        {
            shown.Remove("rules");
        }

        return shown;
    }

    private SortedDictionary<string, JsonObject> On(string resource)
    {
        if (!_policies.TryGetValue(resource, out SortedDictionary<string, JsonObject>? policies))
        {
            _policies[resource] = policies = new(StringComparer.Ordinal);
        }

        return policies;
    }
}
