using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.Gcp;

/// <summary>
/// Google Cloud Storage as far as a shared state needs it: the JSON API, with generations and their preconditions
/// (https://cloud.google.com/storage/docs/request-preconditions).
/// </summary>
internal sealed class GcpStorage(GcpAuthorizer authorizer, string project)
{
    /// <summary>The bucket that every sandbox has.</summary>
    public const string Standard = "cmek-state";

    private const string Path = "storage/v1/b/";
    private const string UploadPath = "upload/storage/v1/b/";
    private long _generation = 1_700_000_000_000_000;

    /// <summary>The buckets and what is in them.</summary>
    public Dictionary<string, SortedDictionary<string, GcpStorageItem>> Buckets { get; } = new(StringComparer.Ordinal)
    {
        [Standard] = new(StringComparer.Ordinal),
    };

    /// <summary>Looks at a request; the operation's name where it is one of ours, else null.</summary>
    public static string? OperationOf(SandboxRequest request, string path) => (request.Method, path) switch
    {
        ("POST", _) when path.StartsWith(UploadPath, StringComparison.Ordinal) => "objects.insert",
        ("GET", _) when path.StartsWith(Path, StringComparison.Ordinal) && path.EndsWith("/o", StringComparison.Ordinal) => "objects.list",
        ("GET", _) when path.StartsWith(Path, StringComparison.Ordinal) && path.Contains("/o/", StringComparison.Ordinal) => "objects.get",
        ("GET", _) when path.StartsWith(Path, StringComparison.Ordinal) => "buckets.get",
        ("DELETE", _) when path.StartsWith(Path, StringComparison.Ordinal) => "objects.delete",
        _ => null,
    };

    /// <summary>Puts an object, whatever is there.</summary>
    public GcpStorageItem Put(string bucket, string name, string text) =>
        Buckets[bucket][name] = new GcpStorageItem(text, ++_generation, DateTimeOffset.UtcNow);

    /// <summary>Answers a request.</summary>
    public SandboxResponse Answer(SandboxRequest request, string caller)
    {
        string path = request.RawPath.TrimStart('/');
        string[] parts = path[(path.StartsWith(UploadPath, StringComparison.Ordinal) ? UploadPath.Length : Path.Length)..].Split('/', 3);
        Dictionary<string, string> query = request.RawQuery.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=', 2))
            .ToDictionary(
                p => Uri.UnescapeDataString(p[0]),
                p => p.Length == 2 ? Uri.UnescapeDataString(p[1].Replace('+', ' ')) : string.Empty);
        authorizer.Require(
            caller,
            "storage." + request.Operation.Replace("insert", "create", StringComparison.Ordinal),
            "projects/" + project);
        string bucket = Uri.UnescapeDataString(parts[0]);
        if (!Buckets.TryGetValue(bucket, out SortedDictionary<string, GcpStorageItem>? items))
        {
            throw GcpErrorException.Missing("The specified bucket does not exist.");
        }

        string name = request.Operation == "objects.insert"
            ? query["name"]
            : parts.Length == 3
            ? Uri.UnescapeDataString(parts[2])
            : string.Empty;
        items.TryGetValue(name, out GcpStorageItem? there);
        switch (request.Operation)
        {
            case "buckets.get":
                return SandboxResponse.Json(
                    new JsonObject
                    {
                        ["kind"] = "storage#bucket",
                        ["name"] = bucket,
                        ["location"] = "US",
                        ["locationType"] = "multi-region",
                        ["storageClass"] = "STANDARD",
                    });
            case "objects.list":
                return List(query, bucket, items);
            case "objects.insert":
                if (query.TryGetValue("ifGenerationMatch", out string? wanted)
                    && wanted != (there?.Generation ?? 0).ToString(CultureInfo.InvariantCulture))
                {
                    throw new GcpErrorException(
                        412,
                        "FAILED_PRECONDITION",
                        "At least one of the pre-conditions you specified did not hold.");
                }

                // Overwriting needs the right to delete what is overwritten.
                if (there is not null)
                {
                    authorizer.Require(caller, "storage.objects.delete", "projects/" + project);
                }

                return SandboxResponse.Json(ToJson(bucket, name, Put(bucket, name, request.Text)));
            case "objects.delete":
                items.Remove(name);
                return new SandboxResponse { Status = 204 };
            default:
                _ = there ?? throw GcpErrorException.Missing($"No such object: {bucket}/{name}");
                return query.GetValueOrDefault("alt") != "media" ? SandboxResponse.Json(ToJson(bucket, name, there)) : new SandboxResponse
                {
                    Body = there.Text,
                    Headers = new Dictionary<string, string>
                    {
                        ["x-goog-generation"] = there.Generation.ToString(CultureInfo.InvariantCulture),
                        ["x-goog-metageneration"] = "1",
                    },
                };
        }
    }

    private static SandboxResponse List(Dictionary<string, string> query, string bucket, SortedDictionary<string, GcpStorageItem> items)
    {
        string prefix = query.GetValueOrDefault("prefix", string.Empty);
        string after = query.GetValueOrDefault("pageToken") is { Length: > 0 } token
            ? Encoding.UTF8.GetString(Convert.FromBase64String(token))
            : string.Empty;
        int most = int.TryParse(query.GetValueOrDefault("maxResults"), out int given) && given > 0 ? Math.Min(given, 1000) : 1000;
        KeyValuePair<string, GcpStorageItem>[] found =
        [
            .. items.Where(
                i => i.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(i.Key, after) > 0).Take(most + 1),
        ];
        JsonObject body = new() { ["kind"] = "storage#objects" };
        if (found.Length > most)
        {
            body["nextPageToken"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(found[most - 1].Key));
        }

        body["items"] = new JsonArray([.. found.Take(most).Select(i => (JsonNode)ToJson(bucket, i.Key, i.Value))]);
        return SandboxResponse.Json(body);
    }

    private static JsonObject ToJson(string bucket, string name, GcpStorageItem item) => new()
    {
        ["kind"] = "storage#object",
        ["id"] = $"{bucket}/{name}/{item.Generation}",
        ["name"] = name,
        ["bucket"] = bucket,
        ["generation"] = item.Generation.ToString(CultureInfo.InvariantCulture),
        ["metageneration"] = "1",
        ["contentType"] = "application/json",
        ["storageClass"] = "STANDARD",
        ["size"] = Encoding.UTF8.GetByteCount(item.Text).ToString(CultureInfo.InvariantCulture),
        ["crc32c"] = Convert.ToBase64String(BigEndian((uint)Crc32C.Of(Encoding.UTF8.GetBytes(item.Text)))),
        ["timeCreated"] = Time(item.Modified),
        ["updated"] = Time(item.Modified),
    };

    private static byte[] BigEndian(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>One object.</summary>
/// <param name="Text">Its content.</param>
/// <param name="Generation">Its version.</param>
/// <param name="Modified">When it was written.</param>
internal sealed record GcpStorageItem(string Text, long Generation, DateTimeOffset Modified);
