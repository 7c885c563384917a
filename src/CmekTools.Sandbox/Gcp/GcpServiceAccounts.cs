using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The project's service accounts.</summary>
internal sealed partial class GcpServiceAccounts(SandboxServer server, GcpPolicies policies, GcpAuthorizer authorizer, GcpTokens tokens)
{
    private readonly List<GcpServiceAccount> _accounts = [];
    private long _nextId = 100000000000000000;

    /// <summary>Every account, deleted ones too.</summary>
    public IReadOnlyList<GcpServiceAccount> All => _accounts;

    /// <summary>The addresses of those that exist.</summary>
    public IReadOnlyList<string> Emails => [.. _accounts.Where(a => !a.Deleted).Select(a => a.Email)];

    /// <summary>Why a member cannot stand in a policy, or null.</summary>
    public string? WhyNoMember(string member)
    {
        if (!member.StartsWith("serviceAccount:", StringComparison.Ordinal))
        {
            return member.Contains(':', StringComparison.Ordinal) || member is "allUsers" or "allAuthenticatedUsers"
                ? null
                : $"Invalid member: {member}";
        }

        string email = member[15..];
        bool exists = Find(email) is { } account
            ? account.Since + server.Options.IamLag <= server.Options.Clock.GetUtcNow()
            : IsElsewhere(email);
        return exists ? null : $"Service account {email} does not exist.";
    }

    /// <summary>Can this account be used now?</summary>
    public string? WhyUnusable(string email) => Find(email) switch
    {
        null => $"Service account {email} does not exist.",
        { Disabled: true } => $"Service account {email} is disabled.",
        _ => null,
    };

    /// <summary>The account's resource name.</summary>
    public string? NameOf(string email) => Find(email)?.Name;

    public JsonObject Answer(GcpCall call)
    {
        string project = call.Segments[1] == "-" ? server.Options.GoogleProject : call.Segments[1];
        if (call.Segments.Length == 3)
        {
            return call.Method == "POST" ? Create(call, project) : List(call, project);
        }

        string id = call.Segments[3];
        if (call.Verb == "undelete")
        {
            return Undelete(call, project, id);
        }

        GcpServiceAccount account = Find(id) is { } found && found.Project == project ? found : throw (call.Verb == "generateAccessToken"
            ? GcpErrorException.Denied("iam.serviceAccounts.getAccessToken", call.Resource)
            : Unknown(call, id));
        if (call.Segments.Length == 5)
        {
            return Keys(call, account);
        }

        if (call.Method == "GET" && account.Since + server.Options.StaleReads > server.Options.Clock.GetUtcNow())
        {
            throw Unknown(call, id);
        }

        return (call.Method, call.Verb) switch
        {
            ("GET", null) => Allowed(call, "get", account, () => account.ToJson()),
            ("DELETE", null) => Allowed(call, "delete", account, () => Delete(account)),
            ("POST", "enable") => Allowed(call, "enable", account, () => Set(account, disabled: false)),
            ("POST", "disable") => Allowed(call, "disable", account, () => Set(account, disabled: true)),
            ("POST", "getIamPolicy") => Allowed(call, "getIamPolicy", account, () => policies.Read(account.Name, Version(call))),
            ("POST", "setIamPolicy") => Allowed(call, "setIamPolicy", account, () => policies.Write(account.Name, call.Body, WhyNoMember)),
            ("POST", "testIamPermissions") => authorizer.Test(call, account.Name),
            ("POST", "generateAccessToken") => Allowed(call, "getAccessToken", account, () => Token(account)),
            _ => throw GcpErrorException.NotFound(call.Resource),
        };
    }

    // Under projects/- Google does not say whether an account is missing or hidden; with the project named it mostly does.
    private GcpErrorException Unknown(GcpCall call, string id) => call.Segments[1] == "-" || server.Options.MissingIsDenied
        ? GcpErrorException.DeniedOrMissing("iam.serviceAccounts." + (call.Verb ?? (call.Method == "DELETE" ? "delete" : "get")))
        : new GcpErrorException(404, "NOT_FOUND", $"Unknown service account: {id}");

    private JsonObject Keys(GcpCall call, GcpServiceAccount account)
    {
        authorizer.Require(
            call.Caller,
            call.Method == "POST" ? "iam.serviceAccountKeys.create" : "iam.serviceAccountKeys.list",
            account.Name);
        if (call.Method == "POST")
        {
            account.Keys.Add(Guid.NewGuid().ToString("N"));
        }

        JsonObject Key(string id) => new()
        {
            ["name"] = $"{account.Name}/keys/{id}",
            ["keyType"] = "USER_MANAGED",
            ["keyAlgorithm"] = "KEY_ALG_RSA_2048",
        };
        return call.Method == "POST"
            ? Key(account.Keys[^1])
            : new JsonObject { ["keys"] = new JsonArray([.. account.Keys.Select(k => (JsonNode)Key(k))]) };
    }

