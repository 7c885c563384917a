namespace CmekTools.Sandbox.Gcp;

/// <summary>How many calls of each service are answered in a second.</summary>
internal sealed class GcpQuota(SandboxServer server)
{
    private readonly Dictionary<string, Queue<DateTimeOffset>> _calls = [];

    public void Take(SandboxRequest request)
    {
        if (server.Options.GoogleQuota <= 0)
        {
            return;
        }

        if (!_calls.TryGetValue(request.Service, out Queue<DateTimeOffset>? calls))
        {
            _calls[request.Service] = calls = new();
        }

        DateTimeOffset now = server.Options.Clock.GetUtcNow();
        while (calls.TryPeek(out DateTimeOffset first) && now - first > TimeSpan.FromSeconds(1))
        {
            calls.Dequeue();
        }

        if (calls.Count >= server.Options.GoogleQuota)
        {
            throw GcpErrorException.QuotaExceeded(request.IsWrite ? "Write requests" : "Read requests");
        }

        calls.Enqueue(now);
    }
}
