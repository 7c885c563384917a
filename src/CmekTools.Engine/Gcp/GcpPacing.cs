using System.Net;
using System.Text.Json.Nodes;
using CmekTools.Engine.Pacing;
using Google;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// Sends each try of a call in its turn and tells of it. Google's quotas are each project's own and change with its use, so the pace
/// begins at what every project has and gets slower where a project has less. A service on loopback has no quota.
/// </summary>
internal static class GcpPacing
{
    // Requests a second of one service. A refusal makes them fewer for a while.
    private const int Reads = 25;
    private const int Writes = 10;

    /// <summary>Sends one try.</summary>
    public static async Task<JsonObject> SendAsync(
        GoogleService service,
        GoogleRequest request,
        string what,
        CancellationToken cancellation)
    {
        bool reads = request.HttpMethod == "GET" || request.RestPath.EndsWith(":getIamPolicy", StringComparison.Ordinal)
            || request.RestPath.EndsWith(":troubleshoot", StringComparison.Ordinal);
        using PacedCall? turn = new Uri(service.BaseUri).IsLoopback
            ? null
            : await Pacers.Provider(
                service.BaseUri,
                reads ? "reads" : "writes",
                reads ? Reads : Writes).EnterAsync(cancellation).ConfigureAwait(false);
        return await PacedRequest.SendAsync(
            $"{service.Name} {request.HttpMethod} {request.ResourceName} ({what})",
            request.HttpMethod,
            () => request.CreateRequest().RequestUri,
            turn,
            () => request.ExecuteAsync(cancellation),
            Refusal).ConfigureAwait(false);
    }

    private static RefusedRequest? Refusal(Exception failure) => failure is GoogleApiException e
        ? new RefusedRequest($"{(int)e.HttpStatusCode}", (int)e.HttpStatusCode, e.HttpStatusCode == HttpStatusCode.TooManyRequests)
        : null;
}
