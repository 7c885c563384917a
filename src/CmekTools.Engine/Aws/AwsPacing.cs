using Amazon.Runtime;
using Amazon.Runtime.Internal;
using CmekTools.Engine.Pacing;

namespace CmekTools.Engine.Aws;

/// <summary>
/// Stands inside the SDK's retries: lets each try through in its call's turn, by the quota that AWS publishes for the call in an account
/// and region, and tells of it.
/// </summary>
/// <param name="owner">Whose quota it is: the account, or what the credentials are called while it is not known.</param>
/// <param name="pacesLoopback">A service on loopback has quotas too.</param>
internal sealed class AwsPacing(Func<string> owner, bool pacesLoopback) : PipelineHandler
{
    // IAM says nothing of its pace, only that there is one. It refuses nobody who does this much; a refusal makes it less.
    private const int RoleReads = 20;
    private const int RoleWrites = 5;

    // Requests a second by call, as the KMS developer guide lists them; what is not here has hundreds or more.
    private static readonly Dictionary<string, int> s_quotas = new(StringComparer.Ordinal)
    {
        ["CancelKeyDeletion"] = 5,
        ["CreateAlias"] = 5,
        ["CreateGrant"] = 50,
        ["CreateKey"] = 5,
        ["DeleteAlias"] = 15,
        ["DisableKey"] = 5,
        ["EnableKey"] = 5,
        ["EnableKeyRotation"] = 15,
        ["ListGrants"] = 100,
        ["ListKeyRotations"] = 100,
        ["PutKeyPolicy"] = 15,
        ["ReplicateKey"] = 5,
        ["RevokeGrant"] = 30,
        ["RotateKeyOnDemand"] = 5,
        ["ScheduleKeyDeletion"] = 15,
        ["TagResource"] = 10,
        ["UpdateAlias"] = 5,
    };

    /// <summary>The quota of a KMS call, requests a second; null where it is so large that it need not be kept.</summary>
    public static int? Quota(string call) => s_quotas.TryGetValue(call, out int quota) ? quota : null;

    private static (string Name, int Permits)? QuotaOf(IRequestContext request, string call) => request.OriginalRequest switch
    {
        IamQuery => call.StartsWith("Get", StringComparison.Ordinal)
            || call.StartsWith("List", StringComparison.Ordinal)
            || call.StartsWith("Simulate", StringComparison.Ordinal)
                ? ("reads", RoleReads)
                : ("writes", RoleWrites),
        _ => Quota(call) is { } permits ? (call, permits) : null,
    };

    /// <inheritdoc/>
    public override async Task<T> InvokeAsync<T>(IExecutionContext executionContext)
    {
        IRequestContext request = executionContext.RequestContext;
        IClientConfig config = request.ClientConfig;
        string name = request.RequestName;
        string call = request.OriginalRequest is IamQuery query
            ? query.Action
            : name.EndsWith("Request", StringComparison.Ordinal) ? name[..^"Request".Length] : name;
        string place = config.AuthenticationRegion ?? config.RegionEndpoint?.SystemName ?? "?";
        using PacedCall? turn = (IsOnLoopback(config) && !pacesLoopback) || QuotaOf(request, call) is not { } quota
            ? null
            : await Pacers.Provider($"{config.ServiceURL}{config.ServiceId} {place} {owner()}", quota.Name, quota.Permits)
                .EnterAsync(request.CancellationToken).ConfigureAwait(false);
        return await PacedRequest.SendAsync(
            $"{config.ServiceId} {call} {place}",
            request.Request?.HttpMethod ?? "POST",
            () => AddressOf(request.Request),
            turn,
            () => base.InvokeAsync<T>(executionContext),
            Refusal).ConfigureAwait(false);
    }

    private static RefusedRequest? Refusal(Exception failure) => failure is AmazonServiceException e
        ? new RefusedRequest(
            e.ErrorCode ?? $"{(int)e.StatusCode}",
            (int)e.StatusCode,
            e.ErrorCode?.Contains("Throttl", StringComparison.OrdinalIgnoreCase) == true || (int)e.StatusCode == 429)
        : null;

    // The endpoint with the resource's path, where there is one: KMS and IAM have all their calls at one.
    private static Uri? AddressOf(IRequest? request) => request?.Endpoint is not { } endpoint ? null
        : request.ResourcePath is { Length: > 1 } path && !path.Contains('{', StringComparison.Ordinal)
            && Uri.TryCreate(endpoint, path.TrimStart('/'), out Uri? whole) ? whole
        : endpoint;

    private static bool IsOnLoopback(IClientConfig config) =>
        Uri.TryCreate(config.ServiceURL, UriKind.Absolute, out Uri? url) && url.IsLoopback;
}
