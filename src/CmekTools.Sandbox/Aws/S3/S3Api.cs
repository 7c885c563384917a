using System.Globalization;
using System.Text;
using System.Xml.Linq;
using CmekTools.Sandbox.Aws.Policies;

namespace CmekTools.Sandbox.Aws.S3;

/// <summary>
/// Amazon S3 as far as a shared state needs it: REST and XML, buckets in the path, conditional writes
/// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
/// </summary>
internal static class S3Api
{
    private static readonly XNamespace s_space = "http://s3.amazonaws.com/doc/2006-03-01/";

    /// <summary>Names a request's operation; null where it is none that the sandbox knows.</summary>
    public static string? OperationOf(SandboxRequest request)
    {
        bool item = Split(request).Key.Length > 0;
        return (request.Method, item) switch
        {
            ("GET", true) => "GetObject",
            ("HEAD", true) => "HeadObject",
            ("PUT", true) => "PutObject",
            ("DELETE", true) => "DeleteObject",
            ("GET", false) => "ListObjectsV2",
            ("PUT", false) => "CreateBucket",
            _ => null,
        };
    }

    /// <summary>Answers a request.</summary>
    public static SandboxResponse Answer(AwsWorld world, SandboxRequest request, Func<SignedBy> check)
    {
        try
        {
            AwsCaller caller = check().Credential.ToCaller();
            request.Caller = caller.Arn;
            (string bucket, string key) = Split(request);
            string action = request.Operation switch { "HeadObject" => "GetObject", "ListObjectsV2" => "ListBucket", string same => same };
            string resource = $"arn:aws:s3:::{bucket}{(action is "ListBucket" or "CreateBucket" ? string.Empty : "/" + key)}";
            if (Authorizer.Decide(Questions.Make(world, caller, "s3:" + action, resource)) is { } why)
            {
                throw new AwsErrorException(
                    "AccessDenied",
                    $"User: {caller.Arn} is not authorized to perform: s3:{action} on resource: \"{resource}\" {why}",
                    403);
            }

            return Invoke(world, request, bucket, key);
        }
        catch (AwsErrorException e)
        {
            XElement error = new(
                "Error",
                new XElement("Code", e.Code),
                new XElement("Message", e.Message),
                new XElement("RequestId", Guid.NewGuid().ToString()));
            return new SandboxResponse
            {
                Status = e.Status,
                ContentType = "application/xml",
                Body = request.Method == "HEAD" ? string.Empty : error.ToString(SaveOptions.DisableFormatting),
            };
        }
    }

    private static SandboxResponse Invoke(AwsWorld world, SandboxRequest request, string bucket, string key)
    {
        if (request.Operation == "CreateBucket")
        {
            world.Buckets.Buckets.TryAdd(bucket, new SortedDictionary<string, S3Item>(StringComparer.Ordinal));
            return new SandboxResponse
            {
                ContentType = "application/xml",
                Headers = new Dictionary<string, string> { ["Location"] = "/" + bucket },
            };
        }

        if (!world.Buckets.Buckets.TryGetValue(bucket, out SortedDictionary<string, S3Item>? items))
        {
            throw new AwsErrorException("NoSuchBucket", "The specified bucket does not exist", 404);
        }

        items.TryGetValue(key, out S3Item? there);
        switch (request.Operation)
        {
            case "ListObjectsV2":
                return List(request, bucket, items);
            case "PutObject":
                Require(request, there);
                return With(world.Buckets.Put(bucket, key, request.Text, world.Now), string.Empty);
            case "DeleteObject":
                items.Remove(key);
                return new SandboxResponse { Status = 204 };
            case "HeadObject" when there is null:
                throw new AwsErrorException("NotFound", "Not Found", 404);
            default:
                return there is null
                    ? throw new AwsErrorException("NoSuchKey", "The specified key does not exist.", 404)
                    : With(there, request.Method == "HEAD" ? string.Empty : there.Text);
        }
    }

    // Two that write at once cannot both be right: the second one hears of it.
    private static void Require(SandboxRequest request, S3Item? there)
    {
        string? wanted = request.Headers["If-Match"];
        if (wanted is not null && there is null)
        {
            throw new AwsErrorException("NoSuchKey", "The specified key does not exist.", 404);
        }

        if ((wanted is not null && wanted.Trim('"') != there!.Tag.Trim('"'))
            || (request.Headers["If-None-Match"] == "*" && there is not null))
        {
            throw new AwsErrorException("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412);
        }
    }

    private static SandboxResponse List(SandboxRequest request, string bucket, SortedDictionary<string, S3Item> items)
    {
        Dictionary<string, string> query = request.RawQuery.Split('&', StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('=', 2))
            .ToDictionary(
                p => Uri.UnescapeDataString(p[0]),
                p => p.Length == 2 ? Uri.UnescapeDataString(p[1].Replace('+', ' ')) : string.Empty);
        string prefix = query.GetValueOrDefault("prefix", string.Empty);
        string after = query.GetValueOrDefault("continuation-token") is { } token
            ? Encoding.UTF8.GetString(Convert.FromBase64String(token))
            : query.GetValueOrDefault("start-after", string.Empty);
        int most = int.TryParse(query.GetValueOrDefault("max-keys"), out int given) ? Math.Min(given, 1000) : 1000;
        KeyValuePair<string, S3Item>[] found =
        [
            .. items.Where(
                i => i.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(i.Key, after) > 0).Take(most + 1),
        ];
        bool more = found.Length > most;
        found = [.. found.Take(most)];
        XElement body = new(
            s_space + "ListBucketResult",
            new XElement(s_space + "Name", bucket),
            new XElement(s_space + "Prefix", prefix),
            new XElement(s_space + "KeyCount", found.Length),
            new XElement(s_space + "MaxKeys", most),
            new XElement(s_space + "IsTruncated", more),
            more ? new XElement(s_space + "NextContinuationToken", Convert.ToBase64String(Encoding.UTF8.GetBytes(found[^1].Key))) : null,
            found.Select(i => new XElement(
                s_space + "Contents",
                new XElement(s_space + "Key", i.Key),
                new XElement(
                    s_space + "LastModified",
                    i.Value.Modified.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)),
                new XElement(s_space + "ETag", i.Value.Tag),
                new XElement(s_space + "Size", Encoding.UTF8.GetByteCount(i.Value.Text)),
                new XElement(s_space + "StorageClass", "STANDARD"))));
        return new SandboxResponse { ContentType = "application/xml", Body = body.ToString(SaveOptions.DisableFormatting) };
    }

    private static SandboxResponse With(S3Item item, string text) => new()
    {
        Body = text,
        ContentType = "application/json",
        Headers = new Dictionary<string, string>
        {
            ["ETag"] = item.Tag,
            ["Last-Modified"] = item.Modified.UtcDateTime.ToString("R", CultureInfo.InvariantCulture),
            ["x-amz-server-side-encryption"] = "AES256",
        },
    };

    private static (string Bucket, string Key) Split(SandboxRequest request)
    {
        string[] parts = request.RawPath.TrimStart('/').Split('/', 2);
        return (Uri.UnescapeDataString(parts[0]), parts.Length == 2 ? Uri.UnescapeDataString(parts[1]) : string.Empty);
    }
}
