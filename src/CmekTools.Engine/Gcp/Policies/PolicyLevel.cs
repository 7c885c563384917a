namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// A resource, its IAM policy and what denies there: a key, a key ring, a service account, or one of the levels above, which they
/// inherit from.
/// </summary>
/// <param name="Resource">Its resource name.</param>
/// <param name="Kind">What it is, for conditions and messages.</param>
/// <param name="Policy">Its allow policy.</param>
/// <param name="Denies">Its deny policies (<c>{"policies":[…]}</c>); null where it cannot have any.</param>
internal sealed record PolicyLevel(string Resource, LevelKind Kind, Evidence Policy, Evidence? Denies = null)
{
    /// <summary>The kind, in words.</summary>
    public string Place => Kind switch
    {
        LevelKind.Key => "key",
        LevelKind.KeyRing => "key ring",
        LevelKind.Account => "service account",
        LevelKind.Project => "project",
        LevelKind.Folder => "folder",
        _ => "organization",
    };

    /// <summary>What a condition sees as <c>resource.type</c>.</summary>
    public string Type => Kind switch
    {
        LevelKind.Key => "cloudkms.googleapis.com/CryptoKey",
        LevelKind.KeyRing => "cloudkms.googleapis.com/KeyRing",
        LevelKind.Account => "iam.googleapis.com/ServiceAccount",
        LevelKind.Project => "cloudresourcemanager.googleapis.com/Project",
        LevelKind.Folder => "cloudresourcemanager.googleapis.com/Folder",
        _ => "cloudresourcemanager.googleapis.com/Organization",
    };
}

/// <summary>The kinds of resources that have IAM policies here, from below.</summary>
internal enum LevelKind
{
    Key,
    KeyRing,
    Account,
    Project,
    Folder,
    Organization,
}
