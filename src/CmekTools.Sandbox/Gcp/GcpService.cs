using System.Text;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>The customer's Google Cloud: Cloud KMS, IAM with its credentials service, and the project's policy.</summary>
internal sealed class GcpService : ISandboxService, IClusterKeyService
{
    private const string Admin = "user:admin@example.com";
    private readonly GcpKms _kms;
    private readonly GcpServiceAccounts _accounts;
    private readonly GcpRoles _roles = new();
    private readonly GcpQuota _quota;
    private readonly GcpTroubleshooter _troubleshooter;

    public GcpService(SandboxServer server)
    {
        Hierarchy = new GcpHierarchy(server.Options.GoogleProject) { Above = server.Options.GoogleAncestors };
        Policies = new GcpPolicies(server);
        Authorizer = new GcpAuthorizer(Policies, Hierarchy, _roles, server.Options.Clock);
        Denies = new GcpDenyPolicies(Hierarchy, Authorizer);
        Authorizer.Denies = Denies;
        _accounts = new GcpServiceAccounts(server, Policies, Authorizer, Tokens);
        _quota = new GcpQuota(server);
        _troubleshooter = new GcpTroubleshooter(Policies, Authorizer, Hierarchy, _accounts);
        Storage = new GcpStorage(Authorizer, server.Options.GoogleProject);
        _kms = new GcpKms(server, Policies, Authorizer, _accounts.WhyNoMember);
        string project = server.Options.GoogleProject;
        Policies.Put(
            "projects/" + project,
            new JsonObject { ["bindings"] = new JsonArray(
                new JsonObject { ["role"] = "roles/owner", ["members"] = new JsonArray(Admin) }) },
            DateTimeOffset.MinValue);
        foreach (string level in Hierarchy.Above.Where(l => l.StartsWith("organizations/", StringComparison.Ordinal)))
        {
            // Whoever runs a sandbox sees what decides; who manages one project only does not.
            Policies.Put(
                level,
                new JsonObject { ["bindings"] = new JsonArray(
                    new JsonObject { ["role"] = "roles/iam.securityReviewer", ["members"] = new JsonArray(Admin) }) },
                DateTimeOffset.MinValue);
        }

        string address = server.BaseAddress.ToString();
        foreach (string name in (string[])["CLOUDKMS", "IAM", "IAMCREDENTIALS", "CLOUDRESOURCEMANAGER", "POLICYTROUBLESHOOTER"])
        {
            server.AddVariable("CLOUDSDK_API_ENDPOINT_OVERRIDES_" + name, address);
        }

        // gcloud wants the JSON API's path in this one.
        server.AddVariable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", address + "storage/v1/");
        server.AddVariable("CLOUDSDK_CORE_PROJECT", project);
        server.AddVariable("GOOGLE_CLOUD_PROJECT", project);
        // gcloud takes a token from a file only (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE): whoever wants it writes this into one.
        server.AddVariable("GOOGLE_SANDBOX_ACCESS_TOKEN", Tokens.Add(Admin));
    }

    /// <inheritdoc/>
    public string KeyType => "GCP_CLOUD_KMS";

    /// <summary>The keys, for tests; to be looked at under the server's lock.</summary>
    public GcpKms Kms => _kms;

    /// <summary>The accounts, for tests; to be looked at under the server's lock.</summary>
    public GcpServiceAccounts Accounts => _accounts;

    /// <summary>The policies, for tests that arrange things behind the scenes.</summary>
    public GcpPolicies Policies { get; }

    /// <summary>The keys, for tests that look behind the scenes; under the server's lock only.</summary>
    public IReadOnlyCollection<GcpKey> Keys => _kms.All;

    /// <summary>The addresses of the service accounts; under the server's lock only.</summary>
    public IReadOnlyList<string> AccountEmails => _accounts.Emails;

    /// <summary>What the project is in.</summary>
    public GcpHierarchy Hierarchy { get; }

    /// <summary>The deny policies.</summary>
    public GcpDenyPolicies Denies { get; }

    /// <summary>The roles and groups.</summary>
    public GcpAuthorizer Authorizer { get; }

    /// <summary>The buckets, for tests that arrange things behind the scenes.</summary>
    public GcpStorage Storage { get; }

    /// <summary>The access tokens.</summary>
    public GcpTokens Tokens { get; } = new();

