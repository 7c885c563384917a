using CmekTools.Engine.Access;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.Pacing;
using CmekTools.Engine.State;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Engine.Lifecycle;

/// <summary>What a connection is made with.</summary>
internal sealed record ConnectOptions
{
    /// <summary>The default address.</summary>
    public static Uri PublicServer { get; } = new("https://cockroachlabs.cloud");

    /// <summary>The Cloud API's base address.</summary>
    public Uri Server { get; init; } = PublicServer;

    /// <summary>The secret key.</summary>
    public required string ApiKey { get; init; }

    /// <summary>The providers' side.</summary>
    public ProviderOptions Providers { get; init; } = new();

    /// <summary>Cloud API requests a second; 0 for no limit of our own.</summary>
    public int RequestsPerSecond { get; init; } = Pacers.CloudRequestsPerSecond;

    /// <summary>Pauses and limits.</summary>
    public Timings Timings { get; init; } = new();

    /// <summary>The folder of journal and receipts; null: the platform's.</summary>
    public string? StateFolder { get; init; }

    /// <summary>The state that is shared with others: a folder or a bucket's address; null: none.</summary>
    public string? SharedState { get; init; }

    /// <summary>The KMS key that seals come from (<see cref="SealKeys"/>); null: the user's own secret.</summary>
    public string? SealKey { get; init; }

    /// <summary>A second place for the journal's lines: a file, or <see cref="JournalSink.SystemLog"/>; null: none.</summary>
    public string? JournalSink { get; init; }

    /// <summary>True where the other side is a sandbox.</summary>
    public bool IsSandbox { get; init; }
}

/// <summary>Connects: checks the input, then that the key is accepted.</summary>
internal static class Connecting
{
    /// <summary>
    /// Makes a session after one request has shown that the key is good. Where the service does not answer as it should, and clusters
    /// were seen from here before, the session is an offline one: <see cref="SessionContext.Offline"/> says why.
    /// </summary>
    /// <exception cref="CmekException"><c>ApiKeyMissing</c>, <c>ServerInvalid</c>, <c>ServerInsecure</c>, or the service's
    /// answer.</exception>
    public static async Task<SessionContext> ConnectAsync(ConnectOptions options, CancellationToken cancellation)
    {
        Secrets.NoteEnvironment();
        Secrets.Note(options.ApiKey, options.Providers.AwsCredentials?.SecretAccessKey, options.Providers.GoogleAccessToken);
        Validate(options);
        Task<SealKeyAnswer>? seal = options.SealKey is { } sealKey
            ? SealKeys.AskAsync(sealKey, options.Providers, options.Timings, cancellation)
            : null;
        string key = options.ApiKey.Trim();
        JournalWriter journal = new(options.StateFolder ?? JournalWriter.DefaultFolder())
        {
            Sink = options.JournalSink is { } sink ? JournalSink.Create(sink) : null,
        };
        SharedState? shared = options.SharedState is { } address ? Share(SharedAddress.Parse(address), journal.Folder, options) : null;
        InventoryEntry? known = Known(journal.Folder, options.Server);
        Task<SharedOutcome>? look = shared?.SyncAsync();
        CloudApiClient cloud = new(
            options.Server,
            key,
            options.Timings,
            pacer: Pacers.Cloud(options.Server, key, options.RequestsPerSecond));
        CmekOrganization organization;
        CmekException? offline = null;
        try
        {
            organization = known is null
                ? await ShortPatience.AskAsync(
                    options.Server,
                    "Reading the organization",
                    options.Timings.CallLimit,
                    TimeProvider.System,
                    cloud.GetOrganizationAsync,
                    cancellation).ConfigureAwait(false)
                : await ShortPatience.AskAsync(
                    options.Server,
                    "Reading the organization",
                    options.Timings.ServicePatience,
                    TimeProvider.System,
                    cloud.GetOrganizationAsync,
                    cancellation).ConfigureAwait(false);
        }
        catch (CmekException e) when (known is not null)
        {
            cloud.Dispose();
            offline = Offline(e);
            cloud = new CloudApiClient(options.Server, key, options.Timings) { Closed = offline };
            organization = known.Organization;
        }
        catch (CmekException e) when (look is not null && e.IsSilence())
        {
            // A machine that has seen nothing yet may learn from the others what there is.
            await look.ConfigureAwait(false);
            cloud.Dispose();
            if (Known(journal.Folder, options.Server) is not { } seen)
            {
                shared!.Dispose();
                throw;
            }

            offline = Offline(e);
            cloud = new CloudApiClient(options.Server, key, options.Timings) { Closed = offline };
            organization = seen.Organization;
        }
        catch
        {
            shared?.Dispose();
            cloud.Dispose();
            throw;
        }

        SealKeyAnswer? answer = seal is null ? null : await seal.ConfigureAwait(false);
        Seal.Own.Use(answer?.Secret);
        return new SessionContext(cloud, organization, options.Providers, options.Timings, journal)
        {
            SealKey = answer?.Secret is null ? null : options.SealKey,
            NoSealKey = answer?.Why,
            Who = new Who { ApiKeyId = Who.KeyIdOf(key) },
            IsSandbox = options.IsSandbox,
            Offline = offline,
            Shared = shared,
        };
    }

