using System.Globalization;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>The organization's audit log, as far as the sandbox's own calls write it.</summary>
internal sealed class AuditLog
{
    private readonly List<(DateTimeOffset Time, JsonObject Entry)> _entries = [];

    public void Add(SandboxRequest request, CloudCluster cluster, string action, DateTimeOffset now) => _entries.Add((now, new JsonObject
    {
        ["id"] = Guid.NewGuid().ToString(),
        ["created_at"] = JsonBody.Time(now),
        ["action"] = action,
        ["cluster_id"] = cluster.Id,
        ["cluster_name"] = cluster.Name,
        ["service_account_name"] = request.Caller,
        ["payload"] = request.Text,
        ["source"] = "AUDIT_LOG_SOURCE_CC_API",
        ["metadata"] = new JsonObject { ["ip_address"] = "127.0.0.1" },
    }));

    public JsonNode List(Query query)
    {
        bool descending = query.OneOf("sort_order", "ASC", "DESC") == "DESC";
        IEnumerable<(DateTimeOffset Time, JsonObject Entry)> entries = descending ? _entries.AsEnumerable().Reverse() : _entries;
        if (query["starting_from"] is { Length: > 0 } text)
        {
            DateTimeOffset from = DateTimeOffset.TryParse(
                text,
                CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal,
                out DateTimeOffset parsed)
                ? parsed
                : throw CloudApiFault.Invalid("starting_from must be a time");
            entries = entries.Where(e => descending ? e.Time < from : e.Time > from);
        }

        (DateTimeOffset Time, JsonObject Entry)[] found = [.. entries];
        int limit = query.Limit("limit");
        while (limit < found.Length && found[limit].Time == found[limit - 1].Time)
        {
            // Entries of one moment stay together, or the next page would lose some.
            limit++;
        }

        JsonObject answer = new() { ["entries"] = new JsonArray([.. found.Take(limit).Select(e => e.Entry.DeepClone())]) };
        if (found.Length > limit)
        {
            answer["next_starting_from"] = JsonBody.Time(found[limit - 1].Time);
        }

        return answer;
    }
}
