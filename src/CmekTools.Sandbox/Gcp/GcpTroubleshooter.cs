using System.Globalization;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>
/// Policy Troubleshooter v3: may a principal do one thing, by allow policies, deny policies and principal access boundaries, as far as the
/// caller may see them? Its words are those of the API's model.
/// </summary>
internal sealed class GcpTroubleshooter(GcpPolicies policies, GcpAuthorizer authorizer, GcpHierarchy hierarchy, GcpServiceAccounts accounts)
{
    private const string Allow = "ALLOW_ACCESS_STATE_";
    private const string Deny = "DENY_ACCESS_STATE_";

    /// <summary>Answers <c>v3/iam:troubleshoot</c>.</summary>
    public JsonObject Answer(GcpCall call)
    {
        JsonObject tuple = call.Body["accessTuple"] as JsonObject ?? throw GcpErrorException.Invalid("access_tuple is required.");
        string email = Needed(tuple, "principal");
        string permission = Needed(tuple, "permission");
        string resource = Resource(Needed(tuple, "fullResourceName"));
        string member = (email.EndsWith(".gserviceaccount.com", StringComparison.Ordinal) ? "serviceAccount:" : "user:") + email;
        Asked asked = new(member, permission, resource, tuple["conditionContext"] as JsonObject ?? []);

        JsonObject[] allows = [.. authorizer.LevelsOf(resource).Select(level => Allows(call.Caller, level, asked))];
        JsonObject[] denies = [.. authorizer.LevelsOf(resource).Where(IsAbove).Select(level => Denies(call.Caller, level, asked))];
        string allow = Strongest(allows.Select(e => e["allowAccessState"]!.ToString()), Allow, "GRANTED", "NOT_GRANTED");
        string deny = Strongest(denies.Select(e => e["denyAccessState"]!.ToString()), Deny, "DENIED", "NOT_DENIED");
        JsonObject answer = new()
        {
            ["overallAccessState"] = Overall(allow, deny, authorizer.WithinBoundary(member, resource)),
            ["accessTuple"] = Echo(tuple, permission),
            ["allowPolicyExplanation"] = new JsonObject
            {
                ["allowAccessState"] = allow,
                ["explainedPolicies"] = new JsonArray([.. allows]),
                ["relevance"] = Relevance(allow != Allow + "GRANTED"),
            },
            ["denyPolicyExplanation"] = new JsonObject
            {
                ["denyAccessState"] = deny,
                ["explainedResources"] = new JsonArray([.. denies]),
                ["relevance"] = Relevance(deny != Deny + "NOT_DENIED"),
                ["permissionDeniable"] = true,
            },
        };
        if (authorizer.HasBoundary(member))
        {
            // In the API's beta; its general version as gcloud knows it has no place for it yet.
            answer["pabPolicyExplanation"] = new JsonObject
            {
                ["principalAccessBoundaryAccessState"] =
                    "PAB_ACCESS_STATE_" + (authorizer.WithinBoundary(member, resource) ? "ALLOWED" : "NOT_ALLOWED"),
                ["relevance"] = Relevance(!authorizer.WithinBoundary(member, resource)),
            };
        }

        return answer;
    }

    private static string Needed(JsonObject tuple, string field) => tuple[field]?.ToString() is { Length: > 0 } text
        ? text
        : throw GcpErrorException.Invalid($"access_tuple.{field} is required.");

    private string Resource(string full)
    {
        string[] parts = full.Split('/', 4);
        if (parts is not ["", "", { Length: > 0 }, { Length: > 0 } path])
        {
            throw GcpErrorException.Invalid($"'{full}' is not a full resource name.");
        }

        path = hierarchy.Canonical(path);

        // A service account's full name has its unique id; its policies hang on its address.
        return path.Split('/') is [_, _, "serviceAccounts", { } id] && accounts.NameOf(id) is { } name ? name : path;
    }

    private static bool IsAbove(string level) => level.Split('/').Length == 2;

    private JsonObject Allows(string caller, string level, Asked asked)
    {
        if (!authorizer.Allows(caller, GetPolicy(level), level))
        {
            // What may not be seen is left out.
            return new JsonObject { ["allowAccessState"] = Allow + "UNKNOWN_INFO" };
        }

        JsonObject policy = policies.Effective(level);
        JsonObject[] bindings = [.. (policy["bindings"]?.AsArray() ?? []).OfType<JsonObject>().Select(b => Binding(b, asked))];
        return new JsonObject
        {
            ["allowAccessState"] = Strongest(bindings.Select(b => b["allowAccessState"]!.ToString()), Allow, "GRANTED", "NOT_GRANTED"),
            ["fullResourceName"] = $"//{Host(level)}/{level}",
            ["bindingExplanations"] = new JsonArray([.. bindings]),
            ["relevance"] = "HEURISTIC_RELEVANCE_NORMAL",
            ["policy"] = policy.DeepClone(),
        };
    }

