using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The calls of Cloud KMS v1, IAM v1 and v2, and Resource Manager v1 and v3 that CmekTools needs. Google.Cloud.Kms.V1 can take the
/// place of the one implementation. Resources are JSON trees, so that a field that is not known here comes back as it was.
/// </summary>
internal interface IGoogleCloud : IDisposable
{
    Task<JsonObject> CreateKeyRingAsync(string parent, string id, CancellationToken cancellation);

    Task<JsonObject> GetKeyRingAsync(string name, CancellationToken cancellation);

    Task<JsonObject> CreateKeyAsync(string ring, string id, JsonObject key, CancellationToken cancellation);

    Task<JsonObject> GetKeyAsync(string name, CancellationToken cancellation);

    Task<JsonObject> PatchKeyAsync(string name, string updateMask, JsonObject key, CancellationToken cancellation);

    Task<JsonObject> SetPrimaryVersionAsync(string name, string version, CancellationToken cancellation);

    /// <summary>The locations that a project can have keys in.</summary>
    Task<IReadOnlyList<JsonObject>> ListLocationsAsync(string project, CancellationToken cancellation);

    /// <summary>The key rings of a location.</summary>
    Task<IReadOnlyList<JsonObject>> ListKeyRingsAsync(string location, CancellationToken cancellation);

    /// <summary>The keys of a ring, with their labels.</summary>
    Task<IReadOnlyList<JsonObject>> ListKeysAsync(string ring, CancellationToken cancellation);

    /// <summary>Every version, oldest first.</summary>
    Task<IReadOnlyList<JsonObject>> ListVersionsAsync(string key, CancellationToken cancellation);

    Task<JsonObject> CreateVersionAsync(string key, CancellationToken cancellation);

    Task<JsonObject> GetVersionAsync(string name, CancellationToken cancellation);

    Task<JsonObject> SetVersionStateAsync(string name, string state, CancellationToken cancellation);

    Task<JsonObject> DestroyVersionAsync(string name, CancellationToken cancellation);

    Task<JsonObject> RestoreVersionAsync(string name, CancellationToken cancellation);

    /// <summary>The policy of a key or ring, in version 3.</summary>
    Task<JsonObject> GetKmsPolicyAsync(string resource, CancellationToken cancellation);

    Task<JsonObject> SetKmsPolicyAsync(string resource, JsonObject policy, CancellationToken cancellation);

    Task<JsonObject> GetAccountAsync(string email, CancellationToken cancellation);

    Task<JsonObject> CreateAccountAsync(string project, string id, string displayName, string description, CancellationToken cancellation);

    /// <summary>Brings a deleted account back as the principal that it was; Google can for 30 days.</summary>
    Task UndeleteAccountAsync(string project, string uniqueId, CancellationToken cancellation);

    Task EnableAccountAsync(string email, CancellationToken cancellation);

    Task DisableAccountAsync(string email, CancellationToken cancellation);

    /// <summary>The policy of a service account, in version 3.</summary>
    Task<JsonObject> GetAccountPolicyAsync(string email, CancellationToken cancellation);

    Task<JsonObject> SetAccountPolicyAsync(string email, JsonObject policy, CancellationToken cancellation);

    /// <summary>The policy of a project, folder or organization, in version 3. Never written.</summary>
    Task<JsonObject> GetPolicyAboveAsync(string resource, CancellationToken cancellation);

    /// <summary>The accounts of a project, as <c>{"accounts":[…]}</c>, whatever pages they come in.</summary>
    Task<JsonObject> ListAccountsAsync(string project, CancellationToken cancellation);

    /// <summary>The keys of an account that people manage, as <c>{"keys":[…]}</c>.</summary>
    Task<JsonObject> ListAccountKeysAsync(string email, CancellationToken cancellation);

    /// <summary>A project, with its id and its number.</summary>
    Task<JsonObject> GetProjectAsync(string project, CancellationToken cancellation);

    /// <summary>What a project is in, itself first.</summary>
    Task<JsonObject> GetAncestryAsync(string project, CancellationToken cancellation);

    /// <summary>Which of some permissions the caller has on a project.</summary>
    Task<IReadOnlyList<string>> TestProjectPermissionsAsync(
        string project,
        IReadOnlyList<string> permissions,
        CancellationToken cancellation);

    /// <summary>Which of some permissions the caller has on a key.</summary>
    Task<IReadOnlyList<string>> TestKeyPermissionsAsync(string key, IReadOnlyList<string> permissions, CancellationToken cancellation);

    /// <summary>Which of some permissions the caller has on a service account.</summary>
    Task<IReadOnlyList<string>> TestAccountPermissionsAsync(
        string email,
        IReadOnlyList<string> permissions,
        CancellationToken cancellation);

    /// <summary>What Policy Troubleshooter says of one permission: allow policies, deny policies and principal access boundaries.</summary>
    /// <param name="principal">An address.</param>
    /// <param name="fullResourceName">For example <c>//cloudkms.googleapis.com/projects/…</c>.</param>
    /// <param name="permission">The permission, in the spelling of roles.</param>
    /// <param name="at">The time that conditions are told.</param>
    /// <param name="cancellation">Ends the call.</param>
    Task<JsonObject> TroubleshootAsync(
        string principal,
        string fullResourceName,
        string permission,
        DateTimeOffset at,
        CancellationToken cancellation);

    /// <summary>A role with its permissions.</summary>
    Task<JsonObject> GetRoleAsync(string name, CancellationToken cancellation);

    /// <summary>The deny policies of a project, folder or organization with their rules, as <c>{"policies":[…]}</c>.</summary>
    Task<JsonObject> ListDenyPoliciesAsync(string resource, CancellationToken cancellation);

    /// <summary>A deny policy; null where there is none of this name.</summary>
    Task<JsonObject?> GetDenyPolicyAsync(string name, CancellationToken cancellation);

    /// <summary>Makes a deny policy, and waits until the service says that it is made.</summary>
    Task CreateDenyPolicyAsync(string name, JsonObject policy, CancellationToken cancellation);

    /// <summary>Deletes a deny policy, and waits until the service says that it is gone.</summary>
    Task DeleteDenyPolicyAsync(string name, CancellationToken cancellation);

    /// <summary>Encrypts one byte, and tells which version did it. Needs useToEncrypt, which who manages keys need not have.</summary>
    Task<string?> EncryptingVersionAsync(string key, CancellationToken cancellation);
}
