using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.State.Shared;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// A bucket of Google Cloud Storage. Each write says which generation it replaces (ifGenerationMatch). Objects are encrypted as the
/// bucket is set up to: by Google's keys, or by the bucket's own.
/// </summary>
internal sealed class GcsPlace(SharedAddress address, Func<CancellationToken, Task<GoogleService>> connect) : ISharedPlace
{
    private const int AnswerLimit = 8 * 1024 * 1024;
    private readonly SemaphoreSlim _gate = new(1, 1);
    private GoogleService? _service;

    /// <inheritdoc/>
    public string Address => address.ToString();

    /// <inheritdoc/>
    public string RemovalOf(string name) => $"gcloud storage rm {BashText.Quote($"gs://{address.Root}/{NameOf(name)}")}";

    /// <inheritdoc/>
    public async Task<IReadOnlyList<SharedEntry>> ListAsync(string shelf, CancellationToken cancellation)
    {
        string prefix = NameOf(shelf) + "/";
        List<SharedEntry> found = [];
        string? page = null;
        do
        {
            string query = $"prefix={Uri.EscapeDataString(prefix)}&maxResults=1000&fields=nextPageToken,items(name,generation,size,updated)"
                + (page is null ? string.Empty : "&pageToken=" + Uri.EscapeDataString(page));
            (_, string text, _) = await SendAsync(
                HttpMethod.Get,
                $"storage/v1/b/{address.Root}/o?{query}",
                null,
                AnswerLimit,
                cancellation).ConfigureAwait(false);
            JsonObject answer = Parse(text);
            foreach (JsonObject item in (answer["items"] as JsonArray ?? []).OfType<JsonObject>())
            {
                string file = item["name"]?.ToString() is { } name && name.StartsWith(prefix, StringComparison.Ordinal)
                    ? name[prefix.Length..]
                    : string.Empty;
                if (SharedNames.IsPlain(file) && item["generation"]?.ToString() is { } generation)
                {
                    _ = long.TryParse(item["size"]?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out long size);
                    _ = DateTimeOffset.TryParse(
                        item["updated"]?.ToString(),
                        CultureInfo.InvariantCulture,
                        DateTimeStyles.AssumeUniversal,
                        out DateTimeOffset updated);
                    found.Add(new SharedEntry(SharedNames.Of(shelf, file), generation, size, updated));
                }
            }

            page = answer["nextPageToken"]?.ToString();
        }
        while (!string.IsNullOrEmpty(page) && found.Count < SharedNames.ListLimit);
        return found;
    }

    /// <inheritdoc/>
    public async Task<SharedText?> ReadAsync(string name, int limit, CancellationToken cancellation)
    {
        string path = $"storage/v1/b/{address.Root}/o/{Uri.EscapeDataString(NameOf(name))}?alt=media";
        (
            HttpStatusCode status,
            string text,
            string? generation) = await SendAsync(HttpMethod.Get, path, null, limit, cancellation).ConfigureAwait(false);
        return status == HttpStatusCode.NotFound
            ? null
            : new SharedText(
                text,
                generation ?? throw new SharedPlaceException($"{Address}: the answer does not say which generation of {name} it is."));
    }

    /// <inheritdoc/>
    public async Task<string?> WriteAsync(string name, string text, string? over, CancellationToken cancellation)
    {
        string path = $"upload/storage/v1/b/{address.Root}/o?uploadType=media&name={Uri.EscapeDataString(NameOf(name))}"
            + $"&ifGenerationMatch={Uri.EscapeDataString(over ?? "0")}";
        (HttpStatusCode status, string answer, _) = await SendAsync(
            HttpMethod.Post,
            path,
            text,
            AnswerLimit,
            cancellation).ConfigureAwait(false);
        return status is HttpStatusCode.PreconditionFailed or HttpStatusCode.NotFound
            ? null
            : Parse(answer)["generation"]?.ToString() ?? throw new SharedPlaceException(
                $"{Address}: the answer does not say which generation of {name} was written.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _service?.Dispose();
        _gate.Dispose();
    }

    private string NameOf(string name) => address.Prefix.Length == 0 ? name : $"{address.Prefix}/{name}";

    private async Task<GoogleService> ServiceAsync(CancellationToken cancellation)
    {
        await _gate.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return _service ??= await connect(cancellation).ConfigureAwait(false);
        }
        finally
        {
            _gate.Release();
        }
    }

    // The runtime's own client carries the credentials and renews them.
    private async Task<(HttpStatusCode Status, string Text, string? Generation)> SendAsync(
        HttpMethod method,
        string path,
        string? body,
        int limit,
        CancellationToken cancellation)
    {
        try
        {
            GoogleService service = await ServiceAsync(cancellation).ConfigureAwait(false);
            using HttpRequestMessage request = new(method, new Uri(new Uri(service.BaseUri), path));
            if (body is not null)
            {
                request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body))
                {
                    Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
                };
            }

            using HttpResponseMessage answer = await service.HttpClient.SendAsync(
                request,
                HttpCompletionOption.ResponseHeadersRead,
                cancellation).ConfigureAwait(false);
            using Stream stream = await answer.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
            string text = await SharedBytes.ReadAsync(
                stream,
                answer.IsSuccessStatusCode ? limit : AnswerLimit,
                cancellation).ConfigureAwait(false);
            bool missing = answer.StatusCode == HttpStatusCode.NotFound
                && !text.Contains("bucket does not exist", StringComparison.OrdinalIgnoreCase);
            if (!answer.IsSuccessStatusCode && answer.StatusCode != HttpStatusCode.PreconditionFailed && !missing)
            {
                throw new SharedPlaceException($"{Address}: {(int)answer.StatusCode} {Said(text)}");
            }

            return (
                answer.StatusCode,
                text,
                answer.Headers.TryGetValues("x-goog-generation", out IEnumerable<string>? values) ? values.FirstOrDefault() : null);
        }
        catch (Exception e) when (
            e is HttpRequestException or IOException or CmekException or Google.GoogleApiException
                or Google.Apis.Auth.OAuth2.Responses.TokenResponseException)
        {
            throw new SharedPlaceException($"{Address}: {e.Message}", e);
        }
    }

    private static string Said(string text)
    {
        try
        {
            return Parse(text)["error"]?["message"]?.ToString() ?? string.Empty;
        }
        catch (Exception e) when (e is SharedPlaceException or InvalidOperationException)
        {
            return string.Empty;
        }
    }

    private static JsonObject Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject ?? throw new JsonException("no object");
        }
        catch (JsonException e)
        {
            throw new SharedPlaceException($"Google Cloud Storage gave an answer that is no JSON object ({e.Message}).", e);
        }
    }
}