    private JsonObject Binding(JsonObject binding, Asked asked)
    {
        string role = binding["role"]?.ToString() ?? string.Empty;
        string[] members = [.. (binding["members"]?.AsArray() ?? []).Select(m => m!.ToString())];
        JsonObject memberships = new(members.Select(m => KeyValuePair.Create(m, (JsonNode?)Matching(Matches(m, asked.Member)))));
        string matched = members.Select(m => Matches(m, asked.Member))
            .OrderBy(m => Array.IndexOf(s_matches, m))
            .FirstOrDefault(s_matches[^1]);
        bool gives = authorizer.Gives(role, asked.Permission);
        string state = !gives || matched == "NOT_MATCHED" ? "NOT_GRANTED"
            : matched == "UNKNOWN_INFO" ? "UNKNOWN_INFO"
            : binding["condition"]?["expression"]?.ToString() is { } expression ? Holds(expression, asked)
            : "GRANTED";
        JsonObject explained = new()
        {
            ["allowAccessState"] = Allow + state,
            ["role"] = role,
            ["rolePermission"] = gives ? "ROLE_PERMISSION_INCLUDED" : "ROLE_PERMISSION_NOT_INCLUDED",
            ["rolePermissionRelevance"] = Relevance(gives),
            ["combinedMembership"] = Matching(matched),
            ["memberships"] = memberships,
            ["relevance"] = Relevance(gives && matched != "NOT_MATCHED"),
        };
        if (binding["condition"] is { } condition)
        {
            explained["condition"] = condition.DeepClone();
        }

        return explained;
    }

    // The strongest first.
    private static readonly string[] s_matches = ["MATCHED", "UNKNOWN_INFO", "NOT_MATCHED"];

    // Who is in a group only those see who manage the groups.
    private static string Matches(string named, string member) =>
        GcpAuthorizer.IsNamed(member, named) ? "MATCHED"
        : named.StartsWith("group:", StringComparison.Ordinal) ? "UNKNOWN_INFO"
        : "NOT_MATCHED";

    private static JsonObject Matching(string state) =>
        new() { ["membership"] = "MEMBERSHIP_" + state, ["relevance"] = Relevance(state == "MATCHED") };

    // A condition knows what the question tells it.
    private static string Holds(string expression, Asked asked)
    {
        string? name = asked.Context["resource"]?["name"]?.ToString();
        string? time = asked.Context["request"]?["receiveTime"]?.ToString();
        DateTimeOffset at = DateTimeOffset.MinValue;
        if (time is not null
            && !DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out at))
        {
            throw GcpErrorException.Invalid($"'{time}' is not a time.");
        }

        bool untold = expression.Contains("request.auth", StringComparison.Ordinal)
            || (expression.Contains("resource.", StringComparison.Ordinal) && name is null)
            || (expression.Contains("request.time", StringComparison.Ordinal) && time is null);
        return untold ? "UNKNOWN_CONDITIONAL"
            : GcpConditions.Holds(expression, name ?? asked.Resource, at) ? "GRANTED"
            : "NOT_GRANTED";
    }

    private JsonObject Denies(string caller, string level, Asked asked)
    {
        if (!authorizer.Allows(caller, "iam.denypolicies.list", level))
        {
            return new JsonObject { ["denyAccessState"] = Deny + "UNKNOWN_INFO" };
        }

        bool denied = authorizer.IsDenied(level, asked.Member, asked.Permission);
        return new JsonObject
        {
            ["denyAccessState"] = Deny + (denied ? "DENIED" : "NOT_DENIED"),
            ["fullResourceName"] = $"//{Host(level)}/{level}",
            ["relevance"] = Relevance(denied),
        };
    }

    private static string Strongest(IEnumerable<string> states, string head, string most, string least)
    {
        string[] all = [.. states];
        return new[] { head + most, head + "UNKNOWN_INFO", head + "UNKNOWN_CONDITIONAL" }.FirstOrDefault(all.Contains) ?? head + least;
    }

    private static string Overall(string allow, string deny, bool within) =>
        allow == Allow + "NOT_GRANTED" || deny == Deny + "DENIED" || !within ? "CANNOT_ACCESS"
        : allow == Allow + "UNKNOWN_INFO" || deny == Deny + "UNKNOWN_INFO" ? "UNKNOWN_INFO"
        : allow == Allow + "UNKNOWN_CONDITIONAL" ? "UNKNOWN_CONDITIONAL"
        : "CAN_ACCESS";

    private static JsonObject Echo(JsonObject tuple, string permission)
    {
        JsonObject echo = tuple.DeepClone().AsObject();
        int dot = permission.IndexOf('.', StringComparison.Ordinal);
        string service = permission[..dot] == "resourcemanager" ? "cloudresourcemanager" : permission[..dot];
        echo["permissionFqdn"] = $"{service}.googleapis.com/{permission[(dot + 1)..]}";
        return echo;
    }

    private static string Relevance(bool high) => "HEURISTIC_RELEVANCE_" + (high ? "HIGH" : "NORMAL");

    private static string Host(string level) => level.Contains("/keyRings/", StringComparison.Ordinal) ? "cloudkms.googleapis.com"
        : level.Contains("/serviceAccounts/", StringComparison.Ordinal) ? "iam.googleapis.com"
        : "cloudresourcemanager.googleapis.com";

    private static string GetPolicy(string level) => level.Split('/') switch
    {
        ["projects", _] => "resourcemanager.projects.getIamPolicy",
        ["folders", _] => "resourcemanager.folders.getIamPolicy",
        ["organizations", _] => "resourcemanager.organizations.getIamPolicy",
        [_, _, "serviceAccounts", _] => "iam.serviceAccounts.getIamPolicy",
        { Length: 6 } => "cloudkms.keyRings.getIamPolicy",
        _ => "cloudkms.cryptoKeys.getIamPolicy",
    };

    private sealed record Asked(string Member, string Permission, string Resource, JsonObject Context);
}
