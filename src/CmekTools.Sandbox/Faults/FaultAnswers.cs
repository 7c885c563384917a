using System.Text.Json.Nodes;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;

namespace CmekTools.Sandbox.Faults;

/// <summary>Answers in a service's place, each in the form that the service has for it.</summary>
internal static class FaultAnswers
{
    private static readonly int[] s_statuses = [500, 502, 503, 504];

    private const string Page = "<html><head><title>Sign in</title></head><body>This network asks you to sign in.</body></html>";

    /// <summary>The answer of a fault; null where the fault is none of the answer's text.</summary>
    public static SandboxResponse? Of(Fault fault, SandboxRequest request) => fault.Kind switch
    {
        FaultKind.Throttled => Throttled(request, null),
        FaultKind.ThrottledRetryAfter => Throttled(request, 1 + (int)(fault.Form % 3)),
        FaultKind.ServerErrorBefore or FaultKind.ServerErrorAfter => ServerError(fault, request),
        FaultKind.Html => new SandboxResponse { ContentType = "text/html", Body = Page },
        FaultKind.Empty => new SandboxResponse { ContentType = "text/plain" },
        FaultKind.Denied => Denied(request),
        FaultKind.Locked => Locked(fault),
        _ => null,
    };

    private static SandboxResponse Throttled(SandboxRequest request, int? seconds)
    {
        SandboxResponse plain = request.Service switch
        {
            "cloud" => Cloud(429, 8, "rate limit exceeded"),
            "kms" => Kms(400, "ThrottlingException", "Rate exceeded"),
            "iam" or "sts" => Query(400, "Throttling", "Rate exceeded"),
            _ => GcpErrorException.QuotaExceeded(request.IsWrite ? "Write requests" : "Read requests").ToResponse(),
        };
        return seconds is null ? plain : new SandboxResponse
        {
            Status = plain.Status,
            ContentType = plain.ContentType,
            Body = plain.Body,
            Headers = new Dictionary<string, string> { ["Retry-After"] = seconds.Value.ToString(
                System.Globalization.CultureInfo.InvariantCulture) },
        };
    }

    private static SandboxResponse ServerError(Fault fault, SandboxRequest request)
    {
        int status = s_statuses[fault.Form % s_statuses.Length];
        if (status is 502 or 504)
        {
            // Not the service, but what stands in front of it.
            return new SandboxResponse
            {
                Status = status,
                ContentType = "text/html",
                Body = $"<html><body><h1>{status}</h1></body></html>",
            };
        }

        return request.Service switch
        {
            "cloud" => Cloud(status, status == 500 ? 13 : 14, status == 500 ? "internal" : "the service is unavailable"),
            "kms" => Kms(status, status == 500 ? "KMSInternalException" : "DependencyTimeoutException", "try again"),
            "iam" or "sts" => Query(status, status == 500 ? "InternalFailure" : "ServiceUnavailable", "try again"),
            _ => new GcpErrorException(
                status,
                status == 500 ? "INTERNAL" : "UNAVAILABLE",
                "The service is currently unavailable.").ToResponse(),
        };
    }

    private static SandboxResponse Denied(SandboxRequest request) => request.Service switch
    {
        "cloud" => Cloud(403, 7, "permission denied"),
        "kms" => Kms(
            400,
            "AccessDeniedException",
            $"User: arn:aws:iam::111122223333:user/admin is not authorized to perform: kms:{request.Operation}"),
        "iam" or "sts" => Query(
            403,
            "AccessDenied",
            $"User: arn:aws:iam::111122223333:user/admin is not authorized to perform: {request.Service}:{request.Operation}"),
        _ => GcpErrorException.Denied($"{request.Service}.{request.Operation}", Uri.UnescapeDataString(request.RawPath)).ToResponse(),
    };

    private static SandboxResponse Locked(Fault fault) => fault.Form % 2 == 0
        ? Cloud(503, 14, "cluster is locked: another operation has not finished")
        : Cloud(400, 9, "cluster is locked: another operation has not finished");

    private static SandboxResponse Cloud(int status, int code, string message) => new CloudApiFault(status, code, message).ToResponse();

    private static SandboxResponse Kms(int status, string type, string message) => new()
    {
        Status = status,
        ContentType = "application/x-amz-json-1.1",
        Body = new JsonObject { ["__type"] = type, ["message"] = message }.ToJsonString(),
    };

    private static SandboxResponse Query(int status, string code, string message) => new()
    {
        Status = status,
        ContentType = "text/xml",
        Body = $"<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error>"
            + $"<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>",
    };
}
