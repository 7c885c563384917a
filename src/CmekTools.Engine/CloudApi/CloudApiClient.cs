using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using CmekTools.Engine.Pacing;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace CmekTools.Engine.CloudApi;

/// <summary>The CMEK part of the CockroachDB Cloud API, version 2024-09-16.</summary>
internal sealed class CloudApiClient : IDisposable
{
    private const string ApiVersion = "2024-09-16";
    private const int PageSize = 100;

    // What a single answer may hold; the largest real one (a page of clusters) is far below.
    private const int AnswerLimit = 16 * 1024 * 1024;

    private readonly ConcurrentDictionary<string, ChangeRight> _rights = new(StringComparer.OrdinalIgnoreCase);
    private readonly HttpClient _http;
    // Each made when it is first needed.
    private readonly Lazy<ResiliencePipeline<HttpResponseMessage>> _patient;
    private readonly Lazy<ResiliencePipeline<HttpResponseMessage>> _careful;
    private readonly Lazy<ResiliencePipeline<HttpResponseMessage>> _hurried;
    private readonly TimeSpan _limit;
    private readonly Pacer? _pacer;
    private volatile bool _understood;
    private readonly TimeProvider _time;

    /// <summary>Makes a client; no request is sent.</summary>
    /// <param name="server">The base address.</param>
    /// <param name="apiKey">The secret key of a service account.</param>
    /// <param name="timings">Pauses and limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="pacer">What the requests wait for; null for none.</param>
    public CloudApiClient(Uri server, string apiKey, Timings timings, TimeProvider? time = null, Pacer? pacer = null)
    {
        Server = server;
        _pacer = pacer;
        _time = time ?? TimeProvider.System;
        Recent = new RecentClusters(_time);
        // The key must not follow a redirect to wherever it points.
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.All,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        _http = new HttpClient(handler)
        {
            BaseAddress = server,
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = AnswerLimit,
        };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        _http.DefaultRequestHeaders.Add("Cc-Version", ApiVersion);
        _http.DefaultRequestHeaders.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        _http.DefaultRequestHeaders.UserAgent.Add(
            new ProductInfoHeaderValue("CmekTools", typeof(CloudApiClient).Assembly.GetName().Version?.ToString(3)));
        _patient = new(() => Pipeline(timings, _time, retryUncertain: true, () => _understood));
        _careful = new(() => Pipeline(timings, _time, retryUncertain: false, () => _understood));
        _hurried = new(() => Pipeline(
            timings with { RetryCount = 3, RetryBase = TimeSpan.FromMilliseconds(200) },
            _time,
            retryUncertain: true,
            () => _understood));
        _limit = timings.CallLimit;
    }

    /// <summary>The base address.</summary>
    public Uri Server { get; }

    /// <summary>Told of every status that was read, so that it can be kept. It must neither fail nor wait.</summary>
    public Action<CmekCluster, CmekStatus>? StatusRead { get; set; }

    /// <summary>Whether a cluster was seen with keys before: an answer that it has none is then no answer.</summary>
    public Func<string, bool>? KnownWithKeys { get; set; }

    /// <summary>Where set, nothing is sent: every call fails with it.</summary>
    public CmekException? Closed { get; init; }

    /// <summary>The clusters that were read just now.</summary>
    public RecentClusters Recent { get; }

    /// <summary>Whether the API key may change a cluster.</summary>
    public ChangeRight RightToChange(string clusterId) => _rights.GetValueOrDefault(clusterId, ChangeRight.Untried);

    /// <summary>The organization of the API key.</summary>
    public async Task<CmekOrganization> GetOrganizationAsync(CancellationToken cancellation)
    {
        OrganizationWire wire = await SendAsync<object, OrganizationWire>(
            HttpMethod.Get,
            "api/v1/organization",
            null,
            null,
            WireJson.Default.OrganizationWire,
            "Reading the organization",
            Server,
            cancellation).ConfigureAwait(false);
        if (string.IsNullOrEmpty(wire.Id))
        {
            throw CloudApiErrors.Unreadable("Reading the organization", HttpStatusCode.OK, null, Server, null);
        }

        return new CmekOrganization { Id = wire.Id, Name = wire.Name ?? wire.Id, Label = wire.Label, CreatedAt = wire.CreatedAt };
    }

