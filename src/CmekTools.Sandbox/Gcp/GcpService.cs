namespace CmekTools.Sandbox.Gcp;

/// <summary>The customer's cloud.</summary>
internal sealed class GcpService(SandboxServer server) : ISandboxService, IClusterKeyService
{
    private readonly SandboxServer _server = server;

    /// <inheritdoc/>
    public string KeyType => "GCP_CLOUD_KMS";

    /// <inheritdoc/>
    public bool Claims(SandboxRequest request) => false;

    /// <inheritdoc/>
    public SandboxResponse Answer(SandboxRequest request) => throw new InvalidOperationException(_server.BaseAddress.ToString());

    /// <inheritdoc/>
    public string? TryUse(ClusterIdentity cluster, string keyUri, string authPrincipal) => "not there yet";
}
