using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// What deny policies say (https://cloud.google.com/iam/docs/deny-overview): they win over every allow, on their level and below.
/// </summary>
internal static class DenyRules
{
    /// <summary>Do the policies of one level deny a permission? Allowed means: yes, certainly.</summary>
    /// <param name="denies">The level's policies, <c>{"policies":[…]}</c>.</param>
    /// <param name="member">The service account as a member.</param>
    /// <param name="permission">The permission, in the spelling of roles.</param>
    public static Decision Deny(JsonObject denies, string member, string permission)
    {
        Decision strongest = Decision.Denied;
        foreach (JsonObject policy in (denies["policies"] as JsonArray ?? []).OfType<JsonObject>())
        {
            foreach (JsonObject rule in (policy["rules"] as JsonArray ?? []).OfType<JsonObject>())
            {
                strongest = AccessDecision.Either(
                    strongest,
                    rule["denyRule"] is JsonObject deny ? Rule(deny, member, Permissions.ForDeny(permission)) : Decision.Perhaps);
            }
        }

        return strongest;
    }

    private static Decision Rule(JsonObject rule, string member, string permission)
    {
        Decision permissionIn = Matches(rule["deniedPermissions"], permission) ? Decision.Allowed : Decision.Denied;
        Decision permissionOut = Matches(rule["exceptionPermissions"], permission) ? Decision.Denied : Decision.Allowed;
        Decision principalIn = Principals(rule["deniedPrincipals"], member);
        Decision principalOut = Principals(rule["exceptionPrincipals"], member) switch
        {
            Decision.Allowed => Decision.Denied,
            Decision.Denied => Decision.Allowed,
            var other => other,
        };
        // A deny rule's condition looks at tags of the resource, which are not read here.
        string? expression = rule["denialCondition"]?["expression"]?.ToString();
        Decision condition = string.IsNullOrWhiteSpace(expression) || expression == "true" ? Decision.Allowed : Decision.Perhaps;
        return new[] { permissionIn, permissionOut, principalIn, principalOut, condition }.Min();
    }

    private static Decision Principals(JsonNode? list, string member) =>
        (list as JsonArray ?? []).Select(
            p => IamMembers.IncludesForDeny(p?.ToString() ?? string.Empty, member)).Append(Decision.Denied).Max();

    // A whole permission, or a group of them: service/*.*, service/resource.*, service/*.verb.
    private static bool Matches(JsonNode? list, string permission)
    {
        (string service, string resource, string verb) = Split(permission);
        return (list as JsonArray ?? []).Select(p => p?.ToString() ?? string.Empty).Any(pattern =>
        {
            (string s, string r, string v) = Split(pattern);
            return s == service && (r == "*" || r == resource) && (v == "*" || v == verb);
        });
    }

    private static (string Service, string Resource, string Verb) Split(string permission)
    {
        string[] halves = permission.Split('/', 2);
        string rest = halves.Length == 2 ? halves[1] : string.Empty;
        int dot = rest.LastIndexOf('.');
        return dot < 0 ? (halves[0], rest, string.Empty) : (halves[0], rest[..dot], rest[(dot + 1)..]);
    }
}