    /// <summary>The state that is shared with others, for a session or for what needs none.</summary>
    public static SharedState Share(SharedAddress address, string stateFolder, ConnectOptions options) => new(
        SharedPlaces.Create(address, options.Providers, options.Timings),
        stateFolder,
        options.Timings.SharedLimit,
        options.Timings.LeaseTime,
        TimeProvider.System,
        mirror => [new InventoryShelf(stateFolder, mirror)]);

    /// <summary>What a command says that finds no connection.</summary>
    /// <param name="more">What else can be done.</param>
    /// <param name="why">Why the API key of the environment is not used; null where there is none.</param>
    public static CmekException NotConnected(string more, string? why = null) => new(
        "NotConnected",
        CmekErrorKind.ConnectionError,
        $"There is no connection to CockroachDB Cloud in this runspace.{(why is null ? string.Empty : " " + why)}",
        $"{(why is null ? "Set COCKROACH_API_KEY and run" : "Run")} Connect-CmekCloud, or give -Session. {more}");

    /// <summary>
    /// A session without any connection, for keys that are given by hand and clusters that were seen here before. It is of the
    /// organization that this user's inventory is of, where that is of one alone.
    /// </summary>
    /// <param name="why">Why there is none; null: nobody has connected.</param>
    public static SessionContext Unconnected(CmekException? why = null)
    {
        why ??= NotConnected(
            "Without one: Revoke-CmekAccess NAME cuts a cluster that was seen here before; Revoke-CmekAccess -KeyUri URI -AuthPrincipal "
                + "WHO, or -ManifestPath FILE, cuts keys that are given by hand; Get-CmekKey -Discover | Revoke-CmekAccess finds them by "
                + "their tags and labels.");
        string folder = JournalWriter.DefaultFolder();
        InventoryEntry[] seen = [.. new Inventory(folder, TimeProvider.System).List().Where(e => e.Proven)];
        InventoryEntry? one = seen.DistinctBy(e => (e.Organization.Id, e.Server)).Count() == 1 ? seen[0] : null;
        Uri server = Uri.TryCreate(one?.Server, UriKind.Absolute, out Uri? known) ? known : ConnectOptions.PublicServer;
        CloudApiClient cloud = new(server, "none", new Timings()) { Closed = why };
        return new SessionContext(
            cloud,
            one?.Organization ?? new CmekOrganization { Id = string.Empty, Name = "unknown" },
            new ProviderOptions(),
            new Timings(),
            new JournalWriter(folder)) { Offline = why };
    }

    private static InventoryEntry? Known(string stateFolder, Uri server) =>
        new Inventory(stateFolder, TimeProvider.System).List().FirstOrDefault(e => e.Server == server.GetLeftPart(UriPartial.Authority));

    // What an offline session says from now on: nothing is sent by it, so that the same command again would say the same.
    private static CmekException Offline(CmekException e) => new(
        e.ErrorId,
        e.Kind,
        e.Message,
        "This session is offline since it was made, and asks the service for nothing: run Connect-CmekCloud again when the service "
            + $"answers, and then this command.{(e.IsSilence() ? string.Empty : " " + e.RecommendedAction)}",
        e.Target,
        e);

    // A key that is refused is no silence.
    private static void Validate(ConnectOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.ApiKey) || options.ApiKey.Trim().Any(c => c is < '!' or > '~'))
        {
            throw new CmekException(
                "ApiKeyMissing",
                CmekErrorKind.AuthenticationError,
                string.IsNullOrWhiteSpace(options.ApiKey) ? "The API key is empty." : "The API key holds characters that no API key has.",
                "Put the secret key of a service account into COCKROACH_API_KEY, or give -ApiKey (Read-Host -AsSecureString).");
        }

        if (options.SealKey is { } sealKey)
        {
            SealKeys.Require(sealKey);
        }

        if (!options.Server.IsAbsoluteUri || options.Server.Scheme is not ("https" or "http") || options.Server.UserInfo.Length > 0)
        {
            throw new CmekException(
                "ServerInvalid",
                CmekErrorKind.InvalidArgument,
                $"'{options.Server.OriginalString}' is not the address of a Cloud API.",
                "Give an https:// address, or leave -Server and COCKROACH_SERVER away for https://cockroachlabs.cloud.",
                options.Server);
        }

        if (options.Server.Scheme == "http" && !options.Server.IsLoopback)
        {
            throw new CmekException(
                "ServerInsecure",
                CmekErrorKind.InvalidArgument,
                $"{options.Server} would carry the API key in the clear; http:// is only for loopback.",
                "Give the https:// address.",
                options.Server);
        }
    }
}
