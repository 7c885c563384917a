using System.Globalization;
using CmekTools.Engine;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Pacing;
using CmekTools.Engine.State.Shared;

namespace CmekTools.Module;

/// <summary>Makes connections: what the environment says, and what comes of it.</summary>
internal static class Connections
{
    /// <summary>The variable with the Cloud API's requests a second.</summary>
    public const string LimitVariable = "CMEKTOOLS_REQUESTS_PER_SECOND";

    /// <summary>The variable with the KMS key that seals come from.</summary>
    public const string SealKeyVariable = "CMEKTOOLS_SEAL_KEY";

    /// <summary>What the environment says of a connection.</summary>
    public static ConnectOptions OfEnvironment()
    {
        string? server = Environment.GetEnvironmentVariable("COCKROACH_SERVER");
        Uri address = ConnectOptions.PublicServer;
        if (!string.IsNullOrWhiteSpace(server) && !Uri.TryCreate(server, UriKind.RelativeOrAbsolute, out address!))
        {
            address = new Uri(Uri.EscapeDataString(server), UriKind.Relative);
        }

        return new ConnectOptions
        {
            Server = address,
            ApiKey = Environment.GetEnvironmentVariable("COCKROACH_API_KEY") ?? string.Empty,
            RequestsPerSecond = Limit(Environment.GetEnvironmentVariable(LimitVariable)),
            SharedState = SharedAddress.OfEnvironment(),
            SealKey = Environment.GetEnvironmentVariable(SealKeyVariable) is { } key && !string.IsNullOrWhiteSpace(key) ? key.Trim() : null,
        };
    }

    /// <summary>The requests a second that a text says; the service's own limit where it says none.</summary>
    public static int Limit(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int limit) ? limit : Pacers.CloudRequestsPerSecond;

    /// <summary>Connects, and makes the connection the runspace's.</summary>
    public static async Task<CmekSession> OpenAsync(PipelineCommand command, ConnectOptions options, bool sandbox)
    {
        SessionContext context = await Connecting.ConnectAsync(options, command.Cancellation).ConfigureAwait(false);
        if (context.Offline is { } offline)
        {
            DateTimeOffset seen = context.Inventory.List() is [var newest, ..] ? newest.SeenAt : default;
            await command.Pipeline.WarningAsync(
                $"The service does not answer as it should: {offline.Message} This is an offline session for "
                    + $"{context.Organization.Name}, by what was last seen "
                + $"{context.Inventory.Age(seen)}: Revoke-CmekAccess cuts by it; everything else fails "
                + "with the service's error. Connect again when it answers.").ConfigureAwait(false);
        }

        if (options.SharedState is { } folder && !SharedAddress.IsUri(folder) && !Directory.Exists(folder))
        {
            // A drive that is not mounted is no reason to be without a connection.
            await command.Pipeline.WarningAsync(
                $"The folder of the shared state, {folder}, is not there: nothing is shared until it is. It is not made here, for where a "
                    + "drive is not mounted it would be shared with nobody.").ConfigureAwait(false);
        }

        if (context.NoSealKey is { } why)
        {
            await command.Pipeline.WarningAsync(
                $"The seal key {options.SealKey} gave no secret: {why} What this session writes is sealed with this user's own secret, "
                    + "and what others sealed by that key is not taken for proven. Mend it and connect again.").ConfigureAwait(false);
        }

        CmekSession session = new()
        {
            Server = options.Server,
            Organization = context.Organization,
            IsSandbox = sandbox,
            IsOffline = context.Offline is not null,
            SharedState = context.Shared?.Address,
            SealKey = context.SealKey,
            Project = () => options.Providers.ProjectNow,
            ConnectedAt = DateTimeOffset.UtcNow,
            Identity = context.Who.Of,
            Context = context,
        };
        await command.Pipeline.OnPipelineAsync(() => Sessions.Set(session)).ConfigureAwait(false);
        return session;
    }
}
