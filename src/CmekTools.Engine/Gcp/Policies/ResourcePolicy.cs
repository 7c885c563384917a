using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// A resource, its IAM policy and what denies there: a key, a key ring, a service account, or one of the levels above, which they
/// inherit from.
/// </summary>
/// <param name="Resource">Its resource name.</param>
/// <param name="Kind">What it is, for conditions and messages.</param>
/// <param name="Policy">Its allow policy.</param>
/// <param name="Denies">Its deny policies (<c>{"policies":[…]}</c>); null where it cannot have any.</param>
internal sealed record ResourcePolicy(string Resource, ResourceKind Kind, Evidence<JsonObject> Policy, Evidence<JsonObject>? Denies = null)
{
    /// <summary>The kind, in words.</summary>
    public string Place => Kind switch
    {
        ResourceKind.Key => "key",
        ResourceKind.KeyRing => "key ring",
        ResourceKind.Account => "service account",
        ResourceKind.Project => "project",
        ResourceKind.Folder => "folder",
        _ => "organization",
    };

    /// <summary>What a condition sees as <c>resource.type</c>.</summary>
    public string Type => Kind switch
    {
        ResourceKind.Key => "cloudkms.googleapis.com/CryptoKey",
        ResourceKind.KeyRing => "cloudkms.googleapis.com/KeyRing",
        ResourceKind.Account => "iam.googleapis.com/ServiceAccount",
        ResourceKind.Project => "cloudresourcemanager.googleapis.com/Project",
        ResourceKind.Folder => "cloudresourcemanager.googleapis.com/Folder",
        _ => "cloudresourcemanager.googleapis.com/Organization",
    };
}

/// <summary>The kinds of resources that have IAM policies here, from below.</summary>
internal enum ResourceKind
{
    Key,
    KeyRing,
    Account,
    Project,
    Folder,
    Organization,
}
