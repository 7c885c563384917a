using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The calls of Cloud KMS v1, IAM v1 and Resource Manager v1 that CmekTools needs. Google.Cloud.Kms.V1 can take the place of the one
/// implementation. Resources are JSON trees, so that a field that is not known here comes back as it was.
/// </summary>
internal interface IGoogleCloud : IDisposable
{
    Task<JsonObject> CreateKeyRingAsync(string parent, string id, CancellationToken cancellation);

    Task<JsonObject> GetKeyRingAsync(string name, CancellationToken cancellation);

    Task<JsonObject> CreateKeyAsync(string ring, string id, JsonObject key, CancellationToken cancellation);

    Task<JsonObject> GetKeyAsync(string name, CancellationToken cancellation);

    Task<JsonObject> PatchKeyAsync(string name, string updateMask, JsonObject key, CancellationToken cancellation);

    Task<JsonObject> SetPrimaryVersionAsync(string name, string version, CancellationToken cancellation);

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

    /// <summary>The project's policy, in version 3. Never written.</summary>
    Task<JsonObject> GetProjectPolicyAsync(string project, CancellationToken cancellation);
}
