using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>An answer that is a failure, in Google's form.</summary>
internal sealed class GcpErrorException(int code, string status, string message) : Exception(message)
{
    // What ErrorInfo says beyond the message, for example which permission was missing.
    private Dictionary<string, string> Details { get; init; } = [];

    public static GcpErrorException Invalid(string message) => new(400, "INVALID_ARGUMENT", message);

    public static GcpErrorException Precondition(string message) => new(400, "FAILED_PRECONDITION", message);

    public static GcpErrorException NotFound(string what) => Missing($"{what} not found.");

    public static GcpErrorException Missing(string message) => new(404, "NOT_FOUND", message);

    public static GcpErrorException Exists(string what) => new(409, "ALREADY_EXISTS", $"{what} already exists.");

    public static GcpErrorException Denied(string permission, string resource) =>
        new(403, "PERMISSION_DENIED", $"Permission '{permission}' denied on resource '{resource}' (or it may not exist).")
        {
            Details = new Dictionary<string, string> { ["permission"] = permission, ["resource"] = resource },
        };

    public static GcpErrorException DeniedOrMissing(string permission) =>
        new(403, "PERMISSION_DENIED", $"Permission '{permission}' denied on resource (or it may not exist).")
        {
            Details = new Dictionary<string, string> { ["permission"] = permission },
        };

    public static GcpErrorException QuotaExceeded(string metric) =>
        new(
            429,
            "RESOURCE_EXHAUSTED",
            $"Quota exceeded for quota metric '{metric}' and limit '{metric} per minute' of service 'cloudkms.googleapis.com' for "
                + $"consumer 'project_number:{GcpHierarchy.Number}'.");

    public static GcpErrorException Unauthenticated() => new(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
            + "authentication credential.");

    /// <summary>Google's error body.</summary>
    public SandboxResponse ToResponse() => SandboxResponse.Json(
        new JsonObject
        {
            ["error"] = new JsonObject
            {
                ["code"] = code,
                ["message"] = Message,
                ["status"] = status,
                ["details"] = new JsonArray(new JsonObject
                {
                    ["@type"] = "type.googleapis.com/google.rpc.ErrorInfo",
                    ["reason"] = code == 403 ? "IAM_PERMISSION_DENIED" : status,
                    ["domain"] = code == 403 ? "iam.googleapis.com" : "googleapis.com",
                    ["metadata"] = new JsonObject(Details.Select(d => KeyValuePair.Create(d.Key, (JsonNode?)d.Value))),
                }),
            },
        },
        code);
}
