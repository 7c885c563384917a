using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Engine.BreakGlass;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Faults;

namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// One life of some clusters' keys on services that fail: made, granted, enabled, rotated in both ways, a region added, revoked,
/// restored, disabled, a key removed. A command that fails is run once again; then all must be as if nothing had gone wrong.
/// </summary>
internal sealed class WholeLife : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromHours(2);

    private readonly LifeOptions _options;
    private readonly Random _random;
    private readonly JumpingClock? _simulated;
    private readonly TimeProvider _clock;
    private readonly SandboxServer _server;
    private readonly Expectations _expected;
    private readonly string _folder = Path.Combine(StatePlace.Root, "cmektools-life-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly LifeResult _result;
    private readonly CancellationToken _cancellation;
    private SessionContext _session;
    private int _commands;

    private WholeLife(LifeOptions options, CancellationToken cancellation)
    {
        _options = options;
        _cancellation = cancellation;
        _random = new Random(options.Seed);
        _simulated = options.Live ? null : new JumpingClock(DateTimeOffset.UtcNow);
        _clock = (TimeProvider?)_simulated ?? TimeProvider.System;
        _server = SandboxServer.Start(options.Sandbox(_clock));
        if (_simulated is not null)
        {
            _simulated.Busy = () => _server.Working > 0;
        }

        _expected = Expectations.Begin(_server, options);
        _session = Connect();
        _result = new LifeResult(options);
    }

    /// <summary>Lives it.</summary>
    /// <param name="options">The life.</param>
    /// <param name="cancellation">Ends it.</param>
    public static async Task<LifeResult> LiveAsync(LifeOptions options, CancellationToken cancellation)
    {
        WholeLife life = new(options, cancellation);
        await using (life.ConfigureAwait(false))
        {
            await life.RunAsync().ConfigureAwait(false);
            return life._result;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _session.Dispose();
        await _server.DisposeAsync().ConfigureAwait(false);
        _simulated?.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task RunAsync()
    {
        await GreetAsync().ConfigureAwait(false);
        for (int n = 1; n <= _options.Clusters && _result.Faults.Count == 0; n++)
        {
            await ClusterAsync("shop-" + n).ConfigureAwait(false);
        }

        _result.Simulated = _simulated?.Elapsed ?? TimeSpan.Zero;
        _result.Requests = _server.Exchanges.Count;
        _result.Hit = _server.Exchanges.Count(e => e.Fault is not null);
        if (_result.Faults.Count == 0)
        {
            _server.Exclusively(() => { _result.Faults.AddRange(_expected.Violations()); return true; });
        }
    }

    private async Task ClusterAsync(string name)
    {
        CloudApiService cloud = _server.Get<CloudApiService>();
        string id = cloud.IdOf(name);
        string[] first = _options.RegionNames[.._options.Regions];
        string added = _options.RegionNames[_options.Regions];
        SwitchOptions wait = new(true, s_limit, false);
        KeyOptions rotating = new() { EnableRotation = true };

        Task<CmekCluster> Cluster(Operation op) => op.Session.Cloud.GetClusterAsync(id, op.Cancellation);
        async Task<IReadOnlyList<CmekAccess>> GrantAll(IEnumerable<CmekKey> keys)
        {
            List<CmekAccess> accesses = [];
            foreach (CmekKey key in keys)
            {
                accesses.AddRange((await DoAsync($"Grant-CmekAccess {name}/{key.Region}", async op =>
                    await op.Host.OutputAsync(
                        await Granting.GrantAsync(
                            await Cluster(op).ConfigureAwait(false),
                            key.Region!,
                            key,
                            null,
                            new PrincipalOptions(),
                            op).ConfigureAwait(false)).ConfigureAwait(false)).ConfigureAwait(false)).OfType<CmekAccess>());
            }

            return accesses;
        }

        async Task<CmekKey[]> Make(string what, string[] regions, bool newRegions, bool generation, KeyOptions options) =>
            [
                .. (
                    await DoAsync(
                        what,
                        async op =>
                            await Keys.MakeAsync(
                                await Cluster(op).ConfigureAwait(false),
                                regions,
                                newRegions,
                                generation,
                                options,
                                op).ConfigureAwait(false)).ConfigureAwait(false)).OfType<CmekKey>(),
            ];

        CmekKey[] made = await Make($"New-CmekKey {name}", [], false, false, rotating).ConfigureAwait(false);
        _expected.AddStranger(made.Select(k => k.KeyUri!));
        IReadOnlyList<CmekAccess> accesses = await GrantAll(made).ConfigureAwait(false);
        await DoAsync(
            $"Enable-CmekCluster {name}",
            async op =>
                await Enabling.EnableAsync(
                    await Cluster(op).ConfigureAwait(false),
                    accesses,
                    wait,
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        await DoAsync(
            $"Update-CmekCluster {name} -Rewrap -RotateKey",
            async op =>
                await Updating.RewrapAsync(
                    await Cluster(op).ConfigureAwait(false),
                    [],
                    true,
                    wait,
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        CmekKey[] next = await Make($"New-CmekKey {name} -NewGeneration", [], false, true, rotating).ConfigureAwait(false);
        IReadOnlyList<CmekAccess> moved = await GrantAll(next).ConfigureAwait(false);
        await DoAsync(
            $"Update-CmekCluster {name}",
            async op =>
                await Updating.MoveAsync(
                    await Cluster(op).ConfigureAwait(false),
                    moved,
                    false,
                    false,
                    wait,
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        CmekKey[] more = await Make($"New-CmekKey {name} -Region {added}", [added], true, false, rotating).ConfigureAwait(false);
        IReadOnlyList<CmekAccess> grown = await GrantAll(more).ConfigureAwait(false);
        await DoAsync(
            $"Add-CmekRegion {name}",
            async op =>
                await AddingRegion.AddAsync(
                    await Cluster(op).ConfigureAwait(false),
                    grown,
                    3,
                    wait,
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        _expected.Enabled(id, [.. moved, .. grown]);
        Check();
        await DoAsync(
            $"Revoke-CmekAccess {name}",
            op => Revocation.RevokeAsync(
                o => SubjectFinder.FindAsync([new ClusterRef(null, id, null)], o),
                new RevokeOptions { Unasked = true, Limit = s_limit },
                op)).ConfigureAwait(false);
        _expected.Revoked(id);
        _simulated?.Pass(_options.IamLag);
        Check();
        await DoAsync(
            $"Restore-CmekAccess {name}",
            async op =>
                await Restoration.RestoreAsync(
                    await Cluster(op).ConfigureAwait(false),
                    null,
                    new RestoreOptions(null, true, s_limit) { AcceptChanges = true },
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        _expected.Enabled(id, [.. moved, .. grown]);
        Check();
        await DoAsync(
            $"Disable-CmekCluster {name}",
            async op =>
                await Disabling.DisableAsync(
                    await Cluster(op).ConfigureAwait(false),
                    wait,
                    op).ConfigureAwait(false)).ConfigureAwait(false);
        KeyOptions spare = _options.Provider == "AWS"
            ? new KeyOptions { AliasName = name + "-spare" }
            : new KeyOptions { KeyName = name + "-spare" };
        CmekKey[] extra = await Make($"New-CmekKey {name} spare", [first[0]], false, false, spare).ConfigureAwait(false);
        foreach (CmekKey key in extra)
        {
            await DoAsync($"Remove-CmekKey {key.KeyUri}", op => Removing.RemoveAsync(key.KeyUri!, null, [], op)).ConfigureAwait(false);
        }

        _expected.Disabled(id);
        Check();
    }

    private void Check() => _server.Exclusively(() =>
    {
        if (_result.Faults.Count == 0)
        {
            _result.Faults.AddRange(_expected.Violations());
        }

        return true;
    });

    // Runs a command, and where it fails once again, as another process would half of the time.
    private async Task<IReadOnlyList<object>> DoAsync(string command, Func<Operation, Task> work)
    {
        if (_result.Faults.Count > 0)
        {
            return [];
        }

        CmekException? failure = null;
        for (int attempt = 1; attempt <= 2; attempt++)
        {
            _server.Faults = new FaultPlan(_random.Next(), _options.Faults(attempt > 1, _random), _clock);
            ListeningHost host = new();
            failure = await TryAsync(command, work, host).ConfigureAwait(false);
            _commands++;
            _result.Trace.Add($"{command}: {(failure is null ? "done" : $"{failure.ErrorId}: {failure.Message}")}");
            if (failure is null)
            {
                _server.Faults = null;
                _result.Trace.AddRange(host.Output.OfType<CmekKey>().Select(k => $"    {k.KeyUri} {string.Join("; ", k.Changes)}"));
                return [.. host.Output];
            }

            if (attempt == 1)
            {
                _result.Again++;
                _simulated?.Pass(TimeSpan.FromSeconds(_random.Next(1, 900)));
                if (_random.Next(2) == 0)
                {
                    _session.Dispose();
                    _session = Connect();
                    await GreetAsync().ConfigureAwait(false);
                }
            }
            else
            {
                _result.Trace.AddRange(host.Told.Select(t => "    " + t));
                _result.Trace.AddRange(_server.Exchanges.TakeLast(60).Select(e => "    " + e));
            }
        }

        _server.Faults = null;
        _result.Faults.Add($"{command} failed twice: {failure!.ErrorId}: {failure.Message}");
        return [];
    }

    private async Task<CmekException?> TryAsync(string command, Func<Operation, Task> work, ListeningHost host)
    {
        try
        {
            await work(new Operation(command.Split(' ')[0], _session, host, _cancellation)).ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            return e;
        }
        catch (Exception e) when (e is not OperationCanceledException || !_cancellation.IsCancellationRequested)
        {
            _result.Faults.Add($"{command} ended with what is no error of CmekTools: {e}");
        }

        return host.Errors.FirstOrDefault();
    }

    // As Connect-CmekCloud does: whether the address is the service's is settled before anything goes wrong.
    private async Task GreetAsync()
    {
        _server.Faults = null;
        await _session.Cloud.GetOrganizationAsync(_cancellation).ConfigureAwait(false);
    }

    private SessionContext Connect()
    {
        IReadOnlyDictionary<string, string> env = _server.Environment;
        ProviderOptions providers = new()
        {
            AwsEndpoint = _server.BaseAddress,
            AwsCredentials = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]),
            GoogleKmsEndpoint = _server.BaseAddress,
            GoogleIamEndpoint = _server.BaseAddress,
            GoogleAccessToken = env["GOOGLE_SANDBOX_ACCESS_TOKEN"],
            GoogleProject = _server.Options.GoogleProject,
        };
        // The pauses and limits of the real services cost nothing in simulated time.
        Timings timings = _options.Live
            ? Timings.Sandbox with { RetryBase = TimeSpan.FromMilliseconds(5), Visibility = TimeSpan.FromSeconds(1) }
            : new();
        return new SessionContext(
            new CloudApiClient(_server.BaseAddress, _server.Options.ApiKey, timings, _clock),
            new CmekOrganization { Id = _server.Options.OrganizationId, Name = "Sandbox" },
            providers,
            timings,
            new JournalWriter(_folder, _clock),
            _clock);
    }
}
