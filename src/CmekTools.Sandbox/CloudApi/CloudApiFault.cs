using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>An answer that is an error, in the form of grpc-gateway.</summary>
internal sealed class CloudApiFault(int status, int code, string message) : Exception(message)
{
    /// <summary>The HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>The gRPC code.</summary>
    public int Code { get; } = code;

    /// <summary>Sent as Retry-After where set.</summary>
    public int? RetryAfterSeconds { get; init; }

    /// <summary>A field of the request is wrong.</summary>
    public static CloudApiFault Invalid(string what) => new(400, 3, "invalid argument: " + what);

    /// <summary>The request is well-formed, but not in this state of the cluster.</summary>
    public static CloudApiFault Precondition(string what) => new(400, 9, what);

    /// <summary>There is no such thing.</summary>
    public static CloudApiFault NotFound(string what) => new(404, 5, what);

    /// <summary>The answer for the wire.</summary>
    public SandboxResponse ToResponse() =>
        SandboxResponse.Json(new JsonObject { ["code"] = Code, ["message"] = Message, ["details"] = new JsonArray() }, Status);
}
