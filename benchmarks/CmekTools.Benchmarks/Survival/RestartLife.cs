using CmekTools.Benchmarks.Processes;
using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.State;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Faults;

namespace CmekTools.Benchmarks.Survival;

/// <summary>One life of one cluster in simulated time, in which a service may go away for ten minutes in each command.</summary>
internal sealed class RestartLife : IAsyncDisposable
{
    private const string ClusterId = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";
    private static readonly TimeSpan s_away = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_limit = TimeSpan.FromHours(2);

    // Two questions to the service with their patience, and the policy's own requests.
    private static readonly TimeSpan s_cut = TimeSpan.FromSeconds(20);

    private static readonly Timings s_short = Timings.Sandbox with
    {
        RetryBase = TimeSpan.FromMilliseconds(4),
        StatusPoll = TimeSpan.FromMilliseconds(20),
        PropagationPoll = TimeSpan.FromMilliseconds(20),
        CutWatch = TimeSpan.FromMilliseconds(20),
        Visibility = TimeSpan.FromMilliseconds(200),
    };

    // Of the machine's time: a command takes a second of it, and minutes on a machine with other work.
    private static readonly TimeSpan s_hang = TimeSpan.FromMinutes(20);

    private readonly bool _live;
    private readonly JumpingClock? _simulated;
    private readonly TimeProvider _clock;
    private readonly DateTimeOffset _start;
    private readonly SandboxServer _server;
    private readonly Uri _cloudDoor;
    private readonly Uri _kmsDoor;
    private readonly Uri _iamDoor;
    private readonly string _folder = Path.Combine(StatePlace.Root, "cmektools-restart-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly object _lock = new();
    private readonly string _added;
    private IReadOnlyList<CmekAccess> _accesses = [];
    private string? _spare;
    private ITimer? _back;
    private Uri? _shut;
    private TimeSpan _until;
    private bool _switchedOff;
    private TimeSpan _keyWrite;

    private RestartLife(string provider, bool live)
    {
        _live = live;
        _simulated = live ? null : new JumpingClock(DateTimeOffset.UtcNow);
        _clock = (TimeProvider?)_simulated ?? TimeProvider.System;
        _start = _clock.GetUtcNow();
        (string first, _added) = provider == "AWS" ? ("us-east-1", "us-west-2") : ("us-central1", "us-east1");
        _server = SandboxServer.Start(new SandboxOptions
        {
            Clock = _clock,
            RateLimit = 0,
            StateTime = live ? TimeSpan.FromMilliseconds(10) : TimeSpan.FromMinutes(2),
            Clusters = [new SandboxClusterOptions("shop", provider, [first]) { Id = ClusterId }],
        });
        if (_simulated is not null)
        {
            _simulated.Busy = () => _server.Working > 0;
        }

        _cloudDoor = _server.AddDoor();
        _kmsDoor = _server.AddDoor();
        _iamDoor = _server.AddDoor();
        _server.After = (request, _) =>
        {
            if (request.IsWrite && request.Service is "kms" or "gcp-kms")
            {
                _keyWrite = Elapsed;
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
    }

    private TimeSpan Elapsed => _clock.GetUtcNow() - _start;

    private TimeSpan AwayFor => _live ? TimeSpan.FromMilliseconds(300) : s_away;

    /// <summary>The services that go away.</summary>
    public static IReadOnlyList<string> Services(string provider) =>
        provider == "AWS" ? ["cloud", "kms", "iam"] : ["cloud", "gcp-kms", "gcp-iam"];

    /// <summary>Lives it with all services there.</summary>
    /// <param name="provider">AWS or GCP.</param>
    /// <param name="live">
    /// In real time with short pauses, beside other work, and away for a moment: for the tests. Else in simulated time with the pauses
    /// of the real services.
    /// </param>
    public static async Task<IReadOnlyList<RestartStep>> UnbrokenAsync(string provider, bool live = false)
    {
        RestartLife life = new(provider, live);
        await using (life.ConfigureAwait(false))
        {
            List<RestartStep> steps = [];
            foreach (string command in Commands.All)
            {
                await life.RunAsync(command, null).ConfigureAwait(false);
                steps.Add(new RestartStep(
                    command,
                    life._server.Exchanges.GroupBy(e => e.Request.Service, StringComparer.Ordinal)
                        .ToDictionary(g => g.Key, g => g.Count(), StringComparer.Ordinal),
                    SandboxPicture.Take(life._server)));
            }

            return steps;
        }
    }

    /// <summary>Lives it, up to the last command that has such a request, with an outage in each command that has one.</summary>
    /// <param name="provider">AWS or GCP.</param>
    /// <param name="wanted">The life without an outage.</param>
    /// <param name="away">What goes away.</param>
    /// <param name="count">Takes what came of it.</param>
    /// <param name="live">As in <see cref="UnbrokenAsync"/>.</param>
    public static async Task BrokenAsync(
        string provider, IReadOnlyList<RestartStep> wanted, Away away, RestartCount count, bool live = false)
    {
        bool IsHit(RestartStep step) => step.Requests.GetValueOrDefault(away.Service) >= away.Nth;
        RestartLife life = new(provider, live);
        await using (life.ConfigureAwait(false))
        {
            List<RestartStep> steps = [.. wanted];
            int last = steps.FindLastIndex(IsHit);

            // What a break-glass did in a harder way is given back before the end.
            last = steps.Exists(s => s.Name == "revoke" && IsHit(s)) ? Math.Max(last, steps.FindIndex(s => s.Name == "restore")) : last;
            foreach (RestartStep step in wanted.Take(last + 1))
            {
                if (await life.StepAsync(step, IsHit(step) ? away : null, count).ConfigureAwait(false) is { } wrong)
                {
                    count.Wrong.Add($"{step.Name}, {away.Service} away from request {away.Nth}: {wrong}");
                    return;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _back?.Dispose();
        await _server.DisposeAsync().ConfigureAwait(false);
        _simulated?.Dispose();
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    // What is wrong, or null.
    private async Task<string?> StepAsync(RestartStep step, Away? away, RestartCount count)
    {
        TimeSpan begun = Elapsed;
        _keyWrite = begun;
        _switchedOff = false;
        string how = "without an outage";
        try
        {
            CmekException? failure = await TryAsync(step.Name, away).ConfigureAwait(false);
            if (away is not null)
            {
                bool isOut = _until > begun;
                count.Outages += isOut ? 1 : 0;
                count.WaitedOut += isOut && failure is null ? 1 : 0;
                count.Again += isOut && failure is not null ? 1 : 0;
                how = failure is null ? "waited out" : $"{failure.ErrorId} ({failure.Message}), run again";
                if (step.Name == "revoke" && away.Service == "cloud")
                {
                    TimeSpan cut = _keyWrite - begun;
                    count.LongestCut = count.LongestCut > cut ? count.LongestCut : cut;
                    if (cut > s_cut)
                    {
                        return $"the last key was cut after {cut.TotalSeconds:0} s";
                    }
                }

                if (failure is not null)
                {
                    string id = $"{step.Name} {failure.ErrorId}";
                    count.Errors[id] = count.Errors.GetValueOrDefault(id) + 1;
                    if (string.IsNullOrWhiteSpace(failure.RecommendedAction))
                    {
                        return $"{failure.ErrorId} says not how to go on: {failure.Message}";
                    }

                    PassOutage();
                    failure = await TryAsync(step.Name, null).ConfigureAwait(false);
                }

                PassOutage();
            }

            if (failure is not null)
            {
                return $"{how}: {failure.ErrorId}: {failure.Message}";
            }
        }
        catch (Exception e) when (e is not CmekException)
        {
            return $"ended with what is no error of CmekTools: {e}";
        }

        string after = SandboxPicture.Take(_server);
        if (after != step.After && step.Name == "revoke" && away is not null && _switchedOff)
        {
            // It may switch the key off where it could not change or prove its policies, if it says so; the restore has to undo it.
            count.SwitchedOff++;
            return null;
        }

        return after == step.After ? null : $"{how}: the world is\n{after}\nand not\n{step.After}";
    }

    private async Task<CmekException?> TryAsync(string command, Away? away)
    {
        try
        {
            await RunAsync(command, away).ConfigureAwait(false);
            return null;
        }
        catch (CmekException e)
        {
            return e;
        }
    }

    private async Task RunAsync(string command, Away? away)
    {
        using CancellationTokenSource hang = new(s_hang);
        using SessionContext session = Connect();
        await session.Cloud.GetOrganizationAsync(hang.Token).ConfigureAwait(false);
        _server.ClearExchanges();
        if (away is not null)
        {
            Plan(away);
        }

        ListeningHost host = new();
        Commands.Outcome outcome;
        try
        {
            outcome = await Commands.RunAsync(
                new Order(
                    command,
                    ClusterId,
                    command is "move" or "add-region" ? _accesses : [],
                    command switch { "region" => _added, "remove" => _spare, _ => null }),
                session,
                hang.Token,
                listener: host,
                limit: s_limit).ConfigureAwait(false);
        }
        finally
        {
            _switchedOff |= host.Told.Any(
                t => t.Contains(" was disabled, because its policy could not be changed", StringComparison.Ordinal)
                    && t.Contains("until Restore-CmekAccess enables it", StringComparison.Ordinal));
        }

        if (command is "begin" or "generation" or "region" or "spare")
        {
            _accesses = outcome.Accesses;
            _spare = command == "spare" ? outcome.Keys.Single().KeyUri : null;
        }
    }

    private SessionContext Connect()
    {
        IReadOnlyDictionary<string, string> env = _server.Environment;
        Timings timings = _live ? s_short : new();
        return new SessionContext(
            new CloudApiClient(_cloudDoor, _server.Options.ApiKey, timings, _clock),
            new CmekOrganization { Id = _server.Options.OrganizationId, Name = "Sandbox" },
            new ProviderOptions
            {
                AwsEndpoint = _kmsDoor,
                AwsIamEndpoint = _iamDoor,
                AwsCredentials = (env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]),
                GoogleKmsEndpoint = _kmsDoor,
                GoogleIamEndpoint = _iamDoor,
                GoogleAccessToken = env["GOOGLE_SANDBOX_ACCESS_TOKEN"],
                GoogleProject = _server.Options.GoogleProject,
            },
            timings,
            new JournalWriter(_folder, _clock),
            _clock);
    }

    // The outage begins with the request that the plan hits.
    private void Plan(Away away)
    {
        FaultRule whole = new()
        {
            Service = away.Service,
            Kinds = [away.Form == AwayForm.Hanging ? FaultKind.TimeoutBefore : FaultKind.ResetBefore],
            Nth = away.Nth,
            For = AwayFor,
        };
        FaultPlan plan = new(
            0,
            away.Form == AwayForm.Answerless
                ? [whole with { Kinds = [FaultKind.ResetAfter], For = TimeSpan.Zero }, whole with { Nth = away.Nth + 1 }]
                : [whole],
            _clock);
        Uri door = away.Service switch { "cloud" => _cloudDoor, "kms" or "gcp-kms" => _kmsDoor, _ => _iamDoor };
        bool begun = false;
        _server.Before = _ =>
        {
            lock (_lock)
            {
                if (plan.Counts.Count > 0 && !begun)
                {
                    begun = true;
                    _until = Elapsed + AwayFor;
                    if (away.Form != AwayForm.Hanging)
                    {
                        _server.Shut(door);
                        _shut = door;
                    }

                    _back = _clock.CreateTimer(_ => ComeBack(), null, AwayFor, Timeout.InfiniteTimeSpan);
                }
            }

            return Task.FromResult<SandboxResponse?>(null);
        };
        _server.Faults = plan;
    }

    private void ComeBack()
    {
        lock (_lock)
        {
            _server.Before = null;
            _server.Faults = null;
            _back?.Dispose();
            _back = null;
            if (_shut is { } door)
            {
                _shut = null;
                _server.Open(door);
            }
        }
    }

    // Whoever failed comes back when the service is.
    private void PassOutage()
    {
        if (_until > Elapsed)
        {
            _simulated?.Pass(_until - Elapsed);
        }

        ComeBack();
    }
}
