using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>
/// What roles give: the predefined ones by their documentation (https://cloud.google.com/iam/docs/roles-permissions), and the
/// customer's own.
/// </summary>
internal sealed class GcpRoles
{
    private static readonly string[] s_macs = ["cloudkms.cryptoKeyVersions.useToSign", "cloudkms.cryptoKeyVersions.useToVerify"];
    private static readonly string[] s_crypto = ["cloudkms.cryptoKeyVersions.useToEncrypt", "cloudkms.cryptoKeyVersions.useToDecrypt"];

    private static readonly string[] s_kmsReads =
    [
        "cloudkms.keyRings.get", "cloudkms.keyRings.list", "cloudkms.keyRings.getIamPolicy",
        "cloudkms.cryptoKeys.get", "cloudkms.cryptoKeys.list", "cloudkms.cryptoKeys.getIamPolicy",
        "cloudkms.cryptoKeyVersions.get", "cloudkms.cryptoKeyVersions.list", "cloudkms.locations.get", "cloudkms.locations.list",
    ];

    private static readonly string[] s_kmsWrites =
    [
        "cloudkms.keyRings.create", "cloudkms.cryptoKeys.create", "cloudkms.cryptoKeys.update",
        "cloudkms.cryptoKeyVersions.create",
        "cloudkms.cryptoKeyVersions.update",
        "cloudkms.cryptoKeyVersions.destroy",
        "cloudkms.cryptoKeyVersions.restore",
    ];

    private static readonly string[] s_kmsPolicies = ["cloudkms.keyRings.setIamPolicy", "cloudkms.cryptoKeys.setIamPolicy"];

    private static readonly string[] s_delegated =
    [
        "cloudkms.cryptoKeyVersions.useToEncryptViaDelegation",
        "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation",
    ];

    private static readonly string[] s_accountReads =
    [
        "iam.serviceAccounts.get",
        "iam.serviceAccounts.list",
        "iam.serviceAccounts.getIamPolicy",
        "iam.serviceAccountKeys.list",
    ];

    private static readonly string[] s_accountWrites =
    [
        "iam.serviceAccounts.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.undelete", "iam.serviceAccounts.update",
        "iam.serviceAccounts.enable", "iam.serviceAccounts.disable",
    ];

    private static readonly string[] s_aboveReads =
    [
        "resourcemanager.projects.get",
        "resourcemanager.projects.getIamPolicy",
        "resourcemanager.folders.getIamPolicy",
        "resourcemanager.organizations.getIamPolicy",
        "iam.denypolicies.get", "iam.denypolicies.list", "iam.roles.get", "iam.roles.list",
    ];

    private static readonly string[] s_objects =
    [
        "storage.objects.get",
        "storage.objects.list",
        "storage.objects.create",
        "storage.objects.delete",
    ];

