using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// The policies that this session has written. Google's reads may give an older policy for a while after a write; an answer with the
/// etag of a policy that was replaced here is such a one, and the answer to the write is newer.
/// </summary>
internal sealed class WrittenPolicies
{
    private readonly ConcurrentDictionary<string, (JsonObject Latest, HashSet<string> Replaced)> _written = new(StringComparer.Ordinal);

    /// <summary>Remembers a write.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="replaced">The policy that was sent with its etag.</param>
    /// <param name="answer">What setIamPolicy answered.</param>
    public void Add(string resource, JsonObject replaced, JsonObject answer)
    {
        if (Etag(replaced) is { } etag && Etag(answer) is { } now && now != etag)
        {
            _written.AddOrUpdate(
                resource,
                _ => (answer.DeepClone().AsObject(), [etag]),
                (_, known) => (answer.DeepClone().AsObject(), [.. known.Replaced.Where(e => e != now), etag]));
        }
    }

    /// <summary>Is it a policy that was replaced here?</summary>
    public bool IsReplaced(string resource, JsonObject read) =>
        Etag(read) is { } etag && _written.TryGetValue(resource, out var known) && known.Replaced.Contains(etag);

    /// <summary>The newer of what was read and what was written.</summary>
    public JsonObject Newer(string resource, JsonObject read) =>
        IsReplaced(resource, read) && _written.TryGetValue(resource, out var known) ? known.Latest.DeepClone().AsObject() : read;

    private static string? Etag(JsonObject policy) =>
        policy["etag"]?.ToString() is { Length: > 0 } etag ? etag.Replace('-', '+').Replace('_', '/').TrimEnd('=') : null;
}
