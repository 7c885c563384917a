using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.Gcp;

/// <summary>Cloud KMS: rings, keys, versions and their policies.</summary>
internal sealed partial class GcpKms(
    SandboxServer server,
    GcpPolicies policies,
    GcpAuthorizer authorizer,
    Func<string, string?> whyNoMember)
{
    private readonly SortedDictionary<string, GcpKeyRing> _rings = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, GcpKey> _keys = new(StringComparer.Ordinal);

    /// <summary>Every key.</summary>
    public IReadOnlyCollection<GcpKey> Keys => _keys.Values;

    /// <summary>Every key ring.</summary>
    public IReadOnlyCollection<string> Rings => _rings.Keys;

    /// <summary>A key by name, or null.</summary>
    public GcpKey? Find(string name) => _keys.GetValueOrDefault(name);

    /// <summary>Every key.</summary>
    public IReadOnlyCollection<GcpKey> All => _keys.Values;

    public JsonObject Answer(GcpCall call)
    {
        string[] s = call.Segments;
        if (s.Length > 3)
        {
            GcpLocations.Require(s[3]);
        }

        return s.Length switch
        {
            3 => Locations(call),
            4 => Location(call.Resource),
            5 when s[4] == "keyRings" => call.Method == "POST" ? CreateRing(call) : ListRings(call),
            6 when s[4] == "keyRings" => Ring(call),
            7 when s[6] == "cryptoKeys" => call.Method == "POST" ? CreateKey(call) : ListKeys(call),
            8 when s[6] == "cryptoKeys" => Key(call),
            9 when s[8] == "cryptoKeyVersions" => Versions(call),
            10 when s[8] == "cryptoKeyVersions" => Version(call),
            _ => throw GcpErrorException.NotFound(call.Resource),
        };
    }

    private static JsonObject Locations(GcpCall call) =>
        call.Page("locations", GcpLocations.All.Select(l => Location($"{call.Segments[0]}/{call.Segments[1]}/locations/{l}")));

    private static JsonObject Location(string name) =>
        new()
        {
            ["name"] = name,
            ["locationId"] = name[(name.LastIndexOf('/') + 1)..],
            ["metadata"] = new JsonObject { ["hsmAvailable"] = true },
        };

    private JsonObject CreateRing(GcpCall call)
    {
        authorizer.Require(call.Caller, "cloudkms.keyRings.create", string.Join('/', call.Segments[..4]));
        string name = $"{call.Resource}/{Id(call.Needed("keyRingId"))}";
        if (_rings.ContainsKey(name))
        {
            throw GcpErrorException.Exists($"KeyRing {name}");
        }

        return (_rings[name] = new GcpKeyRing(name, server.Options.Clock.GetUtcNow())).ToJson();
    }

    private JsonObject ListRings(GcpCall call)
    {
        authorizer.Require(call.Caller, "cloudkms.keyRings.list", string.Join('/', call.Segments[..4]));
        return call.Page(
            "keyRings",
            _rings.Values.Where(r => r.Name.StartsWith(call.Resource + "/", StringComparison.Ordinal)).Select(r => r.ToJson()),
            counted: true);
    }

    private JsonObject Ring(GcpCall call)
    {
        // Whoever asks what they may do needs no permission to ask.
        if (call.Verb != "testIamPermissions")
        {
            authorizer.Require(call.Caller, "cloudkms.keyRings." + (call.Verb ?? "get"), call.Resource);
        }

        GcpKeyRing ring = _rings.GetValueOrDefault(call.Resource) ?? throw GcpErrorException.NotFound($"KeyRing {call.Resource}");
        return call is { Method: "GET", Verb: null } ? ring.ToJson() : Policy(call);
    }

    private JsonObject CreateKey(GcpCall call)
    {
        string ring = string.Join('/', call.Segments[..6]);
        authorizer.Require(call.Caller, "cloudkms.cryptoKeys.create", ring);
        if (!_rings.ContainsKey(ring))
        {
            throw GcpErrorException.NotFound($"KeyRing {ring}");
        }

        string name = $"{ring}/cryptoKeys/{Id(call.Needed("cryptoKeyId"))}";
        if (_keys.ContainsKey(name))
        {
            throw GcpErrorException.Exists($"CryptoKey {name}");
        }

        GcpKey key = GcpKey.Create(name, call.Body, server.Options.Clock);
        // gcloud writes True, others true.
        bool skip = string.Equals(call.Query.GetValueOrDefault("skipInitialVersionCreation"), "true", StringComparison.OrdinalIgnoreCase);
        if (key.ImportOnly && !skip)
        {
            throw GcpErrorException.Invalid("An import_only CryptoKey must be created with skip_initial_version_creation.");
        }

        if (!skip)
        {
            key.AddVersion(makePrimary: true);
        }

        _keys[name] = key;
        return key.ToJson();
    }

    private JsonObject ListKeys(GcpCall call)
    {
        string ring = string.Join('/', call.Segments[..6]);
        authorizer.Require(call.Caller, "cloudkms.cryptoKeys.list", ring);
        _ = _rings.GetValueOrDefault(ring) ?? throw GcpErrorException.NotFound($"KeyRing {ring}");
        return call.Page(
            "cryptoKeys",
            _keys.Values.Where(k => k.Name.StartsWith(call.Resource + "/", StringComparison.Ordinal)).Select(k => k.ToJson()),
            counted: true);
    }

    private JsonObject Key(GcpCall call)
    {
        string permission = (call.Method, call.Verb) switch
        {
            ("GET", null) => "cloudkms.cryptoKeys.get",
            ("PATCH", null) or (_, "updatePrimaryVersion") => "cloudkms.cryptoKeys.update",
            (_, "encrypt") => "cloudkms.cryptoKeyVersions.useToEncrypt",
            (_, "decrypt") => "cloudkms.cryptoKeyVersions.useToDecrypt",
            (_, var verb) => "cloudkms.cryptoKeys." + verb,
        };
        if (call.Method == "DELETE")
        {
            throw GcpErrorException.NotFound($"{call.Method} {call.Resource}");
        }

        if (call.Verb != "testIamPermissions")
        {
            authorizer.Require(call.Caller, permission, call.Resource);
        }

        GcpKey key = Find(call.Resource) ?? throw GcpErrorException.NotFound($"CryptoKey {call.Resource}");
        switch (call.Method, call.Verb)
        {
            case ("GET", null):
                return key.ToJson();
            case ("PATCH", null):
                key.Patch(call.Body, call.Needed("updateMask"));
                return key.ToJson();
            case ("POST", "updatePrimaryVersion"):
                key.SetPrimary(call.Text("cryptoKeyVersionId") ?? throw GcpErrorException.Invalid("cryptoKeyVersionId is required."));
                return key.ToJson();
            case ("POST", "encrypt"):
                return GcpCrypto.Encrypt(key, call.Body, key.EncryptsWith(server.Options.IamLag));
            case ("POST", "decrypt"):
                return GcpCrypto.Decrypt(key, call.Body);
            default:
                return Policy(call);
        }
    }

    private JsonObject Policy(GcpCall call)
    {
        switch (call.Verb)
        {
            case "getIamPolicy":
                string? asked = call.Query.GetValueOrDefault(
                    "options.requestedPolicyVersion") ?? call.Body["options"]?["requestedPolicyVersion"]?.ToString();
                return policies.Read(call.Resource, int.TryParse(asked, out int version) ? version : 0);
            case "setIamPolicy":
                return policies.Write(call.Resource, call.Body, whyNoMember);
            case "testIamPermissions":
                return authorizer.Test(call, call.Resource);
            default:
                throw GcpErrorException.NotFound($"{call.Method} {call.Resource}{(call.Verb is null ? null : ":" + call.Verb)}");
        }
    }

    private JsonObject Versions(GcpCall call)
    {
        string name = string.Join('/', call.Segments[..8]);
        authorizer.Require(
            call.Caller,
            call.Method == "POST" ? "cloudkms.cryptoKeyVersions.create" : "cloudkms.cryptoKeyVersions.list",
            name);
        GcpKey key = Find(name) ?? throw GcpErrorException.NotFound($"CryptoKey {name}");
        if (call.Method == "POST" && key.ImportOnly)
        {
            throw GcpErrorException.Precondition($"{key.Name} is import_only: its versions are imported and not created.");
        }

        return call.Method == "POST"
            ? key.AddVersion(makePrimary: false).ToJson()
            : call.Page("cryptoKeyVersions", key.Versions.Select(v => v.ToJson()), counted: true);
    }

    private JsonObject Version(GcpCall call)
    {
        string name = string.Join('/', call.Segments[..8]);
        string permission = (call.Method, call.Verb) switch
        {
            ("GET", null) => "get",
            ("PATCH", null) => "update",
            (_, "encrypt") => "useToEncrypt",
            (_, "macSign") => "useToSign",
            (_, "macVerify") => "useToVerify",
            (_, var verb) => verb ?? "get",
        };
        authorizer.Require(call.Caller, "cloudkms.cryptoKeyVersions." + permission, name);
        GcpKey key = Find(name) ?? throw GcpErrorException.NotFound($"CryptoKey {name}");
        GcpKeyVersion version = key.Version(call.Segments[9]);
        switch (call.Method, call.Verb)
        {
            case ("GET", null):
                break;
            case ("PATCH", null):
                version.SetState(
                    call.Needed("updateMask") == "state"
                        ? call.Text("state")
                        : throw GcpErrorException.Invalid("Only the field 'state' of a version can be updated."));
                break;
            case ("POST", "destroy") when server.Options.DisableBeforeDestroy && version.State == "ENABLED":
                throw GcpErrorException.Precondition(
                    $"{version.Name} must be disabled before it is destroyed: constraints/cloudkms.disableBeforeDestroy.");
            case ("POST", "destroy"):
                version.Destroy(key.DestroyAfter);
                break;
            case ("POST", "encrypt"):
                return GcpCrypto.Encrypt(key, call.Body, version);
            case ("POST", "macSign"):
                return GcpCrypto.MacSign(key, call.Body, version);
            case ("POST", "macVerify"):
                return GcpCrypto.MacVerify(key, call.Body, version);
            case ("POST", "restore"):
                version.Restore();
                break;
            default:
                throw GcpErrorException.NotFound(call.Resource);
        }

        return version.ToJson();
    }

    private static string Id(string id) =>
        ResourceId().IsMatch(id) ? id : throw GcpErrorException.Invalid($"Resource id '{id}' must match [a-zA-Z0-9_-]{{1,63}}.");

    [GeneratedRegex("^[a-zA-Z0-9_-]{1,63}$")]
    private static partial Regex ResourceId();
}