    private static readonly Dictionary<string, string[]> s_predefined = new()
    {
        // As the reviewer of deny policies too: a sandbox's operator sees what decides.
        ["roles/owner"] =
        [
            .. s_crypto, .. s_macs, .. s_kmsReads, .. s_kmsWrites, .. s_kmsPolicies, .. s_accountReads, .. s_accountWrites, .. s_aboveReads,
            "iam.serviceAccounts.setIamPolicy",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccountKeys.create",
            "resourcemanager.projects.setIamPolicy",
            "iam.roles.update",
            .. s_objects, "storage.buckets.get",
        ],
        ["roles/editor"] = [
            .. s_kmsReads,
            .. s_kmsWrites,
            .. s_accountReads,
            .. s_accountWrites,
            "resourcemanager.projects.get",
            "iam.serviceAccounts.actAs",
        ],
        ["roles/viewer"] = [.. s_kmsReads, "iam.serviceAccounts.get", "iam.serviceAccounts.list", "resourcemanager.projects.get"],
        ["roles/storage.objectAdmin"] = s_objects,
        ["roles/storage.objectViewer"] = [.. s_objects.Take(2)],
        ["roles/cloudkms.admin"] = [.. s_kmsReads, .. s_kmsWrites, .. s_kmsPolicies, .. s_delegated, "resourcemanager.projects.get"],
        ["roles/cloudkms.viewer"] = [.. s_kmsReads.Where(p => !p.EndsWith("IamPolicy", StringComparison.Ordinal))],
        ["roles/cloudkms.cryptoKeyEncrypterDecrypter"] = s_crypto,
        ["roles/cloudkms.cryptoKeyEncrypter"] = [s_crypto[0]],
        ["roles/cloudkms.cryptoKeyDecrypter"] = [s_crypto[1]],
        ["roles/cloudkms.cryptoOperator"] = [.. s_crypto, .. s_macs],
        ["roles/cloudkms.signer"] = [s_macs[0]],
        ["roles/cloudkms.signerVerifier"] = s_macs,
        ["roles/iam.serviceAccountTokenCreator"] =
        [
            "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.implicitDelegation",
            "iam.serviceAccounts.list", "iam.serviceAccounts.signBlob", "iam.serviceAccounts.signJwt",
        ],
        ["roles/iam.workloadIdentityUser"] = [
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.list",
        ],
        ["roles/iam.serviceAccountUser"] = ["iam.serviceAccounts.actAs", "iam.serviceAccounts.get", "iam.serviceAccounts.list"],
        ["roles/iam.serviceAccountKeyAdmin"] = [
            "iam.serviceAccountKeys.create",
            "iam.serviceAccountKeys.list",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.list",
        ],
        ["roles/iam.serviceAccountAdmin"] = [.. s_accountReads, .. s_accountWrites, "iam.serviceAccounts.setIamPolicy"],
        ["roles/iam.denyAdmin"] = [
            "iam.denypolicies.create",
            "iam.denypolicies.delete",
            "iam.denypolicies.get",
            "iam.denypolicies.list",
            "iam.denypolicies.update",
        ],
        ["roles/iam.denyReviewer"] = ["iam.denypolicies.get", "iam.denypolicies.list"],
        ["roles/iam.securityReviewer"] = [
            .. s_aboveReads,
            "cloudkms.keyRings.getIamPolicy",
            "cloudkms.cryptoKeys.getIamPolicy",
            "iam.serviceAccounts.getIamPolicy",
        ],
        ["roles/resourcemanager.projectIamAdmin"] = [
            "resourcemanager.projects.get",
            "resourcemanager.projects.getIamPolicy",
            "resourcemanager.projects.setIamPolicy",
        ],
        ["roles/resourcemanager.organizationAdmin"] =
        [
            .. s_aboveReads,
            "resourcemanager.projects.setIamPolicy", "resourcemanager.folders.setIamPolicy", "resourcemanager.organizations.setIamPolicy",
        ],
    };

    private readonly Dictionary<string, string[]> _custom = [];

    /// <summary>A role of the customer's own.</summary>
    public void Add(string name, string[] permissions) => _custom[name] = permissions;

    public bool Gives(string role, string permission) => PermissionsOf(Old(role))?.Contains(permission) == true;

    /// <summary>What roles.get answers.</summary>
    public JsonObject ToJson(string role) => new()
    {
        ["name"] = role,
        ["title"] = role[(role.LastIndexOf('/') + 1)..],
        ["includedPermissions"] = new JsonArray(
            [.. (PermissionsOf(Old(role)) ?? throw GcpErrorException.NotFound($"The role named {role} was")).Select(p => (JsonNode)p)]),
        ["stage"] = "GA",
    };

    // The basic roles have new names.
    private static string Old(string role) => role switch
    {
        "roles/admin" => "roles/owner",
        "roles/writer" => "roles/editor",
        "roles/reader" => "roles/viewer",
        _ => role,
    };

    private string[]? PermissionsOf(string role) => s_predefined.GetValueOrDefault(role) ?? _custom.GetValueOrDefault(role);
}
