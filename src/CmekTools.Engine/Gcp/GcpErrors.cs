using System.Text.Json;
using System.Text.Json.Nodes;
using Google;
using Google.Apis.Auth.OAuth2.Responses;

namespace CmekTools.Engine.Gcp;

/// <summary>Turns the Google runtime's failures into CmekTools' own.</summary>
internal static class GcpErrors
{
    /// <summary>May the same call work a little later?</summary>
    public static bool Heals(Exception e) => e switch
    {
        GoogleApiException { HttpStatusCode: var status } => (int)status is 429 or 500 or 502 or 503 or 504,
        HttpRequestException => true,
        _ => false,
    };

    /// <summary>The exception for a failure that is final.</summary>
    public static CmekServiceException ToException(Exception failure, string service, string what, string resource)
    {
        if (failure is not GoogleApiException api)
        {
            return failure is TokenResponseException
                ? new CmekServiceException(service, "GoogleCredentialsRejected", CmekErrorKind.AuthenticationError, $"{what}: Google does not give a token for these credentials: {failure.Message}", 0, null, null, "Run gcloud auth application-default login, or mend the credentials that GOOGLE_APPLICATION_CREDENTIALS names.", resource, failure)
                : new CmekServiceException(service, "GoogleUnreachable", CmekErrorKind.ConnectionError, $"{what}: {service} cannot be reached: {failure.Message}", 0, null, null, "Check the network and the proxy, and run the command again: it goes on where it stopped.", resource, failure);
        }

        int code = (int)api.HttpStatusCode;
        (string? status, string message) = Read(api);
        (string id, CmekErrorKind kind, string? todo) = (code, status) switch
        {
            (401, _) => ("GoogleCredentialsRejected", CmekErrorKind.AuthenticationError, "Run gcloud auth application-default login, or mend the credentials that GOOGLE_APPLICATION_CREDENTIALS names."),
            (403, _) => ("AccessDenied", CmekErrorKind.PermissionDenied, "Have the permission that the message names granted to whoever runs this; about_CmekTools_Security lists them all."),
            (404, _) => ("GoogleNotFound", CmekErrorKind.ObjectNotFound, "Check the project, location and name; gcloud kms keys list --keyring RING --location LOCATION shows what there is."),
            (409, "ABORTED") => ("PolicyRaceLost", CmekErrorKind.ResourceUnavailable, "Others were changing the same policy all the time. Run the command again."),
            (409, _) => ("GoogleConflict", CmekErrorKind.ResourceExists, null),
            (429, _) => ("GoogleRateLimited", CmekErrorKind.LimitsExceeded, "Wait a moment and run the command again: it goes on where it stopped."),
            (>= 500, _) => ("GoogleUnavailable", CmekErrorKind.ResourceUnavailable, "Wait and run the command again: it goes on where it stopped."),
            (0, _) => ("GoogleAnswerInvalid", CmekErrorKind.InvalidData, "Something between here and Google may have changed the answer."),
            (400, "FAILED_PRECONDITION") => ("GooglePrecondition", CmekErrorKind.InvalidOperation, null),
            _ => ("GoogleRequestRefused", CmekErrorKind.InvalidArgument, null),
        };
        return new CmekServiceException(service, id, kind, $"{what}: {message} ({service}, {code}{(status is null ? string.Empty : " " + status)})", code, status, null, todo, resource, api);
    }

    private static (string? Status, string Message) Read(GoogleApiException api)
    {
        try
        {
            JsonNode? error = api.Error?.ErrorResponseContent is { Length: > 0 } content ? JsonNode.Parse(content)?["error"] : null;
            if (error?["message"]?.ToString() is { Length: > 0 } message)
            {
                return (error["status"]?.ToString(), message);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not Google's JSON: the runtime's own words have to do.
        }

        return (null, api.Error?.Message is { Length: > 0 } said ? said : api.Message);
    }
}
