using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>What a role gives, as IAM says (<c>roles.get</c>), or as far as the table of predefined roles knows.</summary>
internal sealed partial class RoleContents
{
    // What the documentation lists for predefined roles that matter here (https://cloud.google.com/iam/docs/roles-permissions). It
    // stands in where a role may not be read, so it says "perhaps" where it does not know: a "?" in front of a pattern, or a role that
    // is not here.
    private static readonly Dictionary<string, string> s_table = new(StringComparer.Ordinal)
    {
        ["roles/cloudkms.cryptoKeyEncrypterDecrypter"] = "cloudkms.cryptoKeyVersions.useToEncrypt cloudkms.cryptoKeyVersions.useToDecrypt",
        ["roles/cloudkms.cryptoKeyEncrypter"] = "cloudkms.cryptoKeyVersions.useToEncrypt",
        ["roles/cloudkms.cryptoKeyDecrypter"] = "cloudkms.cryptoKeyVersions.useToDecrypt",
        ["roles/cloudkms.cryptoKeyEncrypterDecrypterViaDelegation"] = "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation",
        ["roles/cloudkms.cryptoKeyDecrypterViaDelegation"] = "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation",
        ["roles/cloudkms.cryptoKeyEncrypterViaDelegation"] = "",
        ["roles/cloudkms.cryptoOperator"] = "cloudkms.cryptoKeyVersions.useToEncrypt cloudkms.cryptoKeyVersions.useToDecrypt",
        ["roles/cloudkms.admin"] = "cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy cloudkms.cryptoKeyVersions.update "
            + "cloudkms.cryptoKeyVersions.restore cloudkms.cryptoKeyVersions.useToDecryptViaDelegation",
        ["roles/cloudkms.viewer"] = "",
        ["roles/cloudkms.publicKeyViewer"] = "",
        ["roles/cloudkms.signer"] = "",
        ["roles/cloudkms.verifier"] = "",
        ["roles/cloudkms.signerVerifier"] = "",
        ["roles/cloudkms.importer"] = "",
        ["roles/iam.serviceAccountTokenCreator"] =
            "iam.serviceAccounts.getAccessToken iam.serviceAccounts.signJwt iam.serviceAccounts.signBlob "
            + "iam.serviceAccounts.implicitDelegation",
        ["roles/iam.workloadIdentityUser"] = "iam.serviceAccounts.getAccessToken",
        ["roles/iam.serviceAccountOpenIdTokenCreator"] = "",
        ["roles/iam.serviceAccountUser"] = "iam.serviceAccounts.actAs",
        ["roles/iam.serviceAccountKeyAdmin"] = "iam.serviceAccountKeys.create",
        ["roles/iam.serviceAccountAdmin"] = "iam.serviceAccounts.setIamPolicy iam.serviceAccounts.enable "
            + "iam.serviceAccounts.undelete ?iam.serviceAccounts.actAs",
        ["roles/iam.serviceAccountViewer"] = "",
        ["roles/iam.securityReviewer"] = "",
        ["roles/iam.denyReviewer"] = "",
        ["roles/iam.denyAdmin"] = "iam.denypolicies.delete iam.denypolicies.update",
        ["roles/iam.securityAdmin"] = "cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy iam.serviceAccounts.setIamPolicy "
            + "resourcemanager.projects.setIamPolicy resourcemanager.folders.setIamPolicy resourcemanager.organizations.setIamPolicy ?*",
        ["roles/resourcemanager.projectIamAdmin"] = "resourcemanager.projects.setIamPolicy",
        ["roles/resourcemanager.folderIamAdmin"] = "resourcemanager.folders.setIamPolicy",
        ["roles/resourcemanager.organizationAdmin"] = "resourcemanager.organizations.setIamPolicy resourcemanager.folders.setIamPolicy "
            + "resourcemanager.projects.setIamPolicy ?*",
        ["roles/viewer"] = "",
        ["roles/reader"] = "",
        ["roles/browser"] = "",
        ["roles/owner"] =
            "cloudkms.cryptoKeyVersions.useToEncrypt cloudkms.cryptoKeyVersions.useToDecrypt cloudkms.cryptoKeyVersions.update "
            + "cloudkms.cryptoKeyVersions.restore cloudkms.cryptoKeys.setIamPolicy cloudkms.keyRings.setIamPolicy "
                + "resourcemanager.projects.setIamPolicy "
            + "iam.serviceAccounts.setIamPolicy iam.serviceAccountKeys.create iam.serviceAccounts.actAs iam.serviceAccounts.enable "
            + "iam.serviceAccounts.undelete ?*",
    };

    private readonly HashSet<string> _permissions;
    private readonly string[] _patterns;

    private RoleContents(HashSet<string> permissions, string[] patterns)
    {
        _permissions = permissions;
        _patterns = patterns;
    }

    /// <summary>Is it a name that can be asked for?</summary>
    public static bool IsName(string role) => Name().IsMatch(role);

    /// <summary>What IAM says of a role; null where it said nothing.</summary>
    public static RoleContents? From(JsonObject? role)
    {
        if (role is null)
        {
            return null;
        }

        // A custom role that was deleted or disabled stands in bindings and gives nothing.
        bool off = role["deleted"]?.ToString() == "true" || role["stage"]?.ToString() == "DISABLED";
        return new RoleContents(
            off ? [] : [.. (role["includedPermissions"] as JsonArray ?? []).Select(p => p?.ToString() ?? string.Empty)],
            []);
    }

    /// <summary>What the table knows of a role.</summary>
    public static RoleContents FromTable(string role)
    {
        if (!s_table.TryGetValue(role, out string? line))
        {
            return new RoleContents([], ["*"]);
        }

        string[] parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return new RoleContents([.. parts.Where(p => p[0] != '?')], [.. parts.Where(p => p[0] == '?').Select(p => p[1..])]);
    }

    /// <summary>Does it give a permission? Perhaps where only the table was asked, and does not know.</summary>
    public Decision Gives(string permission) =>
        _permissions.Contains(permission)
            ? Decision.Allowed
            : _patterns.Any(p => p == "*" || p == permission)
            ? Decision.Perhaps
            : Decision.Denied;

    [GeneratedRegex(@"^(?:roles/[a-zA-Z0-9_.]+|(?:projects/[a-z0-9.:-]+|organizations/[0-9]+)/roles/[a-zA-Z0-9_.]{3,64})\z")]
    private static partial Regex Name();
}
