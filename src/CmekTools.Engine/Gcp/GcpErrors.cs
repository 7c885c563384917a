using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Google;
using Google.Apis.Auth.OAuth2.Responses;
using Polly.Timeout;

namespace CmekTools.Engine.Gcp;

/// <summary>Turns the Google runtime's failures into CmekTools' own.</summary>
internal static partial class GcpErrors
{
    private const string LogIn = "Run gcloud auth application-default login, or mend the credentials that "
        + "GOOGLE_APPLICATION_CREDENTIALS names.";
    private const string Again = "Wait and run the command again: it goes on where it stopped.";

    /// <summary>May the same call work a little later?</summary>
    public static bool Heals(Exception e) => e switch
    {
        // Without a status, or with a good one, the answer could not be read.
        GoogleApiException { HttpStatusCode: var status } => (int)status is 0 or 200 or 429 or 500 or 502 or 503 or 504,
        HttpRequestException or TimeoutRejectedException or JsonException or IOException => true,
        _ => false,
    };

    /// <summary>Is it a failure of a call, and not of this program or a cancellation?</summary>
    public static bool IsOfCall(Exception e, CancellationToken cancellation) => e switch
    {
        GoogleApiException or HttpRequestException or TokenResponseException or TimeoutRejectedException or JsonException
            or IOException => true,
        OperationCanceledException => !cancellation.IsCancellationRequested,
        _ => false,
    };

    /// <summary>
    /// Is it the refusal that Google gives for what does not exist too: 403 "Permission '…' denied on resource (or it may not exist)"?
    /// (hashicorp/terraform-provider-google#3349, #11208; sethvargo/vault-on-gke#33)
    /// </summary>
    public static bool MayBeMissing(CmekServiceException e) =>
        e.StatusCode == 403 && e.Message.Contains("may not exist", StringComparison.OrdinalIgnoreCase)
            && e.ErrorId != "GoogleServiceDisabled";

    /// <summary>The exception for a failure that is final.</summary>
    public static CmekServiceException ToException(Exception failure, string service, string what, string resource) => failure switch
    {
        GoogleApiException api => FromAnswer(api, service, what, resource),
        TokenResponseException => new CmekServiceException(
            service,
            "GoogleCredentialsRejected",
            CmekErrorKind.AuthenticationError,
            $"{what}: Google gives no token for these credentials: {failure.Message}",
            0,
            null,
            null,
            LogIn,
            resource,
            failure),
        JsonException => new CmekServiceException(
            service,
            "GoogleAnswerInvalid",
            CmekErrorKind.InvalidData,
            $"{what}: the answer is not Google's JSON: {failure.Message}",
            0,
            null,
            null,
            "Something between here and Google may have changed the answer: check the proxy and the endpoint variables.",
            resource,
            failure),
        _ => new CmekServiceException(
            service,
            "GoogleUnreachable",
            CmekErrorKind.ConnectionError,
            $"{what}: {service} cannot be reached: {failure.Message}",
            0,
            null,
            null,
            "Check the network and the proxy, and run the command again: it goes on where it stopped.",
            resource,
            failure),
    };

