namespace CmekTools.Sandbox.CloudApi;

/// <summary>Tries keys as a cluster, and says what the service says where it cannot.</summary>
internal sealed class KeyAccess(IReadOnlyList<IClusterKeyService> keyServices, Func<SandboxOptions> options)
{
    /// <summary>
    /// Null where the cluster can use the key; else the service's message. A type that no service of the sandbox plays (Azure's) is
    /// taken on trust.
    /// </summary>
    public string? Refusal(CloudCluster cluster, KeySpec key)
    {
        IClusterKeyService? service = keyServices.FirstOrDefault(s => s.KeyType == key.Type);
        string? reason = service?.TryUse(
            new ClusterIdentity(cluster.Id, cluster.AccountId, options().OrganizationId),
            key.Uri,
            key.Principal);
        return reason is null ? null : $"Insufficient permissions to access the KMS key {key.Uri}: {reason}";
    }

    /// <summary>Passes where the cluster can use the key.</summary>
    /// <exception cref="CloudApiFault">It cannot.</exception>
    public void Require(CloudCluster cluster, string region, KeySpec key)
    {
        if (Refusal(cluster, key) is { } refusal)
        {
            throw CloudApiFault.Invalid($"region {region}: {refusal}");
        }
    }
}
