using System.Management.Automation;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security;
using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Module.Commands;

/// <summary>Connects this runspace to CockroachDB Cloud, or to a sandbox.</summary>
[Cmdlet(VerbsCommunications.Connect, "CmekCloud", DefaultParameterSetName = CloudSet)]
[OutputType(typeof(CmekSession))]
public sealed class ConnectCmekCloudCommand : PipelineCommand
{
    private const string CloudSet = "Cloud";
    private const string SandboxSet = "Sandbox";

    /// <summary>The secret key of a service account; COCKROACH_API_KEY where not given.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [ValidateNotNull]
    public SecureString? ApiKey { get; set; }

    /// <summary>The Cloud API's address; COCKROACH_SERVER or https://cockroachlabs.cloud where not given.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [ValidateNotNull]
    public Uri? Server { get; set; }

    /// <summary>The AWS profile; the SDK's own chain where not given.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(AwsProfileCompleter))]
    public string? ProfileName { get; set; }

    /// <summary>The Google Cloud project that holds the keys; each command's <c>-Project</c> overrides it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Project { get; set; }

    /// <summary>The sandbox, from Start-CmekSandbox.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SandboxSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekSandbox? Sandbox { get; set; }

    /// <summary>Where journal and receipts are kept; CMEKTOOLS_STATE or the platform's state folder where not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? StateFolder { get; set; }

    /// <summary>
    /// The state that is shared with other people and machines: a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; CMEKTOOLS_SHARED
    /// where not given, and none for a sandbox.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? SharedState { get; set; }

    /// <summary>
    /// The KMS key that receipts and inventory are sealed by, so that machines trust each other's: the ARN of an HMAC_256 key, or a
    /// version of a Cloud KMS key with the purpose MAC. CMEKTOOLS_SEAL_KEY where not given, and none for a sandbox.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? SealKey { get; set; }

    /// <summary>Cloud API requests a second; the service's own limit (10 a user) where not given, 0 for none.</summary>
    [Parameter]
    [ValidateRange(0, 10000)]
    public int RequestsPerSecond { get; set; }

    /// <summary>A second place for each line of the journal: a file, or SystemLog for the machine's own log.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? JournalSink { get; set; }

    internal override async Task ProcessAsync()
    {
        // Also where it then fails: no command takes another way instead.
        Sessions.Chosen();
        if (ProfileName is not null)
        {
            // Not in the middle of the first change.
            RequireProfile(ProfileName);
        }

        ConnectOptions options = Sandbox is null ? CloudOptions() : SandboxOptions(Sandbox);
        if (MyInvocation.BoundParameters.ContainsKey(nameof(RequestsPerSecond)))
        {
            options = options with { RequestsPerSecond = RequestsPerSecond };
        }

        options = options with
        {
            SharedState = await SharedAsync().ConfigureAwait(false),
            SealKey = SealKey ?? (Sandbox is null ? options.SealKey : null),
        };
        if (StateFolder is not null && !SharedAddress.IsUri(StateFolder))
        {
            string folder = string.Empty;
            await Pipeline.OnPipelineAsync(
                () => folder = SessionState.Path.GetUnresolvedProviderPathFromPSPath(StateFolder)).ConfigureAwait(false);
            options = options with { StateFolder = folder };
        }

        if (JournalSink is not null)
        {
            string sink = JournalSink;
            if (!string.Equals(sink, Engine.State.JournalSink.SystemLog, StringComparison.OrdinalIgnoreCase))
            {
                await Pipeline.OnPipelineAsync(
                    () => sink = SessionState.Path.GetUnresolvedProviderPathFromPSPath(JournalSink)).ConfigureAwait(false);
            }

            options = options with { JournalSink = sink };
        }

        await Pipeline.OutputAsync(
            await Connections.OpenAsync(this, options, Sandbox is not null).ConfigureAwait(false)).ConfigureAwait(false);
    }

    // On its own, so that no AWS assembly is loaded where no profile is named.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RequireProfile(string name) => Engine.Aws.AwsClients.RequireProfile(name);

    // What is played in a sandbox goes to a shared state only where that is said.
    private async Task<string?> SharedAsync()
    {
        string? given = SharedState ?? (StateFolder is not null && SharedAddress.IsUri(StateFolder) ? StateFolder : null);
        if (given is null || SharedAddress.IsUri(given))
        {
            return given ?? (Sandbox is null ? SharedAddress.OfEnvironment() : null);
        }

        string folder = string.Empty;
        await Pipeline.OnPipelineAsync(() => folder = SessionState.Path.GetUnresolvedProviderPathFromPSPath(given)).ConfigureAwait(false);
        return folder;
    }

    private ConnectOptions CloudOptions()
    {
        ConnectOptions known = Connections.OfEnvironment();
        return known with
        {
            Server = Server ?? known.Server,
            ApiKey = ApiKey is null ? known.ApiKey : new NetworkCredential(string.Empty, ApiKey).Password,
            Providers = new ProviderOptions { AwsProfileName = ProfileName, GoogleProject = Project },
        };
    }

    // Its token is made anew for each sandbox, and is known wherever the sandbox is.
    private static string InstanceOf(CmekSandbox sandbox)
    {
        string known = sandbox.Environment.TryGetValue("GOOGLE_SANDBOX_ACCESS_TOKEN", out string? token)
            ? token
            : sandbox.BaseAddress.ToString();
        return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(known)))[..12];
    }

    private ConnectOptions SandboxOptions(CmekSandbox sandbox)
    {
        string? Value(string name) => sandbox.Environment.TryGetValue(name, out string? value) ? value : null;
        return new ConnectOptions
        {
            Server = sandbox.BaseAddress,
            ApiKey = Value("COCKROACH_API_KEY") ?? string.Empty,
            Timings = Timings.Sandbox,
            IsSandbox = true,
            RequestsPerSecond = Connections.Limit(Value(Connections.LimitVariable)),
            // What is played in a sandbox belongs neither into the record of the real clusters nor into another sandbox's, which has
            // the same ids.
            StateFolder = Path.Combine(Engine.State.JournalWriter.DefaultFolder(), "sandbox", InstanceOf(sandbox)),
            Providers = new ProviderOptions
            {
                AwsEndpoint = sandbox.BaseAddress,
                AwsCredentials = Value("AWS_ACCESS_KEY_ID") is { } id ? (id, Value("AWS_SECRET_ACCESS_KEY") ?? string.Empty) : null,
                GoogleKmsEndpoint = sandbox.BaseAddress,
                GoogleIamEndpoint = sandbox.BaseAddress,
                GoogleStorageEndpoint = sandbox.BaseAddress,
                GoogleAccessToken = Value("GOOGLE_SANDBOX_ACCESS_TOKEN"),
                GoogleProject = Project ?? Value("GOOGLE_CLOUD_PROJECT"),
            },
        };
    }
}
