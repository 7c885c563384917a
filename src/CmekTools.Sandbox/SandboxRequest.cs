using System.Collections.Specialized;
using System.Text;

namespace CmekTools.Sandbox;

/// <summary>One request as it came over the wire.</summary>
internal sealed class SandboxRequest
{
    /// <summary>Counts up from 1.</summary>
    public required int Number { get; init; }

    /// <summary>GET, POST, …</summary>
    public required string Method { get; init; }

    /// <summary>The path, still percent-encoded.</summary>
    public required string RawPath { get; init; }

    /// <summary>The query, still percent-encoded, without the question mark.</summary>
    public required string RawQuery { get; init; }

    /// <summary>The headers.</summary>
    public required NameValueCollection Headers { get; init; }

    /// <summary>The body, unpacked where it was compressed.</summary>
    public required byte[] Body { get; init; }

    /// <summary>The body as it was sent, for signatures.</summary>
    public required byte[] RawBody { get; init; }

    /// <summary>When it came.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>
    /// The service that answers: <c>cloud</c>, <c>kms</c>, <c>sts</c>, <c>iam</c>, <c>s3</c>, <c>gcp-kms</c>, <c>gcp-iam</c>,
    /// <c>gcs</c>.
    /// </summary>
    public string Service { get; set; } = "?";

    /// <summary>What is asked, for example <c>CreateKey</c>, <c>EnableCmek</c> or <c>cryptoKeys.setIamPolicy</c>.</summary>
    public string Operation { get; set; } = "?";

    /// <summary>True where the request would change something. Encrypting, decrypting and assuming a role change nothing.</summary>
    public bool IsWrite { get; set; }

    /// <summary>Its place among all requests by when it took effect, from 1; 0 where it was not let through to a service.</summary>
    public int Effect { get; set; }

    /// <summary>Who asked, once known.</summary>
    public string? Caller { get; set; }

    /// <summary>The body as text.</summary>
    public string Text => Encoding.UTF8.GetString(Body);

    /// <inheritdoc/>
    public override string ToString() => $"#{Number} {Service}:{Operation} {Method} {RawPath}";
}

/// <summary>An answer.</summary>
internal sealed class SandboxResponse
{
    /// <summary>No answer at all: the connection ends without a word.</summary>
    public static SandboxResponse None { get; } = new();

    /// <summary>The HTTP status.</summary>
    public int Status { get; init; } = 200;

    /// <summary>The content type.</summary>
    public string ContentType { get; init; } = "application/json";

    /// <summary>The body.</summary>
    public string Body { get; init; } = string.Empty;

    /// <summary>Further headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>A JSON answer.</summary>
    public static SandboxResponse Json(System.Text.Json.Nodes.JsonNode body, int status = 200) =>
        new() { Status = status, Body = body.ToJsonString() };
}

/// <summary>A request and its answer, for the log.</summary>
internal sealed record SandboxExchange(SandboxRequest Request, int Status, string ResponseBody)
{
    /// <summary>What went wrong on the way; null where nothing did. Without any answer the status is 0.</summary>
    public Faults.FaultKind? Fault { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Request} -> {Status}{(Fault is null ? string.Empty : " " + Fault)}";
}
