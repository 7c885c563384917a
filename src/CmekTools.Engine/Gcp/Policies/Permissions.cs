namespace CmekTools.Engine.Gcp.Policies;

/// <summary>The permissions that decide about a key (https://cloud.google.com/iam/docs/roles-permissions/cloudkms and …/iam).</summary>
internal static class Permissions
{
    public const string Encrypt = "cloudkms.cryptoKeyVersions.useToEncrypt";
    public const string Decrypt = "cloudkms.cryptoKeyVersions.useToDecrypt";
    public const string DecryptViaDelegation = "cloudkms.cryptoKeyVersions.useToDecryptViaDelegation";
    public const string UpdateVersions = "cloudkms.cryptoKeyVersions.update";
    public const string RestoreVersions = "cloudkms.cryptoKeyVersions.restore";
    public const string GetAccessToken = "iam.serviceAccounts.getAccessToken";
    public const string EnableAccounts = "iam.serviceAccounts.enable";
    public const string UndeleteAccounts = "iam.serviceAccounts.undelete";
    public const string UpdateRoles = "iam.roles.update";

    /// <summary>By which somebody becomes a service account at once, or gives himself the right to.</summary>
    public static IReadOnlyList<string> BecomeAccount { get; } =
    [
        GetAccessToken,
        "iam.serviceAccounts.signJwt",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccountKeys.create",
        "iam.serviceAccounts.setIamPolicy",
    ];

    /// <summary>By which somebody becomes a service account by way of another account or a machine that runs as it.</summary>
    public static IReadOnlyList<string> MayBecomeAccount { get; } = ["iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.actAs"];

    /// <summary>
    /// By which whoever has it on a project or above may do there what he may not himself: as another account of the project, or by a
    /// custom role that he fills up.
    /// </summary>
    public static IReadOnlyList<string> Roundabout { get; } = [.. BecomeAccount, .. MayBecomeAccount, UpdateRoles];

    /// <summary>By which a deny policy is taken away again.</summary>
    public static IReadOnlyList<string> LiftDenies { get; } = ["iam.denypolicies.delete", "iam.denypolicies.update"];

    /// <summary>By which whoever has it on a level gives himself whatever that level holds.</summary>
    public static string SetPolicy(ResourceKind kind) => kind switch
    {
        ResourceKind.Key => "cloudkms.cryptoKeys.setIamPolicy",
        ResourceKind.KeyRing => "cloudkms.keyRings.setIamPolicy",
        ResourceKind.Account => "iam.serviceAccounts.setIamPolicy",
        ResourceKind.Project => "resourcemanager.projects.setIamPolicy",
        ResourceKind.Folder => "resourcemanager.folders.setIamPolicy",
        _ => "resourcemanager.organizations.setIamPolicy",
    };

    /// <summary>The permission as deny policies write it: the service's host, a slash, and the rest.</summary>
    public static string ForDeny(string permission)
    {
        int dot = permission.IndexOf('.', StringComparison.Ordinal);
        string service = permission[..dot] == "resourcemanager" ? "cloudresourcemanager" : permission[..dot];
        return $"{service}.googleapis.com/{permission[(dot + 1)..]}";
    }
}
