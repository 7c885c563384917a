using CmekTools.Sandbox;

namespace CmekTools.Tests.Kit;

/// <summary>A sandbox, a session of the real engine connected to it, and a state folder of their own.</summary>
internal sealed class SandboxShell : IAsyncDisposable
{
    private readonly bool _ownsServer;
    private readonly bool _ownsShell;

    private SandboxShell(SandboxServer server, bool ownsServer, PowerShellSession shell, bool ownsShell, string stateFolder)
    {
        _ownsServer = ownsServer;
        _ownsShell = ownsShell;
        Server = server;
        Shell = shell;
        StateFolder = stateFolder;
    }

    /// <summary>The sandbox.</summary>
    public SandboxServer Server { get; }

    /// <summary>The session.</summary>
    public PowerShellSession Shell { get; }

    /// <summary>Where journal and receipts are kept.</summary>
    public string StateFolder { get; }

    /// <summary>The requests that would have changed something, refused ones included.</summary>
    public IReadOnlyList<SandboxExchange> Writes => [.. Server.Exchanges.Where(e => e.Request.IsWrite)];

    /// <summary>Fast times; a test that is about waiting gives its own.</summary>
    public static SandboxOptions Fast { get; } = new() { StateTime = TimeSpan.FromMilliseconds(150), RateLimit = 0 };

    /// <summary>An AWS cluster in two regions.</summary>
    public static SandboxOptions Aws { get; } = Fast with { Clusters =
    [
        new SandboxClusterOptions("shop", "AWS", ["us-east-1", "us-west-2"]),
    ] };

    /// <summary>A Google Cloud cluster in two regions.</summary>
    public static SandboxOptions Gcp { get; } = Fast with { Clusters =
    [
        new SandboxClusterOptions("ledger", "GCP", ["us-central1", "us-east1"]),
    ] };

    /// <summary>Starts a sandbox, opens a session (where none is lent) and connects it.</summary>
    public static async Task<SandboxShell> StartAsync(
        SandboxOptions? options = null,
        SandboxServer? server = null,
        string? stateFolder = null,
        PowerShellSession? session = null)
    {
        bool owns = server is null;
        server ??= SandboxServer.Start(options ?? Fast);
        string state = stateFolder ?? Path.Combine(Path.GetTempPath(), "cmektools-test-" + Guid.NewGuid().ToString("N"));
        SandboxShell shell = new(server, owns, session ?? await PowerShellSession.OpenAsync(), session is null, state);
        (await shell.RunAsync("param($Sandbox, $State) $null = Connect-CmekCloud -Sandbox $Sandbox -StateFolder $State", new
        {
            Sandbox = new CmekSandbox { BaseAddress = server.BaseAddress, Environment = server.Environment },
            State = state,
        })).Expect();
        server.ClearExchanges();
        return shell;
    }

    /// <summary>Runs a script.</summary>
    public Task<PowerShellResult> RunAsync(string script, object? parameters = null) => Shell.InvokeAsync(script, parameters);

    /// <summary>Takes every cluster from nothing to ENABLED.</summary>
    public async Task EnableAllAsync()
    {
        (await RunAsync("Get-CmekCluster | New-CmekKey -EnableRotation | Grant-CmekAccess | Enable-CmekCluster -Wait")).Expect();
        Server.ClearExchanges();
    }

    public async ValueTask DisposeAsync()
    {
        if (_ownsShell)
        {
            await Shell.DisposeAsync();
        }

        if (_ownsServer)
        {
            await Server.DisposeAsync();
        }

        // A command that was stopped may still be writing down what it has just done.
        for (int attempt = 1; Directory.Exists(StateFolder); attempt++)
        {
            try
            {
                Directory.Delete(StateFolder, recursive: true);
            }
            catch (IOException) when (attempt < 50)
            {
                await Task.Delay(20);
            }
        }
    }
}
