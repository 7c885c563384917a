using System.Net;
using System.Text;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using CmekTools.Engine.State.Shared;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws;

/// <summary>
/// A bucket of Amazon S3. Each write says which version it replaces (If-Match, If-None-Match). Objects are encrypted as the bucket is
/// set up to: S3 encrypts each with a key of its own where the bucket names none, and a header of ours would take a bucket's KMS key
/// away from it.
/// </summary>
internal sealed class S3Place(SharedAddress address, Func<IAmazonS3> connect) : ISharedPlace
{
    private readonly Lazy<IAmazonS3> _client = new(connect);

    /// <inheritdoc/>
    public string Address => address.ToString();

    /// <inheritdoc/>
    public string RemovalOf(string name) => $"aws s3 rm {BashText.Quote($"s3://{address.Root}/{KeyOf(name)}")}";

    /// <inheritdoc/>
    public Task<IReadOnlyList<SharedEntry>> ListAsync(string shelf, CancellationToken cancellation) =>
        CallAsync<IReadOnlyList<SharedEntry>>(
        async () =>
        {
            List<SharedEntry> found = [];
            string? page = null;
            do
            {
                ListObjectsV2Response answer = await _client.Value.ListObjectsV2Async(
                    new ListObjectsV2Request { BucketName = address.Root, Prefix = KeyOf(shelf) + "/", ContinuationToken = page },
                    cancellation).ConfigureAwait(false);
                foreach (S3Object item in answer.S3Objects ?? [])
                {
                    string file = item.Key[(KeyOf(shelf).Length + 1)..];
                    if (SharedNames.IsPlain(file) && item.ETag is not null)
                    {
                        DateTime modified = (item.LastModified ?? DateTime.UnixEpoch).ToUniversalTime();
                        found.Add(
                            new SharedEntry(
                                SharedNames.Of(shelf, file),
                                item.ETag,
                                item.Size ?? 0,
                                new DateTimeOffset(modified, TimeSpan.Zero)));
                    }
                }

                page = answer.IsTruncated == true ? answer.NextContinuationToken : null;
            }
            while (page is not null && found.Count < SharedNames.ListLimit);
            return found;
        },
        cancellation);

    /// <inheritdoc/>
    public Task<SharedText?> ReadAsync(string name, int limit, CancellationToken cancellation) => CallAsync(
        async () =>
        {
            try
            {
                using GetObjectResponse answer = await _client.Value.GetObjectAsync(
                    new GetObjectRequest { BucketName = address.Root, Key = KeyOf(name) },
                    cancellation).ConfigureAwait(false);
                return new SharedText(
                    await SharedBytes.ReadAsync(answer.ResponseStream, limit, cancellation).ConfigureAwait(false),
                    answer.ETag);
            }
            catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchKey")
            {
                return null;
            }
        },
        cancellation);

    /// <inheritdoc/>
    public Task<string?> WriteAsync(string name, string text, string? over, CancellationToken cancellation) => CallAsync(
        async () =>
        {
            using MemoryStream content = new(Encoding.UTF8.GetBytes(text));
            PutObjectRequest request = new()
            {
                BucketName = address.Root,
                Key = KeyOf(name),
                ContentType = "application/json",
                InputStream = content,
                AutoCloseStream = false,
                UseChunkEncoding = false,
                IfNoneMatch = over is null ? "*" : null,
                IfMatch = over,
            };
            try
            {
                return (await _client.Value.PutObjectAsync(request, cancellation).ConfigureAwait(false)).ETag;
            }
            catch (AmazonS3Exception e) when (
                e.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict
                    || (over is not null && e.ErrorCode == "NoSuchKey"))
            {
                return null;
            }
        },
        cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_client.IsValueCreated)
        {
            _client.Value.Dispose();
        }
    }

    private string KeyOf(string name) => address.Prefix.Length == 0 ? name : $"{address.Prefix}/{name}";

    private async Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellation)
    {
        try
        {
            return await call().ConfigureAwait(false);
        }
        catch (Exception e) when (
            e is AmazonClientException or AmazonServiceException or HttpRequestException or IOException or CmekException
                or InvalidOperationException or ArgumentException)
        {
            string code = e is AmazonServiceException { ErrorCode: { Length: > 0 } said } ? said + ": " : string.Empty;
            throw new SharedPlaceException($"{Address}: {code}{e.Message}", e);
        }
    }
}