    /// <inheritdoc/>
    public bool Claims(SandboxRequest request)
    {
        string path = Uri.UnescapeDataString(request.RawPath).TrimStart('/');
        if (Above(path) is { } above)
        {
            (request.Service, request.Operation, request.IsWrite) = above with { Write = above.Write && request.Method != "GET" };
            if (above.Operation == "denypolicies")
            {
                bool item = !path.EndsWith("/denypolicies", StringComparison.Ordinal);
                request.Operation += request.Method switch
                {
                    "GET" => item ? ".get" : ".list",
                    "POST" => ".create",
                    "DELETE" => ".delete",
                    _ => ".update",
                };
            }

            return true;
        }

        if (GcpStorage.OperationOf(request, request.RawPath.TrimStart('/')) is { } storage)
        {
            (request.Service, request.Operation, request.IsWrite) = ("gcs", storage, request.Method != "GET");
            return true;
        }

        if (!path.StartsWith("v1/projects/", StringComparison.Ordinal))
        {
            return false;
        }

        string[] s = path.Split('/');
        string? verb = s[^1].Contains(':', StringComparison.Ordinal) ? s[^1][(s[^1].LastIndexOf(':') + 1)..] : null;
        string kind = s.Length > 3 ? s[3].Split(':')[0] : "projects";
        request.Service = kind switch
        {
            "locations" => "gcp-kms",
            "serviceAccounts" => "gcp-iam",
            _ => "gcp-crm",
        };
        string collection = s.Length switch
        {
            > 10 or 10 => "cryptoKeyVersions",
            8 or 9 when kind == "locations" => "cryptoKeys",
            6 or 7 when kind == "locations" => "keyRings",
            6 when kind == "serviceAccounts" => "serviceAccountKeys",
            _ => kind,
        };
        bool isItem = s.Length % 2 == 1 && s.Length > 3;
        string operation = verb ?? (request.Method, isItem) switch
        {
            ("GET", true) => "get",
            ("GET", false) => s.Length == 3 ? "get" : "list",
            ("PATCH", _) => "patch",
            ("DELETE", _) => "delete",
            _ => "create",
        };
        request.Operation = $"{collection}.{operation}";
        request.IsWrite = operation is not (
            "get" or "list" or "getIamPolicy" or "testIamPermissions" or "getAncestry" or "encrypt" or "decrypt" or "macSign" or "macVerify"
            or "generateAccessToken");
        return true;
    }

    /// <inheritdoc/>
    public SandboxResponse Answer(SandboxRequest request)
    {
        try
        {
            string caller = Tokens.MemberOf(request.Headers["Authorization"]) ?? throw GcpErrorException.Unauthenticated();
            request.Caller = caller;
            if (caller.StartsWith("serviceAccount:", StringComparison.Ordinal)
                && _accounts.NameOf(caller[15..]) is not null
                && _accounts.WhyUnusable(caller[15..]) is { } why)
            {
                throw new GcpErrorException(401, "UNAUTHENTICATED", why);
            }

            if (request.Service == "gcs")
            {
                return Storage.Answer(request, caller);
            }

            _quota.Take(request);
            GcpCall call = new(request, caller, Hierarchy);
            JsonObject answer = request.Service switch
            {
                "gcp-kms" => _kms.Answer(call),
                "gcp-iam" => _accounts.Answer(call),
                "gcp-roles" => _roles.ToJson(call.Resource),
                "gcp-deny" => Denies.Answer(call),
                "gcp-troubleshooter" => _troubleshooter.Answer(call),
                "gcp-above" => AboveProject(call),
                _ => Project(call),
            };
            return SandboxResponse.Json(answer);
        }
        catch (GcpErrorException e)
        {
            return e.ToResponse();
        }
        catch (InvalidOperationException e)
        {
            // A field of another JSON type than the one it should have.
            return GcpErrorException.Invalid($"Invalid JSON payload received. {e.Message}").ToResponse();
        }
    }

