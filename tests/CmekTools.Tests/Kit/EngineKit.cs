using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using Xunit;

namespace CmekTools.Tests.Kit;

/// <summary>An engine session for tests below the cmdlets, with its own state folder that goes away with it.</summary>
internal sealed class EngineKit : IDisposable
{
    /// <summary>The organization that a kit without a sandbox has.</summary>
    public const string OrganizationId = "3b1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";

    private readonly string _folder;

    private EngineKit(
        Uri server,
        string apiKey,
        string organizationId,
        ProviderOptions providers,
        Timings timings,
        JournalWriter? journal = null,
        TimeProvider? time = null,
        CmekException? offline = null)
    {
        _folder = Path.Combine(Path.GetTempPath(), "cmektools-test-" + Guid.NewGuid().ToString("N")[..12]);
        CmekOrganization organization = new() { Id = organizationId, Name = "Example" };
        Session = new SessionContext(
            new CloudApiClient(server, apiKey, timings) { Closed = offline },
            organization,
            providers,
            timings,
            journal ?? new JournalWriter(_folder),
            time) { Offline = offline };
    }

    /// <summary>The session.</summary>
    public SessionContext Session { get; }

    /// <summary>A session whose Cloud API is not there: for what only talks to a provider.</summary>
    public static EngineKit Create(
        ProviderOptions? providers = null, Timings? timings = null, JournalWriter? journal = null, TimeProvider? time = null) =>
        new(
            new Uri("http://127.0.0.1:9/"),
            "unused",
            OrganizationId,
            providers ?? new ProviderOptions(),
            timings ?? Timings.Sandbox,
            journal,
            time);

    /// <summary>A session with a sandbox, Cloud API and providers; the credentials are those that the sandbox hands out.</summary>
    public static EngineKit Create(SandboxServer server, Timings? timings = null, TimeProvider? time = null)
    {
        IReadOnlyDictionary<string, string> env = server.Environment;
        ProviderOptions providers = new()
        {
            AwsEndpoint = server.BaseAddress,
            AwsCredentials = env.TryGetValue("AWS_ACCESS_KEY_ID", out string? id) ? (id, env["AWS_SECRET_ACCESS_KEY"]) : null,
            GoogleKmsEndpoint = server.BaseAddress,
            GoogleIamEndpoint = server.BaseAddress,
            GoogleAccessToken = env.GetValueOrDefault("GOOGLE_SANDBOX_ACCESS_TOKEN"),
            GoogleProject = server.Options.GoogleProject,
        };
        return new EngineKit(
            server.BaseAddress,
            server.Options.ApiKey,
            server.Options.OrganizationId,
            providers,
            timings ?? Timings.Sandbox,
            time: time);
    }

    /// <summary>A session without a Cloud API and with a sandbox's providers, as a command without any connection has.</summary>
    public static EngineKit Unconnected(
        SandboxServer server,
        string stateFolder,
        Func<ProviderOptions, ProviderOptions>? change = null)
    {
        using EngineKit connected = Create(server);
        return new EngineKit(
            new Uri("http://127.0.0.1:9/"),
            "none",
            string.Empty,
            change?.Invoke(connected.Session.ProviderOptions) ?? connected.Session.ProviderOptions,
            Timings.Sandbox,
            new JournalWriter(stateFolder),
            offline: CmekTools.Engine.Lifecycle.Connecting.NotConnected(string.Empty));
    }

    /// <summary>A run of a command in this session, which ends with the test.</summary>
    public Operation Run(TestOperationHost host, string command = "Test") =>
        new(command, Session, host, TestContext.Current.CancellationToken);

    /// <summary>A run that the test itself ends.</summary>
    public Operation RunUntil(TestOperationHost host, CancellationToken cancellation) => new("Test", Session, host, cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        Session.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}
