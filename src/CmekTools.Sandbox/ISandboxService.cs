namespace CmekTools.Sandbox;

/// <summary>One service of the sandbox. Its state is its own; requests come one after the other unless it says otherwise.</summary>
internal interface ISandboxService
{
    /// <summary>
    /// Looks at a request; true where it is this service's. Sets <see cref="SandboxRequest.Service"/>, <see
    /// cref="SandboxRequest.Operation"/> and <see cref="SandboxRequest.IsWrite"/>.
    /// </summary>
    bool Claims(SandboxRequest request);

    /// <summary>Answers a request that it has claimed.</summary>
    SandboxResponse Answer(SandboxRequest request);
}

/// <summary>A cloud as CockroachDB Cloud sees it from its own side: can this cluster use that key as that principal, now?</summary>
internal interface IClusterKeyService
{
    /// <summary>The Cloud API's name of the key type.</summary>
    string KeyType { get; }

    /// <summary>
    /// Does what the real service does: takes the principal's identity (assumes the role with the organization's id as external ID, or gets
    /// a token for the service account as the cluster's own principal) and encrypts and decrypts with the key.
    /// </summary>
    /// <returns>Null where all of it worked; else what stopped it, in the provider's words.</returns>
    string? TryUse(ClusterIdentity cluster, string keyUri, string authPrincipal);
}

/// <summary>Whose key use is tried.</summary>
/// <param name="ClusterId">The cluster's id.</param>
/// <param name="AccountId">The cluster's AWS account or Google Cloud project.</param>
/// <param name="OrganizationId">The external ID.</param>
internal sealed record ClusterIdentity(string ClusterId, string AccountId, string OrganizationId);
