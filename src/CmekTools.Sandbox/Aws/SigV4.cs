using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace CmekTools.Sandbox.Aws;

/// <summary>Who signed a request, and for which region.</summary>
internal sealed record SignedBy(AwsCredential Credential, string Region);

/// <summary>Checks the signature of a request (AWS Signature Version 4, in the Authorization header).</summary>
internal sealed class SigV4(AwsWorld world)
{
    private const string Algorithm = "AWS4-HMAC-SHA256";
    private static readonly TimeSpan Skew = TimeSpan.FromMinutes(15);

    /// <summary>Checks a request. Each protocol has its own names for the same faults.</summary>
    /// <exception cref="AwsErrorException">The request is not signed, or not rightly.</exception>
    public SignedBy Check(SandboxRequest request, string service)
    {
        bool json = service == "kms";
        AwsErrorException Fault(string name, string message, int status = 403) =>
            new(name + (json ? "Exception" : string.Empty), message, json ? 400 : status);
        AwsErrorException Mismatch(string message) => new(
            json ? "InvalidSignatureException" : "SignatureDoesNotMatch",
            message,
            json ? 400 : 403);
        AwsErrorException Unknown() =>
            new(
                json ? "UnrecognizedClientException" : "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                json ? 400 : 403);

        string? header = request.Headers["Authorization"];
        if (string.IsNullOrEmpty(header))
        {
            throw Fault("MissingAuthenticationToken", "Missing Authentication Token");
        }

        Dictionary<string, string> parts = Parts(header);
        string[] scope = parts.GetValueOrDefault("Credential", string.Empty).Split('/');
        if (!header.StartsWith(Algorithm + " ", StringComparison.Ordinal) || scope.Length != 5 || scope[4] != "aws4_request"
            || !parts.TryGetValue("SignedHeaders", out string? signedHeaders) || !parts.TryGetValue("Signature", out string? signature))
        {
            throw Fault(
                "IncompleteSignature",
                "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
                400);
        }

        string[] names = signedHeaders.Split(';');
        string date = request.Headers["X-Amz-Date"] ?? string.Empty;
        if (!names.Contains("host") || !names.Contains("x-amz-date")
            || !DateTimeOffset.TryParseExact(
                date,
                "yyyyMMdd'T'HHmmss'Z'",
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out DateTimeOffset signedAt))
        {
            throw Fault("IncompleteSignature", "'Host' and 'X-Amz-Date' must be there and signed.", 400);
        }

        if (scope[3] != service)
        {
            throw Mismatch($"Credential should be scoped to correct service: '{service}'.");
        }

        if (world.FindCredential(scope[0]) is not { } credential || credential.SessionToken != request.Headers["X-Amz-Security-Token"])
        {
            throw Unknown();
        }

        if ((request.Time - signedAt).Duration() > Skew)
        {
            string now = request.Time.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
            throw Mismatch(signedAt < request.Time
                ? $"Signature expired: {date} is now earlier than the allowed time ({now} - 15 min.)"
                : $"Signature not yet current: {date} is still later than the allowed time ({now} + 15 min.)");
        }

        string? payload = PayloadHash(request);
        if (payload is null
            || !Matches(Sign(credential.SecretAccessKey, scope, date, Canonical(request, names, payload)), signature)
            || !date.StartsWith(scope[1], StringComparison.Ordinal))
        {
            throw Mismatch(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
                    + "signing method. Consult the service documentation for details.");
        }

        if (world.Now >= credential.Expiration)
        {
            throw Fault("ExpiredToken", "The security token included in the request is expired");
        }

        return new SignedBy(credential, scope[2]);
    }

    /// <summary>The region that a request says it is signed for; null where it says none. Nothing is checked.</summary>
    public static string? RegionOf(SandboxRequest request) =>
        request.Headers["Authorization"] is { } header
            && Parts(header).GetValueOrDefault("Credential", string.Empty).Split('/') is { Length: 5 } scope
                ? scope[2]
                : null;

    private static Dictionary<string, string> Parts(string header)
    {
        Dictionary<string, string> parts = new(StringComparer.Ordinal);
        int space = header.IndexOf(' ', StringComparison.Ordinal);
        foreach (string part in header[(space + 1)..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                parts[part[..equals]] = part[(equals + 1)..];
            }
        }

        return parts;
    }

    // Null where the body is not the one that the header says was signed.
    private static string? PayloadHash(SandboxRequest request)
    {
        string actual = Hex(SHA256.HashData(request.RawBody));
        return request.Headers["X-Amz-Content-SHA256"] switch
        {
            null => actual,
            "UNSIGNED-PAYLOAD" => "UNSIGNED-PAYLOAD",
            string said => said == actual ? actual : null,
        };
    }

    private static string Canonical(SandboxRequest request, string[] names, string payload)
    {
        StringBuilder text = new();
        text.Append(request.Method).Append('\n').Append(request.RawPath).Append('\n').Append(Query(request.RawQuery)).Append('\n');
        foreach (string name in names)
        {
            string value = string.Join(' ', (request.Headers[name] ?? string.Empty).Split(' ', StringSplitOptions.RemoveEmptyEntries));
            text.Append(name).Append(':').Append(value).Append('\n');
        }

        return text.Append('\n').AppendJoin(';', names).Append('\n').Append(payload).ToString();
    }

    private static string Query(string raw) => string.Join('&', raw
        .Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(p => p.Split('=', 2))
        .Select(p => (Name: Encode(p[0]), Value: p.Length == 2 ? Encode(p[1]) : string.Empty))
        .OrderBy(p => p.Name, StringComparer.Ordinal)
        .ThenBy(p => p.Value, StringComparer.Ordinal)
        .Select(p => p.Name + "=" + p.Value));

    private static string Encode(string raw) => Uri.EscapeDataString(Uri.UnescapeDataString(raw.Replace('+', ' ')));

    private static string Sign(string secret, string[] scope, string date, string canonical)
    {
        string toSign = string.Join(
            '\n',
            Algorithm,
            date,
            string.Join('/', scope[1..]),
            Hex(SHA256.HashData(Encoding.UTF8.GetBytes(canonical))));
        byte[] key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (string part in scope[1..])
        {
            key = Mac(key, part);
        }

        return Hex(Mac(key, toSign));
    }

    private static byte[] Mac(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexString(bytes).ToLowerInvariant();

    private static bool Matches(string expected, string given) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(given));
}
