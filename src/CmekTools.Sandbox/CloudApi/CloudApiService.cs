namespace CmekTools.Sandbox.CloudApi;

/// <summary>CockroachDB Cloud's API.</summary>
internal sealed class CloudApiService(SandboxServer server, IReadOnlyList<IClusterKeyService> keyServices) : ISandboxService
{
    private readonly SandboxServer _server = server;
    private readonly IReadOnlyList<IClusterKeyService> _keyServices = keyServices;

    /// <inheritdoc/>
    public bool Claims(SandboxRequest request) => false;

    /// <inheritdoc/>
    public SandboxResponse Answer(SandboxRequest request) => throw new InvalidOperationException($"{_server.BaseAddress} {_keyServices.Count}");
}