    private static int Version(GcpCall call)
    {
        string? text = call.Body["options"]?["requestedPolicyVersion"]?.ToString() ?? call.Query.GetValueOrDefault(
            "options.requestedPolicyVersion");
        return int.TryParse(text, out int version) ? version : 0;
    }

    // What lives in other people's projects (Google's agents, a partner's account) exists without having been made here. The vendor's
    // projects hold the clusters' principals and nothing else, so that a misspelt one is found.
    private bool IsElsewhere(string email) =>
        !email.EndsWith($"@{server.Options.GoogleProject}.iam.gserviceaccount.com", StringComparison.Ordinal)
        && !_accounts.Exists(a => a.Email == email)
        && (!email.Contains("@crl-", StringComparison.Ordinal) || email.StartsWith("crl-kms-user-", StringComparison.Ordinal));

    private GcpServiceAccount? Find(string id) => _accounts.Find(a => !a.Deleted && (a.Email == id || a.UniqueId == id));

    private JsonObject Allowed(GcpCall call, string verb, GcpServiceAccount account, Func<JsonObject> act)
    {
        authorizer.Require(call.Caller, "iam.serviceAccounts." + verb, account.Name);
        return act();
    }

    private JsonObject Create(GcpCall call, string project)
    {
        authorizer.Require(call.Caller, "iam.serviceAccounts.create", "projects/" + project);
        string id = call.Text("accountId") ?? string.Empty;
        if (!AccountId().IsMatch(id))
        {
            throw GcpErrorException.Invalid(
                "Invalid service account id: it must be between 6 and 30 characters long, begin with a letter and hold only lower case "
                    + "letters, digits and hyphens.");
        }

        string email = $"{id}@{project}.iam.gserviceaccount.com";
        if (Find(email) is not null)
        {
            throw GcpErrorException.Exists($"Service account {id} already exists within project projects/{project}. Service account");
        }

        GcpServiceAccount account = new(project, email, (_nextId += 7919).ToString(CultureInfo.InvariantCulture))
        {
            DisplayName = call.Body["serviceAccount"]?["displayName"]?.ToString(),
            Description = call.Body["serviceAccount"]?["description"]?.ToString(),
            Since = server.Options.Clock.GetUtcNow(),
        };
        _accounts.Add(account);
        // A new account of an old name begins without the old one's grants.
        policies.Put(account.Name, [], DateTimeOffset.MinValue);
        return account.ToJson();
    }

    private JsonObject List(GcpCall call, string project)
    {
        authorizer.Require(call.Caller, "iam.serviceAccounts.list", "projects/" + project);
        return call.Page("accounts", _accounts.Where(a => !a.Deleted && a.Project == project).Select(a => a.ToJson()));
    }

    private JsonObject Delete(GcpServiceAccount account)
    {
        account.Deleted = true;
        // Else a token of the old account would speak for a new one of the same name.
        tokens.Forget("serviceAccount:" + account.Email);
        policies.Rename("serviceAccount:" + account.Email, $"deleted:serviceAccount:{account.Email}?uid={account.UniqueId}");
        return [];
    }

    private JsonObject Undelete(GcpCall call, string project, string id)
    {
        authorizer.Require(call.Caller, "iam.serviceAccounts.undelete", "projects/" + project);
        GcpServiceAccount account = _accounts.Find(
            a => a.Deleted && (a.UniqueId == id || a.Email == id)) ?? throw GcpErrorException.NotFound(id);
        if (Find(account.Email) is not null)
        {
            throw GcpErrorException.Precondition($"Service account {account.Email} exists again; {account.UniqueId} cannot be undeleted.");
        }

        account.Deleted = false;
        policies.Rename($"deleted:serviceAccount:{account.Email}?uid={account.UniqueId}", "serviceAccount:" + account.Email);
        return new JsonObject { ["restoredAccount"] = account.ToJson() };
    }

    private static JsonObject Set(GcpServiceAccount account, bool disabled)
    {
        account.Disabled = disabled;
        return [];
    }

    private JsonObject Token(GcpServiceAccount account)
    {
        if (account.Disabled)
        {
            throw GcpErrorException.Precondition($"Service account {account.Email} is disabled.");
        }

        return new JsonObject
        {
            ["accessToken"] = tokens.Add("serviceAccount:" + account.Email),
            ["expireTime"] = server.Options.Clock.GetUtcNow().AddHours(1).ToString(
                "yyyy-MM-dd'T'HH:mm:ss'Z'",
                CultureInfo.InvariantCulture),
        };
    }

    [GeneratedRegex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$")]
    private static partial Regex AccountId();
}