    /// <summary>Every cluster that the API key can see, page by page.</summary>
    public async IAsyncEnumerable<CmekCluster> ListClustersAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        HashSet<string> pages = [];
        string? page = null;
        do
        {
            string path = $"api/v1/clusters?pagination.limit={PageSize}" + (
                page is null ? string.Empty : "&pagination.page=" + Uri.EscapeDataString(page));
            ClusterListWire wire = await SendAsync<object, ClusterListWire>(
                HttpMethod.Get,
                path,
                null,
                null,
                WireJson.Default.ClusterListWire,
                "Listing the clusters",
                Server,
                cancellation).ConfigureAwait(false);
            foreach (ClusterWire one in wire.Clusters ?? [])
            {
                CmekCluster cluster = ToCluster(one);
                Recent.Add(cluster);
                yield return cluster;
            }

            page = wire.Pagination?.NextPage;
        }
        // A server that hands out the same page for ever is not followed for ever.
        while (!string.IsNullOrEmpty(page) && pages.Add(page));
    }

    /// <summary>One cluster.</summary>
    /// <exception cref="CmekServiceException"><c>CloudApiNotFound</c> where the API key sees no such cluster.</exception>
    public async Task<CmekCluster> GetClusterAsync(string id, CancellationToken cancellation)
    {
        CmekCluster cluster = ToCluster(await SendAsync<object, ClusterWire>(
            HttpMethod.Get,
            ClusterPath(id),
            null,
            null,
            WireJson.Default.ClusterWire,
            $"Reading the cluster {id}",
            id,
            cancellation).ConfigureAwait(false));
        Recent.Add(cluster);
        return cluster;
    }

    /// <summary>Makes a cluster. An uncertain failure is not tried again: a second request could make a second cluster.</summary>
    public async Task<CmekCluster> CreateClusterAsync(ClusterCreateWire body, CancellationToken cancellation) => ToCluster(await SendAsync(
        HttpMethod.Post,
        "api/v1/clusters",
        body,
        WireJson.Default.ClusterCreateWire,
        WireJson.Default.ClusterWire,
        $"Making the cluster {body.Name}",
        body.Name,
        cancellation,
        careful: true).ConfigureAwait(false));

    /// <summary>Changes a cluster's regions. An uncertain failure is not tried again: the caller looks first.</summary>
    public async Task<CmekCluster> UpdateClusterAsync(CmekCluster cluster, ClusterUpdateWire body, CancellationToken cancellation) =>
        ToCluster(await SendAsync(
        HttpMethod.Patch,
        ClusterPath(cluster.Id),
        body,
        WireJson.Default.ClusterUpdateWire,
        WireJson.Default.ClusterWire,
        $"Adding regions to {cluster.Name}",
        cluster,
        cancellation,
        careful: true).ConfigureAwait(false));

    /// <summary>A cluster's CMEK status. A cluster that never had CMEK is DISABLED, whether the service says so or answers 404.</summary>
    public async Task<CmekStatus> GetCmekAsync(CmekCluster cluster, CancellationToken cancellation)
    {
        CmekInfoWire wire;
        try
        {
            wire = await SendAsync<object, CmekInfoWire>(
                HttpMethod.Get,
                CmekPath(cluster),
                null,
                null,
                WireJson.Default.CmekInfoWire,
                $"Reading the CMEK status of {cluster.Name}",
                cluster,
                cancellation).ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (e.StatusCode == 404)
        {
            // Also the answer for a cluster that is gone: it has to have been seen a moment ago, or is looked for now. One that had
            // keys has not lost them by a 404: that is no answer.
            if (Recent.Find(cluster.Id, RecentClusters.Momentary) is null)
            {
                await GetClusterAsync(cluster.Id, cancellation).ConfigureAwait(false);
            }

            string state = KnownWithKeys?.Invoke(cluster.Id) == true ? nameof(CmekState.UNKNOWN) : nameof(CmekState.DISABLED);
            wire = new CmekInfoWire(state, [.. cluster.Regions.Select(r => new RegionInfoWire(r.Name, state, []))]);
            return ToStatus(cluster, wire) with { NotFound = true };
        }

        CmekStatus status = ToStatus(cluster, wire);
        StatusRead?.Invoke(cluster, status);
        return status;
    }

    /// <summary>Enables CMEK (POST). An uncertain failure is not tried again: the caller looks first.</summary>
    public async Task<CmekStatus> EnableCmekAsync(CmekCluster cluster, CmekSpecWire body, CancellationToken cancellation) =>
        ToStatus(cluster, await SendAsync(
        HttpMethod.Post,
        CmekPath(cluster),
        body,
        WireJson.Default.CmekSpecWire,
        WireJson.Default.CmekInfoWire,
        $"Enabling CMEK on {cluster.Name}",
        cluster,
        cancellation,
        careful: true).ConfigureAwait(false));

    /// <summary>Changes the regions named (PUT). An uncertain failure is not tried again: the caller looks first.</summary>
    public async Task<CmekStatus> UpdateCmekAsync(CmekCluster cluster, CmekSpecWire body, CancellationToken cancellation) =>
        ToStatus(cluster, await SendAsync(
        HttpMethod.Put,
        CmekPath(cluster),
        body,
        WireJson.Default.CmekSpecWire,
        WireJson.Default.CmekInfoWire,
        $"Updating CMEK on {cluster.Name}",
        cluster,
        cancellation,
        careful: true).ConfigureAwait(false));

    /// <summary>Revokes (PATCH REVOKE): the only action that the service has.</summary>
    public async Task<CmekStatus> RevokeCmekAsync(CmekCluster cluster, CancellationToken cancellation) => ToStatus(cluster, await SendAsync(
        HttpMethod.Patch,
        CmekPath(cluster),
        new CmekActionWire("REVOKE"),
        WireJson.Default.CmekActionWire,
        WireJson.Default.CmekInfoWire,
        $"Revoking CMEK on {cluster.Name}",
        cluster,
        cancellation).ConfigureAwait(false));

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static string ClusterPath(string id) => "api/v1/clusters/" + Uri.EscapeDataString(id);

    private static string CmekPath(CmekCluster cluster) => ClusterPath(cluster.Id) + "/cmek";

    private static CmekCluster ToCluster(ClusterWire wire) => new()
    {
        Id = wire.Id ?? string.Empty,
        Name = wire.Name ?? wire.Id ?? string.Empty,
        Provider = Enum.TryParse(wire.CloudProvider, ignoreCase: false, out CmekProvider provider) ? provider : CmekProvider.UNKNOWN,
        Plan = wire.Plan ?? "UNKNOWN",
        State = wire.State ?? "UNKNOWN",
        OperationStatus = wire.OperationStatus is null or "UNSPECIFIED" or "CLUSTER_STATUS_UNSPECIFIED" ? null : wire.OperationStatus,
        AccountId = string.IsNullOrEmpty(wire.AccountId) ? null : wire.AccountId,
        NetworkVisibility = wire.NetworkVisibility,
        CockroachVersion = wire.CockroachVersion,
        CreatedAt = wire.CreatedAt,
        Regions =
        [
            .. (wire.Regions ?? []).Where(r => !string.IsNullOrEmpty(r.Name)).Select(
                r => new CmekRegion { Name = r.Name!, NodeCount = r.NodeCount ?? 0 }),
        ],
    };

    private static CmekState ToState(string? text) =>
        Enum.TryParse(text, ignoreCase: false, out CmekState state) ? state : CmekState.UNKNOWN;

    private static CmekStatus ToStatus(CmekCluster cluster, CmekInfoWire wire)
    {
        Dictionary<string, RegionInfoWire> listed = [];
        foreach (RegionInfoWire region in wire.RegionInfos ?? [])
        {
            listed.TryAdd(region.Region ?? string.Empty, region);
        }

        // Every region of the cluster is reported, also one that the service leaves out: its absence is news.
        IEnumerable<string> names = cluster.Regions
            .Select(r => r.Name)
            .Union(listed.Keys)
            .Where(n => n.Length > 0)
            .Order(StringComparer.Ordinal);
        return new CmekStatus
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Provider = cluster.Provider,
            State = ToState(wire.Status),
            OperationStatus = cluster.OperationStatus,
            AsOf = DateTimeOffset.UtcNow,
            Regions = [.. names.Select(n => ToRegion(cluster, n, listed.GetValueOrDefault(n)))],
        };
    }

    private static CmekRegionStatus ToRegion(CmekCluster cluster, string name, RegionInfoWire? wire)
    {
        CmekKeyStatus[] keys =
        [
            .. (wire?.KeyInfos ?? [])
                .Select(k => new CmekKeyStatus
                {
                    State = ToState(k.Status),
                    KeyType = k.Spec?.Type,
                    KeyUri = string.IsNullOrEmpty(k.Spec?.Uri) ? null : k.Spec.Uri,
                    AuthPrincipal = string.IsNullOrEmpty(k.Spec?.AuthPrincipal) ? null : k.Spec.AuthPrincipal,
                    UserMessage = string.IsNullOrEmpty(k.UserMessage) ? null : k.UserMessage,
                    CreatedAt = k.CreatedAt,
                    UpdatedAt = k.UpdatedAt,
                })
                .OrderByDescending(k => k.CreatedAt ?? DateTimeOffset.MinValue),
        ];
        CmekState state = ToState(wire?.Status);
        keys = KeyPlaceRules.Placed(state, keys);
        return new CmekRegionStatus
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Region = name,
            State = state,
            Keys = keys,
            Current = KeyPlaceRules.Current(keys),
            Incoming = KeyPlaceRules.Incoming(keys),
        };
    }

    // Nobody is left waiting in silence: a service that wants a longer pause is asked again, and fails in the end with its own words.
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(60);

    private static ResiliencePipeline<HttpResponseMessage> Pipeline(
        Timings timings,
        TimeProvider time,
        bool retryUncertain,
        Func<bool> understood) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = timings.RetryCount,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = timings.RetryBase,
                MaxDelay = TimeSpan.FromSeconds(30),
                ShouldHandle = async arguments => arguments.Outcome switch
                {
                    { Exception: TimeoutRejectedException } => retryUncertain,
                    { Exception: HttpRequestException e } => retryUncertain
                        || e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError,
                    { Result: { IsSuccessStatusCode: false } response } => await HealsAsync(
                        response,
                        retryUncertain,
                        arguments.Context.CancellationToken).ConfigureAwait(false),
                    // A proxy's page, or nothing, in place of what was to be read. It heals where the service was understood before;
                    // else the address is wrong.
                    { Result: { } response } => !await IsObjectAsync(response, arguments.Context.CancellationToken).ConfigureAwait(false)
                        && retryUncertain && understood(),
                    _ => false,
                },
                DelayGenerator = async arguments => arguments.Outcome.Result is { } response
                    && (
                        await CloudApiErrors.ReadAsync(
                            response,
                            arguments.Context.CancellationToken).ConfigureAwait(false)).RetryAfter is { } wanted
                    ? (wanted < s_longestPause ? wanted : s_longestPause)
                    : null,
            })
            .Build();

    private static async ValueTask<bool> IsObjectAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> text = await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
        ReadOnlySpan<byte> bare = text.Span.Trim(" \t\r\n"u8);
        return bare is [(byte)'{', .., (byte)'}'];
    }

    private static async ValueTask<bool> HealsAsync(HttpResponseMessage response, bool retryUncertain, CancellationToken cancellation)
    {
        CloudApiErrors.Failure failure = await CloudApiErrors.ReadAsync(response, cancellation).ConfigureAwait(false);
        // A locked cluster has refused; a service that fails may have done it.
        return retryUncertain ? failure.Heals : failure.IsRateLimit || failure.IsLocked;
    }

    // One try, in its turn.
    private async ValueTask<HttpResponseMessage> OnceAsync(HttpMethod method, string path, byte[]? body, CancellationToken cancellation)
    {
        using PacedCall? call = _pacer is null ? null : await _pacer.EnterAsync(cancellation).ConfigureAwait(false);
        TimeSpan waited = call?.Waited ?? TimeSpan.Zero;
        long start = _time.GetTimestamp();
        try
        {
            HttpResponseMessage response = await AskAsync(method, path, body, cancellation).ConfigureAwait(false);
            TimeSpan took = _time.GetElapsedTime(start);
            await PaceAsync(call, response, cancellation).ConfigureAwait(false);
            await TellAsync(method, path, (int)response.StatusCode, took, waited).ConfigureAwait(false);
            return response;
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutRejectedException)
        {
            await TellAsync(method, path, 0, _time.GetElapsedTime(start), waited).ConfigureAwait(false);
            throw;
        }
    }

    private Task TellAsync(HttpMethod method, string path, int status, TimeSpan took, TimeSpan waited) => RequestTrace.TellAsync(
        $"{method} /{path}", method.Method, new Uri(Server, path), status == 0 ? "no answer" : $"{status}", status, took, waited);

    // The first try is made without the pipeline, which costs a fresh process more than the request: most answers are good at once.
    private async Task<HttpResponseMessage> AnswerAsync(
        HttpMethod method, string path, byte[]? body, Lazy<ResiliencePipeline<HttpResponseMessage>> retries, CancellationToken cancellation)
    {
        HttpResponseMessage? first = null;
        Exception? failure = null;
        try
        {
            first = await OnceAsync(method, path, body, cancellation).ConfigureAwait(false);
            if (first.IsSuccessStatusCode
                ? await IsObjectAsync(first, cancellation).ConfigureAwait(false)
                : await CloudApiErrors.ReadAsync(first, cancellation).ConfigureAwait(false)
                    is { Heals: false, IsRateLimit: false, IsLocked: false })
            {
                return first;
            }
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutRejectedException)
        {
            failure = e;
        }

        bool begun = false;
        return await retries.Value.ExecuteAsync(
            token =>
            {
                if (begun)
                {
                    return OnceAsync(method, path, body, token);
                }

                begun = true;
                return failure is null ? ValueTask.FromResult(first!) : ValueTask.FromException<HttpResponseMessage>(failure);
            },
            cancellation).ConfigureAwait(false);
    }

    // Only the answer is waited for within the limit; the queue in front of the service is another matter.
    private async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, byte[]? body, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(method, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        }

        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using ITimer timer = late.CancelAfter(_limit, _time);
        try
        {
            return await _http.SendAsync(request, HttpCompletionOption.ResponseContentRead, late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutRejectedException("The answer did not come within the limit.", _limit, e);
        }
    }

    private static async Task PaceAsync(PacedCall? call, HttpResponseMessage response, CancellationToken cancellation)
    {
        if (call is null)
        {
            return;
        }

        CloudApiErrors.Failure? failure = response.IsSuccessStatusCode
            ? null
            : await CloudApiErrors.ReadAsync(response, cancellation).ConfigureAwait(false);
        if (failure is { IsRateLimit: true })
        {
            call.Refused(failure.RetryAfter);
        }
        else
        {
            call.Served();
        }
    }

    private async Task<TAnswer> SendAsync<TBody, TAnswer>(
        HttpMethod method,
        string path,
        TBody? body,
        JsonTypeInfo<TBody>? bodyType,
        JsonTypeInfo<TAnswer> answerType,
        string what,
        object? target,
        CancellationToken cancellation,
        bool careful = false)
        where TBody : class
        where TAnswer : class
    {
        if (Closed is { } closed)
        {
            throw closed;
        }

        HttpResponseMessage response;
        if (method != HttpMethod.Get && target is CmekCluster about)
        {
            Recent.Forget(about.Id);
        }

        try
        {
            response = await AnswerAsync(
                method,
                path,
                body is null || bodyType is null ? null : JsonSerializer.SerializeToUtf8Bytes(body, bodyType),
                careful ? _careful : ShortPatience.Current ? _hurried : _patient,
                cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutRejectedException)
        {
            throw CloudApiErrors.NoAnswer(e, Server, what, target);
        }

        using (response)
        {
            if (!response.IsSuccessStatusCode)
            {
                CmekServiceException refusal = CloudApiErrors.ToException(
                    await CloudApiErrors.ReadAsync(response, cancellation).ConfigureAwait(false),
                    what,
                    target);
                if (method != HttpMethod.Get && target is CmekCluster refused && refusal.ErrorId == "CloudApiPermissionDenied")
                {
                    _rights[refused.Id] = ChangeRight.Refused;
                }

                throw refusal;
            }

            if (method != HttpMethod.Get && target is CmekCluster changed)
            {
                _rights[changed.Id] = ChangeRight.Allowed;
            }

            try
            {
                using Stream stream = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
                TAnswer answer = await JsonSerializer.DeserializeAsync(stream, answerType, cancellation).ConfigureAwait(false)
                    ?? throw CloudApiErrors.Unreadable(what, response.StatusCode, CloudApiErrors.RequestId(response), target, null);
                _understood = true;
                return answer;
            }
            catch (JsonException e)
            {
                throw CloudApiErrors.Unreadable(what, response.StatusCode, CloudApiErrors.RequestId(response), target, e);
            }
        }
    }
}
