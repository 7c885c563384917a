using System.Net;
using System.Text.Json;

namespace CmekTools.Engine.CloudApi;

/// <summary>Tells the Cloud API's failures apart: what heals by waiting, and what the caller has to do about the rest.</summary>
internal static partial class CloudApiErrors
{
    public const string Service = "CockroachDB Cloud";

    // "locked", "lock", "deadlock" is another matter, and so is a CIDR block.
    [System.Text.RegularExpressions.GeneratedRegex(@"\b(un)?lock(s|ed|ing)?\b", System.Text.RegularExpressions.RegexOptions.IgnoreCase)]
    private static partial System.Text.RegularExpressions.Regex LockWord();

    /// <summary>An answer that is a failure, read once.</summary>
    public sealed record Failure(int Status, string? Code, string Message, bool HasRetryAfter, TimeSpan? RetryAfter, string? RequestId)
    {
        /// <summary>The limit of requests a second; the status code is documented to be inconsistent.</summary>
        public bool IsRateLimit => Status == 429 || (HasRetryAfter && Message.Contains("rate limit", StringComparison.OrdinalIgnoreCase));

        /// <summary>Something else is being done to the cluster.</summary>
        public bool IsLocked => Status is 400 or 409 or 503 && LockWord().IsMatch(Message);

        /// <summary>The service could not use the key.</summary>
        public bool IsKeyAccess =>
            Status is 400 or 403 && Message.Contains("permissions to access the KMS key", StringComparison.OrdinalIgnoreCase);

        /// <summary>True where the same request may succeed a little later.</summary>
        public bool Heals => IsRateLimit || IsLocked || HasRetryAfter || Status is 500 or 502 or 503 or 504;
    }

    /// <summary>Reads a failure; a body may be empty or something other than JSON.</summary>
    public static async Task<Failure> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        string text = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
        ErrorWire? error = null;
        try
        {
            error = JsonSerializer.Deserialize(text, WireJson.Default.ErrorWire);
        }
        catch (JsonException)
        {
            // A proxy's page, or nothing: the status has to speak for itself.
        }

        string message = error?.Message is { Length: > 0 } said
            ? said
            : $"HTTP {(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd();
        System.Net.Http.Headers.RetryConditionHeaderValue? after = response.Headers.RetryAfter;
        TimeSpan? wait = after?.Delta ?? (after?.Date is { } date ? date - DateTimeOffset.UtcNow : null);
        return new Failure(
            (int)response.StatusCode,
            error?.Code?.ToString(System.Globalization.CultureInfo.InvariantCulture),
            message,
            after is not null,
            wait > TimeSpan.Zero ? wait : null,
            RequestId(response));
    }

    /// <summary>The service's id of a request.</summary>
    public static string? RequestId(HttpResponseMessage response)
    {
        foreach (string name in (string[])["Cc-Trace-Id", "X-Request-Id", "Cf-Ray"])
        {
            if (response.Headers.TryGetValues(name, out IEnumerable<string>? values))
            {
                return values.FirstOrDefault();
            }
        }

        return null;
    }

    /// <summary>The exception for a failure that is final.</summary>
    public static CmekServiceException ToException(Failure failure, string what, object? target)
    {
        (string id, CmekErrorKind kind, string? todo) = failure switch
        {
            { Status: 401 } => (
                "CloudApiKeyRejected",
                CmekErrorKind.AuthenticationError,
                "Make an API key of a service account in the Cloud Console (Access Management), put its secret into COCKROACH_API_KEY "
                    + "or -ApiKey, and connect again."),
            { IsKeyAccess: true } => (
                "KeyAccessDenied",
                CmekErrorKind.PermissionDenied,
                "Run Test-CmekAccess for the cluster: it names what stops the cluster from using the key. Grant-CmekAccess mends it."),
            { Status: 403 } => (
                "CloudApiPermissionDenied",
                CmekErrorKind.PermissionDenied,
                "Give the API key's service account the role Cluster Admin or Cluster Operator on this cluster."),
            { IsRateLimit: true } => (
                "CloudApiRateLimited",
                CmekErrorKind.LimitsExceeded,
                "Other programs use this API key's 10 requests a second too. Wait a moment and run the command again: it "
                    + "goes on where it stopped."),
            { IsLocked: true } => (
                "ClusterBusy",
                CmekErrorKind.ResourceUnavailable,
                "Another operation is running on the cluster. Wait until Get-CmekCluster shows CREATED and no operation, "
                    + "and run the command again."),
            { Status: 404 } => ("CloudApiNotFound", CmekErrorKind.ObjectNotFound, "Get-CmekCluster lists what this API key can see."),
            { Status: 409 } => ("CloudApiConflict", CmekErrorKind.ResourceExists, null),
            { Status: >= 300 and < 400 } => (
                "CloudApiRedirected",
                CmekErrorKind.ConnectionError,
                "The API key is never sent after a redirect. Check -Server or COCKROACH_SERVER (the default is "
                    + "https://cockroachlabs.cloud)."),
            { Status: >= 500 } => (
                "CloudApiUnavailable",
                CmekErrorKind.ResourceUnavailable,
                "Wait and run the command again: it goes on where it stopped."),
            { Message: var m } when m.Contains("Cc-Version", StringComparison.OrdinalIgnoreCase) => (
                "CloudApiVersionRefused",
                CmekErrorKind.InvalidOperation,
                "The service no longer takes the API version that this CmekTools speaks. Update the module."),
            _ => (
                "CloudApiRequestRefused",
                CmekErrorKind.InvalidArgument,
                "Correct what the message names. Test-CmekAccess shows what stops CMEK on a cluster."),
        };
        string code = failure.Code is null ? $"{failure.Status}" : $"{failure.Status}, code {failure.Code}";
        return new CmekServiceException(
            Service,
            id,
            kind,
            $"{what}: {failure.Message} ({Service}, {code}{(failure.RequestId is null ? string.Empty : ", request " + failure.RequestId)})",
            failure.Status,
            failure.Code,
            failure.RequestId,
            todo,
            target);
    }

    /// <summary>The exception for a request that got no answer.</summary>
    public static CmekServiceException NoAnswer(Exception cause, Uri server, string what, object? target) => new(
        Service,
        cause is HttpRequestException ? "CloudApiUnreachable" : "CloudApiTimedOut",
        cause is HttpRequestException ? CmekErrorKind.ConnectionError : CmekErrorKind.OperationTimeout,
        cause is HttpRequestException
            ? $"{what}: {server} cannot be reached: {cause.Message}"
            : $"{what}: {server} did not answer in time.",
        0,
        null,
        null,
        "Check the network, the proxy and COCKROACH_SERVER, and run the command again: it goes on where it stopped.",
        target,
        cause);

    /// <summary>The exception for a 200 that cannot be understood.</summary>
    public static CmekServiceException Unreadable(
        string what,
        HttpStatusCode status,
        string? requestId,
        object? target,
        Exception? cause) => new(
        Service,
        "CloudApiAnswerInvalid",
        CmekErrorKind.InvalidData,
        $"{what}: the answer ({(int)status}) is not what the API's contract says{(cause is null ? "." : ": " + cause.Message)}",
        (int)status,
        null,
        requestId,
        "Something between here and the service may have changed the answer. Nothing is assumed about whether the request took effect: "
            + "look with Get-CmekStatus.",
        target,
        cause);
}