    private static CmekServiceException FromAnswer(GoogleApiException api, string service, string what, string resource)
    {
        int code = (int)api.HttpStatusCode;
        Answer answer = Read(api);
        (string id, CmekErrorKind kind, string? todo) = (code, answer.Status) switch
        {
            (401, _) => ("GoogleCredentialsRejected", CmekErrorKind.AuthenticationError, LogIn),
            (403, _) when answer.Reason == "SERVICE_DISABLED" => (
                "GoogleServiceDisabled",
                CmekErrorKind.InvalidOperation,
                Enable(answer, resource)),
            (403, _) => (
                "AccessDenied",
                CmekErrorKind.PermissionDenied,
                $"Have {answer.Permission ?? "the permission that the message names"} on {resource} granted to whoever runs this; "
                    + "about_CmekTools_Security lists them all."),
            (404, _) => (
                "GoogleNotFound",
                CmekErrorKind.ObjectNotFound,
                "Check the project, location and name; gcloud kms keys list --keyring RING --location LOCATION shows what there is."),
            (409, "ABORTED") => (
                "PolicyRaceLost",
                CmekErrorKind.ResourceUnavailable,
                "Others were changing the same policy all the time. Run the command again."),
            (409, _) => ("GoogleConflict", CmekErrorKind.ResourceExists, "Run the command again: it looks at what is there now."),
            (429, _) => ("GoogleRateLimited", CmekErrorKind.LimitsExceeded, Again),
            ( >= 500, _) => ("GoogleUnavailable", CmekErrorKind.ResourceUnavailable, Again),
            (400, "FAILED_PRECONDITION") => (
                "GooglePrecondition",
                CmekErrorKind.InvalidOperation,
                "See the state with Get-CmekKey, mend what the message names, and run the command again."),
            ( >= 400, _) => (
                "GoogleRequestRefused",
                CmekErrorKind.InvalidArgument,
                "Google does not take what was sent: correct what the message names and run the command again."),
            ( >= 300, _) => (
                "GoogleAnswerInvalid",
                CmekErrorKind.InvalidData,
                "It is a redirect, which is not followed: a token goes only where it was meant to go. Check the proxy and "
                    + "the endpoint variables."),
            _ => (
                "GoogleAnswerInvalid",
                CmekErrorKind.InvalidData,
                "Something between here and Google may have changed the answer: check the proxy and the endpoint variables."),
        };
        return new CmekServiceException(
            service,
            id,
            kind,
            $"{what}: {answer.Message} ({service}, {code}{(answer.Status is null ? string.Empty : " " + answer.Status)})",
            code,
            answer.Status,
            answer.RequestId,
            todo,
            resource,
            api);
    }

    // The project that Google counts a call for is the resource's own only where the credentials say so: a user's without a quota
    // project count for the program that made them, whose project nobody can enable a service in.
    private static string Enable(Answer answer, string resource)
    {
        string service = answer.Service ?? "cloudkms.googleapis.com";
        string? consumer = answer.Consumer?.Split('/')[^1];
        string project = resource.StartsWith("projects/", StringComparison.Ordinal) ? resource.Split('/')[1] : "PROJECT";
        return consumer is null || consumer == project
            ? $"gcloud services enable {service}{(consumer is null ? string.Empty : " --project " + consumer)}; it "
                + "takes a minute to spread."
            : $"Google counts this call for the project {consumer}. Where that is the one that holds the keys: gcloud services enable "
                + $"{service} --project {consumer}; it takes a minute to spread. "
                + "Where it is another one, your credentials have no quota project: gcloud auth application-default "
                    + $"set-quota-project {project}";
    }

    // The runtime's own error type knows neither the status nor the details.
    private static Answer Read(GoogleApiException api)
    {
        try
        {
            JsonNode? error = api.Error?.ErrorResponseContent is { Length: > 0 } content ? JsonNode.Parse(content)?["error"] : null;
            if (error?["message"]?.ToString() is { Length: > 0 } message)
            {
                JsonObject[] details = [.. (error["details"] as JsonArray ?? []).OfType<JsonObject>()];
                JsonNode? info = details.FirstOrDefault(d => d["reason"] is not null);
                string? permission = info?["metadata"]?["permission"]?.ToString() ?? (
                    Permission().Match(message) is { Success: true } named ? named.Groups[1].Value : null);
                return new Answer(
                    error["status"]?.ToString(),
                    message,
                    info?["reason"]?.ToString(),
                    permission,
                    info?["metadata"]?["service"]?.ToString(),
                    info?["metadata"]?["consumer"]?.ToString(),
                    details.Select(d => d["requestId"]?.ToString()).FirstOrDefault(r => r is not null));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not Google's JSON: the runtime's own words have to do.
        }

        return new Answer(null, api.Error?.Message is { Length: > 0 } said ? said : api.Message, null, null, null, null, null);
    }

    private sealed record Answer(
        string? Status,
        string Message,
        string? Reason,
        string? Permission,
        string? Service,
        string? Consumer,
        string? RequestId);

    [GeneratedRegex("""Permission ['"]?([a-zA-Z]+\.[a-zA-Z]+\.[a-zA-Z]+)""")]
    private static partial Regex Permission();
}
