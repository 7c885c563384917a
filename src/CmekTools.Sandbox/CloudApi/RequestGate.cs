namespace CmekTools.Sandbox.CloudApi;

/// <summary>What stands before every call: the key, the rate limit, the version, the role.</summary>
internal sealed class RequestGate
{
    private const string Version = "2024-09-16";

    private readonly Dictionary<string, Queue<DateTimeOffset>> _recent = [];

    /// <summary>The status of "too many requests". The vendor documents it to be inconsistent, so it can be set.</summary>
    public int RateLimitStatus { get; set; } = 429;

    /// <summary>Lets the request pass.</summary>
    /// <exception cref="CloudApiFault">It may not.</exception>
    public void Admit(SandboxRequest request, SandboxOptions options, DateTimeOffset now)
    {
        string key = Bearer(request) ?? throw new CloudApiFault(401, 16, "missing or malformed Authorization header");
        bool readOnly = key == ReadOnlyKey(options);
        if (key != options.ApiKey && !readOnly)
        {
            throw new CloudApiFault(401, 16, "invalid API key");
        }

        request.Caller = readOnly ? "sandbox-reader" : "sandbox-admin";
        Count(key, options.RateLimit, now);
        if (request.Headers["Cc-Version"] != Version)
        {
            throw new CloudApiFault(400, 3, "invalid Cc-Version.");
        }

        if (request.IsWrite && readOnly)
        {
            throw new CloudApiFault(403, 7, "permission denied: the role CLUSTER_ADMIN or CLUSTER_OPERATOR_WRITER is needed");
        }
    }

    /// <summary>A key that may only look.</summary>
    public static string ReadOnlyKey(SandboxOptions options) => options.ApiKey + "_readonly";

    private static string? Bearer(SandboxRequest request)
    {
        string header = request.Headers["Authorization"] ?? string.Empty;
        return header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && header.Length > 7 ? header[7..].Trim() : null;
    }

    // Refused requests are not counted, or a client that goes on asking would never be let in again.
    private void Count(string key, int limit, DateTimeOffset now)
    {
        if (limit <= 0)
        {
            return;
        }

        if (!_recent.TryGetValue(key, out Queue<DateTimeOffset>? times))
        {
            _recent[key] = times = new Queue<DateTimeOffset>();
        }

        while (times.TryPeek(out DateTimeOffset oldest) && now - oldest >= TimeSpan.FromSeconds(1))
        {
            times.Dequeue();
        }

        if (times.Count >= limit)
        {
            throw new CloudApiFault(RateLimitStatus, 8, "rate limit exceeded") { RetryAfterSeconds = 1 };
        }

        times.Enqueue(now);
    }
}