    /// <inheritdoc/>
    public string? TryUse(ClusterIdentity cluster, string keyUri, string authPrincipal)
    {
        string id = cluster.ClusterId.Replace("-", null, StringComparison.Ordinal);
        string own = $"serviceAccount:crl-kms-user-{id[^12..]}@{cluster.AccountId}.iam.gserviceaccount.com";
        try
        {
            keyUri = Hierarchy.Canonical(keyUri);
            if (keyUri.Split('/') is not { Length: 8 })
            {
                throw GcpErrorException.Invalid($"'{keyUri}' is not the resource name of a key.");
            }

            if (_accounts.WhyUnusable(authPrincipal) is { } why)
            {
                throw GcpErrorException.Precondition(why);
            }

            Authorizer.Require(own, "iam.serviceAccounts.getAccessToken", _accounts.NameOf(authPrincipal)!);
            string member = "serviceAccount:" + authPrincipal;
            Authorizer.Require(member, "cloudkms.cryptoKeyVersions.useToEncrypt", keyUri);
            Authorizer.Require(member, "cloudkms.cryptoKeyVersions.useToDecrypt", keyUri);
            GcpKey key = _kms.Find(keyUri) ?? throw GcpErrorException.NotFound($"CryptoKey {keyUri}");
            string plain = Convert.ToBase64String(Encoding.UTF8.GetBytes("store key of " + cluster.ClusterId));
            JsonObject wrapped = GcpCrypto.Encrypt(key, new JsonObject { ["plaintext"] = plain });
            JsonObject unwrapped = GcpCrypto.Decrypt(key, new JsonObject { ["ciphertext"] = wrapped["ciphertext"]!.ToString() });
            return unwrapped["plaintext"]!.ToString() == plain ? null : "Decryption gave back other bytes.";
        }
        catch (GcpErrorException e)
        {
            return e.Message;
        }
    }

    // Roles, deny policies, folders and organizations: what is not below a project.
    private static AboveCall? Above(string path) => path switch
    {
        // gcloud's beta asks the beta.
        "v3/iam:troubleshoot" or "v3beta/iam:troubleshoot" => new AboveCall("gcp-troubleshooter", "iam.troubleshoot", false),
        _ when path.StartsWith("v2/policies/", StringComparison.Ordinal) => new AboveCall("gcp-deny", "denypolicies", true),
        _ when path.StartsWith("v1/roles/", StringComparison.Ordinal) => new AboveCall("gcp-roles", "roles.get", false),
        _ when path.StartsWith("v1/projects/", StringComparison.Ordinal)
            && path.Contains("/roles/", StringComparison.Ordinal) => new AboveCall("gcp-roles", "roles.get", false),
        _ when path.StartsWith("v1/organizations/", StringComparison.Ordinal)
            && path.Contains("/roles/", StringComparison.Ordinal) => new AboveCall("gcp-roles", "roles.get", false),
        _ when path.StartsWith("v3/folders/", StringComparison.Ordinal) => new AboveCall(
            "gcp-above",
            "folders." + path[(path.LastIndexOf(':') + 1)..],
            !path.EndsWith(":getIamPolicy", StringComparison.Ordinal)),
        _ when path.StartsWith("v3/organizations/", StringComparison.Ordinal) => new AboveCall(
            "gcp-above",
            "organizations." + path[(path.LastIndexOf(':') + 1)..],
            !path.EndsWith(":getIamPolicy", StringComparison.Ordinal)),
        _ => null,
    };

    private JsonObject AboveProject(GcpCall call)
    {
        Authorizer.Require(call.Caller, $"resourcemanager.{call.Segments[0]}.{call.Verb}", call.Resource);
        return call.Verb switch
        {
            "getIamPolicy" => Policies.Read(
                call.Resource,
                int.TryParse(call.Body["options"]?["requestedPolicyVersion"]?.ToString(), out int version) ? version : 0),
            "setIamPolicy" => Policies.Write(call.Resource, call.Body, _accounts.WhyNoMember),
            _ => throw GcpErrorException.NotFound(call.Resource),
        };
    }

    private JsonObject Project(GcpCall call)
    {
        string name = string.Join('/', call.Segments[..2]);
        switch (call.Verb)
        {
            case "getIamPolicy":
                Authorizer.Require(call.Caller, "resourcemanager.projects.getIamPolicy", name);
                return Policies.Read(
                    name,
                    int.TryParse(call.Body["options"]?["requestedPolicyVersion"]?.ToString(), out int version) ? version : 0);
            case "setIamPolicy":
                Authorizer.Require(call.Caller, "resourcemanager.projects.setIamPolicy", name);
                return Policies.Write(name, call.Body, _accounts.WhyNoMember);
            case "testIamPermissions":
                return Authorizer.Test(call, name);
            case "getAncestry":
                Authorizer.Require(call.Caller, "resourcemanager.projects.get", name);
                return Hierarchy.Ancestry(call.Segments[1]);
            case null when call.Method == "GET":
                Authorizer.Require(call.Caller, "resourcemanager.projects.get", name);
                return new JsonObject
                {
                    ["projectId"] = call.Segments[1],
                    ["projectNumber"] = GcpHierarchy.Number,
                    ["lifecycleState"] = "ACTIVE",
                    ["name"] = call.Segments[1],
                };
            default:
                throw GcpErrorException.NotFound(call.Resource);
        }
    }

    private sealed record AboveCall(string Service, string Operation, bool Write);
}
