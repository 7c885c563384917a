using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using CmekTools.Benchmarks.Processes;
using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Pacing;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;

namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// Update-CmekCluster -Rewrap -RotateKey -Wait over many clusters of both clouds, whose rotation takes two hours of simulated time, with
/// credentials that end meanwhile. Then the same once more, and stopped in the middle.
/// </summary>
internal sealed class LongWait : IAsyncDisposable
{
    // Of the machine's time, by which the SDK renews: a quarter of an hour before the end that the keys tell. Here they have ended then;
    // a request of the last moment may still be on its way, for long where the machine has other work.
    private static readonly TimeSpan s_early = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan s_awsKeys = TimeSpan.FromSeconds(2);

    // Of simulated time: the service refuses the token, and the library asks for another.
    private static readonly TimeSpan s_googleToken = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_limit = TimeSpan.FromHours(3);
    private static readonly string[] s_variables =
        ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "GOOGLE_APPLICATION_CREDENTIALS"];

    private readonly JumpingClock _clock = new(DateTimeOffset.UtcNow);
    private readonly SandboxServer _server;
    private readonly SessionContext _session;
    private readonly string _folder = Path.Combine(StatePlace.Root, "cmektools-long-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly string?[] _before = [.. s_variables.Select(Environment.GetEnvironmentVariable)];
    private readonly Queue<TimeSpan> _second = new();
    private readonly object _lock = new();
    private readonly TimeSpan _onTheWay;
    private TimeSpan? _tokenAt;

    private LongWait(int clusters, TimeSpan onTheWay)
    {
        _onTheWay = onTheWay;
        Directory.CreateDirectory(_folder);
        _server = SandboxServer.Start(new SandboxOptions
        {
            Clock = _clock,
            RateLimit = Pacers.CloudRequestsPerSecond,
            StateTime = TimeSpan.FromSeconds(30),
            Clusters =
            [
                .. Enumerable.Range(0, clusters).Select(n => n % 2 == 0
                    ? new SandboxClusterOptions($"c{n:00}", "AWS", ["us-east-1"])
                    : new SandboxClusterOptions($"c{n:00}", "GCP", ["us-central1"])),
            ],
        });
        _clock.Busy = () => _server.Working > 0;
        _server.Before = request => Task.FromResult(Look(request));
        WriteCredentials();
        Timings timings = new();
        _session = new SessionContext(
            new CloudApiClient(
                _server.BaseAddress,
                _server.Options.ApiKey,
                timings,
                _clock,
                new Pacer(Pacers.CloudRequestsPerSecond, TimeSpan.FromSeconds(1), _clock)),
            new CmekOrganization { Id = _server.Options.OrganizationId, Name = "Sandbox" },
            new ProviderOptions
            {
                AwsEndpoint = _server.BaseAddress,
                AwsProfileName = "long",
                GoogleKmsEndpoint = _server.BaseAddress,
                GoogleIamEndpoint = _server.BaseAddress,
                GoogleProject = _server.Options.GoogleProject,
            },
            timings,
            new JournalWriter(_folder, _clock),
            _clock);
    }

    /// <summary>The most Cloud API requests in any second of simulated time.</summary>
    public int MostInASecond { get; private set; }

    /// <summary>All requests to the Cloud API during the wait.</summary>
    public int CloudRequests { get; private set; }

    /// <summary>Requests that were refused for their rate.</summary>
    public int Refused { get; private set; }

    /// <summary>Requests that came with keys or a token that had ended, and were refused.</summary>
    public int Ended { get; private set; }

    /// <summary>How often the profile's process was asked for keys.</summary>
    public int AwsKeys { get; private set; }

    /// <summary>How often Google was asked for a token.</summary>
    public int GoogleTokens { get; private set; }

    /// <summary>How much more memory the program's objects took, at the most, after a collection.</summary>
    public long MoreBytes { get; private set; }

    /// <summary>How long the wait was, in simulated time.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>How long the end took when it was stopped, in the machine's time.</summary>
    public TimeSpan Back { get; private set; }

    /// <summary>What did not end as it should.</summary>
    public List<string> Wrong { get; } = [];

    /// <summary>Waits, and prints what was seen. Returns 0 where all is as it should be.</summary>
    /// <param name="clusters">How many clusters.</param>
    /// <param name="wait">How long their rotation takes, in simulated time.</param>
    /// <param name="onTheWay">How long after their end keys are not refused yet, in the machine's time.</param>
    public static async Task<int> RunAsync(int clusters, TimeSpan wait, TimeSpan onTheWay)
    {
        Stopwatch watch = Stopwatch.StartNew();
        LongWait run = new(clusters, onTheWay);
        await using (run.ConfigureAwait(false))
        {
            await run.RunAsync(wait).ConfigureAwait(false);
        }

        run.Judge();
        foreach (string line in run.Wrong)
        {
            await Console.Out.WriteLineAsync(line).ConfigureAwait(false);
        }

        await Console.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{clusters} clusters waited for {run.Waited:h\\:mm\\:ss} h: {run.MoreBytes / 1048576.0:0.0} MB more, {run.CloudRequests} "
                + $"requests to the Cloud API, {run.MostInASecond} in a second at most, {run.Refused} refused for their rate; AWS keys "
                + $"asked for {run.AwsKeys} times, Google's token {run.GoogleTokens} times, {run.Ended} requests with what had ended; "
                + $"stopped, back after {run.Back.TotalMilliseconds:0} ms; {run.Wrong.Count} wrong, in {watch.Elapsed.TotalSeconds:0} s."))
            .ConfigureAwait(false);
        return run.Wrong.Count == 0 ? 0 : 1;
    }

    public async ValueTask DisposeAsync()
    {
        _session.Dispose();
        await _server.DisposeAsync().ConfigureAwait(false);
        _clock.Dispose();
        for (int n = 0; n < s_variables.Length; n++)
        {
            Environment.SetEnvironmentVariable(s_variables[n], _before[n]);
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task RunAsync(TimeSpan wait)
    {
        CloudApiService cloud = _server.Get<CloudApiService>();
        string[] ids = [.. _server.Options.Clusters.Select(c => cloud.IdOf(c.Name))];
        await _session.Cloud.GetOrganizationAsync(CancellationToken.None).ConfigureAwait(false);
        foreach (string[] some in ids.Chunk(10))
        {
            await Task.WhenAll(some.Select(id => Commands.RunAsync(
                new Order("begin", id, [], null), _session, CancellationToken.None, limit: s_limit))).ConfigureAwait(false);
        }

        _server.Options = _server.Options with { StateTime = wait };
        _server.ClearExchanges();
        CloudRequests = MostInASecond = Refused = 0;
        long bytes = GC.GetTotalMemory(forceFullCollection: true);
        TimeSpan begun = _clock.Elapsed;
        using (_clock.CreateTimer(_ => Measure(bytes), null, TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(10)))
        {
            await Task.WhenAll(ids.Select(id => RewrapAsync(id, CancellationToken.None))).ConfigureAwait(false);
        }

        Waited = _clock.Elapsed - begun;
        Measure(bytes);
        await StopAsync(ids).ConfigureAwait(false);
    }

    private async Task StopAsync(string[] ids)
    {
        using CancellationTokenSource ctrlC = new();
        TaskCompletionSource now = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ITimer timer = _clock.CreateTimer(_ => now.SetResult(), null, TimeSpan.FromMinutes(20), Timeout.InfiniteTimeSpan);
        Task all = Task.WhenAll(ids.Select(id => RewrapAsync(id, ctrlC.Token)));
        await Task.WhenAny(now.Task, all).ConfigureAwait(false);
        if (all.IsCompleted)
        {
            Wrong.Add("the second wait ended before it was stopped");
        }

        Stopwatch watch = Stopwatch.StartNew();
        await ctrlC.CancelAsync().ConfigureAwait(false);
        await all.ConfigureAwait(false);
        Back = watch.Elapsed;
    }

    private async Task RewrapAsync(string id, CancellationToken cancellation)
    {
        ListeningHost host = new();
        Operation op = new("Update-CmekCluster", _session, host, cancellation);
        try
        {
            CmekCluster cluster = await _session.Cloud.GetClusterAsync(id, cancellation).ConfigureAwait(false);
            CmekStatus status = await Updating.RewrapAsync(
                cluster, [], true, new SwitchOptions(true, s_limit, false), op).ConfigureAwait(false);
            if (status.State != CmekState.ENABLED || cancellation.IsCancellationRequested)
            {
                Add($"{cluster.Name} ended {status.State}");
            }

            // What comes after the wait needs keys and a token of now.
            await _session.GetProvider(cluster.Provider).GetKeyAsync(status.Regions[0].KeyUri!, op).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // As it should.
        }
        catch (CmekException e)
        {
            Add($"{id}: {e.ErrorId}: {e.Message}");
        }
    }

    private void Judge()
    {
        if (MoreBytes > 50 * 1048576)
        {
            Add("more than 50 MB more");
        }

        if (MostInASecond > Pacers.CloudRequestsPerSecond || Refused > 0)
        {
            Add("more requests than the service takes");
        }

        if (AwsKeys < 2 || GoogleTokens < 2)
        {
            Add("keys or a token were not renewed");
        }

        if (Back > TimeSpan.FromSeconds(1))
        {
            Add("not back within a second");
        }
    }

    private void Add(string wrong)
    {
        lock (_lock)
        {
            Wrong.Add(wrong);
        }
    }

    private void Measure(long bytes)
    {
        _server.ClearExchanges();
        MoreBytes = Math.Max(MoreBytes, GC.GetTotalMemory(forceFullCollection: true) - bytes);
    }

    // Every request, before it is answered.
    private SandboxResponse? Look(SandboxRequest request)
    {
        lock (_lock)
        {
            if (request.RawPath == "/token")
            {
                GoogleTokens++;
                _tokenAt = _clock.Elapsed;
                return SandboxResponse.Json(new JsonObject
                {
                    ["access_token"] = _server.Environment["GOOGLE_SANDBOX_ACCESS_TOKEN"],
                    ["token_type"] = "Bearer",
                    ["expires_in"] = 36000,
                });
            }

            if (request.Service == "cloud")
            {
                CountCloud();
                return null;
            }

            if (request.Service.StartsWith("gcp-", StringComparison.Ordinal) && _clock.Elapsed - _tokenAt > s_googleToken)
            {
                Ended++;
                return SandboxResponse.Json(
                    new JsonObject
                    {
                        ["error"] = new JsonObject { ["code"] = 401, ["status"] = "UNAUTHENTICATED", ["message"] = "The token has ended." },
                    },
                    401);
            }

            string asked = Path.Combine(_folder, "asked");
            if (request.Service is "kms" or "iam" or "sts" && DateTime.UtcNow - File.GetLastWriteTimeUtc(asked) > s_awsKeys + _onTheWay)
            {
                Ended++;
                return new SandboxResponse
                {
                    Status = 400,
                    ContentType = "application/x-amz-json-1.1",
                    Body = """{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}""",
                };
            }

            AwsKeys = File.Exists(asked) ? File.ReadAllLines(asked).Length : 0;
            return null;
        }
    }

    private void CountCloud()
    {
        CloudRequests++;
        TimeSpan now = _clock.Elapsed;
        while (_second.TryPeek(out TimeSpan first) && now - first >= TimeSpan.FromSeconds(1))
        {
            _second.Dequeue();
        }

        _second.Enqueue(now);
        MostInASecond = Math.Max(MostInASecond, _second.Count);
        Refused += _second.Count > _server.Options.RateLimit ? 1 : 0;
    }

    // A profile whose program gives keys for seconds, and a service account whose token is asked for here.
    private void WriteCredentials()
    {
        string script = Path.Combine(_folder, "keys.sh");
        File.WriteAllText(
            script,
            $$"""
            echo asked >> '{{_folder}}/asked'
            end=$(date -u -d '+{{(s_early + s_awsKeys).TotalSeconds}} seconds' +%Y-%m-%dT%H:%M:%SZ)
            echo '{"Version":1,"AccessKeyId":"{{_server.Environment["AWS_ACCESS_KEY_ID"]}}",'
            echo '"SecretAccessKey":"{{_server.Environment["AWS_SECRET_ACCESS_KEY"]}}","Expiration":"'$end'"}'
            """);
        string profile = Path.Combine(_folder, "aws");
        File.WriteAllText(profile, $"[long]\ncredential_process = /bin/sh {script}\n");
        using RSA key = RSA.Create(2048);
        string account = Path.Combine(_folder, "google.json");
        File.WriteAllText(account, new JsonObject
        {
            ["type"] = "service_account",
            ["project_id"] = _server.Options.GoogleProject,
            ["private_key_id"] = "1",
            ["private_key"] = key.ExportPkcs8PrivateKeyPem(),
            ["client_email"] = $"long@{_server.Options.GoogleProject}.iam.gserviceaccount.com",
            ["client_id"] = "1",
            ["token_uri"] = new Uri(_server.BaseAddress, "token").ToString(),
        }.ToJsonString());
        Environment.SetEnvironmentVariable(s_variables[0], profile);
        Environment.SetEnvironmentVariable(s_variables[1], profile + "-none");
        Environment.SetEnvironmentVariable(s_variables[2], account);
    }
}
