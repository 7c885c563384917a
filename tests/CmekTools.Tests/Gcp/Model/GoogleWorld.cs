using System.Text.Json.Nodes;

namespace CmekTools.Tests.Gcp.Model;

/// <summary>A condition, as it is and as it is written: the model looks at the first, the engine reads the second.</summary>
/// <param name="Text">The expression.</param>
/// <param name="Holds">Whether it holds for a resource at a time, knowing everything.</param>
internal sealed record ModelCondition(string Text, Func<string, DateTimeOffset, bool> Holds);

/// <summary>A binding.</summary>
internal sealed record ModelBinding(string Role, string[] Members, ModelCondition? Condition);

/// <summary>A deny rule.</summary>
internal sealed record ModelDeny(string[] Principals, string[] Except, string[] Permissions, string[] ExceptPermissions, bool? Condition);

/// <summary>One level: a key, a ring, an account, a project, a folder or an organization.</summary>
internal sealed class ModelLevel(string resource)
{
    public string Resource { get; } = resource;

    public List<ModelBinding> Bindings { get; } = [];

    public List<ModelDeny> Denies { get; } = [];

    /// <summary>May whoever asks see the bindings, and the deny policies?</summary>
    public bool Visible { get; set; } = true;

    public bool DeniesVisible { get; set; } = true;

    public JsonObject Policy() => new()
    {
        ["bindings"] = new JsonArray([.. Bindings.Select(b =>
        {
            JsonObject binding = new() { ["role"] = b.Role, ["members"] = new JsonArray([.. b.Members.Select(m => (JsonNode)m)]) };
            if (b.Condition is { } condition)
            {
                binding["condition"] = new JsonObject { ["title"] = "t", ["expression"] = condition.Text };
            }

            return (JsonNode)binding;
        })]),
    };

    public JsonObject DenyPolicies() => new()
    {
        ["policies"] = new JsonArray([.. Denies.Select(d =>
        {
            JsonObject rule = new() { ["deniedPrincipals"] = Strings(d.Principals), ["deniedPermissions"] = Strings(d.Permissions) };
            if (d.Except.Length > 0)
            {
                rule["exceptionPrincipals"] = Strings(d.Except);
            }

            if (d.ExceptPermissions.Length > 0)
            {
                rule["exceptionPermissions"] = Strings(d.ExceptPermissions);
            }

            if (d.Condition is not null)
            {
                rule["denialCondition"] = new JsonObject { ["expression"] = "resource.matchTag('123/env', 'prod')" };
            }

            return (JsonNode)new JsonObject { ["rules"] = new JsonArray(new JsonObject { ["denyRule"] = rule }) };
        })]),
    };

    private static JsonArray Strings(IEnumerable<string> all) => new([.. all.Select(s => (JsonNode)s)]);
}

/// <summary>Everything there is, hidden things too: who is in a group, what a custom role gives, whether a tag is set.</summary>
internal sealed class GoogleWorld
{
    public const string Project = "projects/p";
    public const string Number = "424242424242";
    public const string Ring = Project + "/locations/us-east1/keyRings/r";
    public const string Key = Ring + "/cryptoKeys/k";
    public const string AccountEmail = "cmek-account@p.iam.gserviceaccount.com";
    public const string Account = Project + "/serviceAccounts/" + AccountEmail;

    /// <summary>The key, its ring, the project, a folder, the organization.</summary>
    public ModelLevel[] KeyChain { get; } = [new(Key), new(Ring), new(Project), new("folders/1"), new("organizations/2")];

    /// <summary>The account's own policy; what is above it is the project that the key is in.</summary>
    public ModelLevel AccountLevel { get; } = new(Account);

    public bool AccountDisabled { get; set; }

    public bool AccountMissing { get; set; }

    /// <summary>Members of groups.</summary>
    public HashSet<(string Group, string Member)> Groups { get; } = [];

    /// <summary>What custom roles give.</summary>
    public Dictionary<string, string[]> CustomRoles { get; } = [];

    /// <summary>Custom roles that whoever asks may read.</summary>
    public HashSet<string> ReadableRoles { get; } = [];

    /// <summary>Other accounts of the project.</summary>
    public static string OtherAccount => "serviceAccount:batch@p.iam.gserviceaccount.com";
}
