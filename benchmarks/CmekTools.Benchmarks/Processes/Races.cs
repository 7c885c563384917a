using System.Diagnostics;
using System.Text.Json.Nodes;
using CmekTools.Benchmarks.Survival;
using CmekTools.Engine;
using CmekTools.Sandbox;
using CmekTools.Sandbox.Aws;
using CmekTools.Sandbox.Aws.Kms;
using CmekTools.Sandbox.Aws.Policies;
using CmekTools.Sandbox.CloudApi;
using CmekTools.Sandbox.Gcp;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// Processes that grant, revoke, restore and rotate on the same keys at the same moment, and a stranger who edits the same policies.
/// After each race no statement of anybody's may be lost or there twice, and whoever a revocation said was cut off must be so.
/// </summary>
internal static class Races
{
    /// <summary>Runs them and prints what came of it. Returns 0 where all ended right.</summary>
    /// <param name="seed">For the order and the pauses.</param>
    /// <param name="count">How many, half of them on each cloud.</param>
    /// <param name="processes">How many processes race.</param>
    public static async Task<int> RunAsync(int seed, int count, int processes)
    {
        Stopwatch watch = Stopwatch.StartNew();
        RaceTotals totals = new();
        foreach (string provider in (string[])["AWS", "GCP"])
        {
            RaceField field = await RaceField.OpenAsync(provider, processes).ConfigureAwait(false);
            await using (field.ConfigureAwait(false))
            {
                for (int n = 0; n < count / 2; n++)
                {
                    foreach (string line in await field.RaceAsync(seed + n, totals).ConfigureAwait(false))
                    {
                        await Console.Out.WriteLineAsync($"{provider}, race {seed + n}: {line}").ConfigureAwait(false);
                    }
                }
            }
        }

        await Console.Out.WriteLineAsync(
            $"{totals.Races} races of {processes} processes and a stranger from seed {seed}: {totals.Grants} grants, {totals.Revocations} "
            + $"revocations of which {totals.SaidCut} said that all is cut, {totals.Restores} restores, {totals.Rotations} rotations, "
            + $"{totals.Refused} refused because of the others. {totals.Wrong} ended wrong, in {totals.WrittenOver} "
            + $"others the stranger wrote over what had been done since he looked, in {watch.Elapsed.TotalSeconds:0} s.")
            .ConfigureAwait(false);
        return totals.Wrong == 0 ? 0 : 1;
    }
}

/// <summary>What came of races.</summary>
internal sealed class RaceTotals
{
    public int Races { get; set; }

    public int Grants { get; set; }

    public int Revocations { get; set; }

    public int SaidCut { get; set; }

    public int Restores { get; set; }

    public int Rotations { get; set; }

    public int Refused { get; set; }

    public int Wrong { get; set; }

    /// <summary>
    /// Races in which something is gone because the stranger wrote a policy that he had read before it was put in: KMS takes that, and
    /// whoever was quicker cannot know.
    /// </summary>
    public int WrittenOver { get; set; }
}

/// <summary>A cluster with its key, and the processes that race on it.</summary>
internal sealed class RaceField : IAsyncDisposable
{
    private const string ClusterId = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";

    // More than what a process of many on a busy machine takes between a look and a write.
    private static readonly TimeSpan s_settle = TimeSpan.FromMilliseconds(500);

    // What else may end a command here, and each says so: somebody was quicker.
    private static readonly string[] s_ofOthers =
    [
        "AccessRevoked", "PolicyNotAsWritten", "ClusterRevoked", "PreflightFailed", "KeyAccessDenied", "CmekOperationFailed",
        "KeyDisabled",
    ];

    private readonly string _provider;
    private readonly SandboxServer _server;
    private readonly string _folder = Path.Combine(StatePlace.Root, "cmektools-race-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly List<WorkerProcess> _workers = [];
    private readonly Dictionary<WorkerProcess, int> _doors = [];
    private readonly RaceTrace _trace = new();
    private WorkerProcess? _stranger;
    private CmekAccess _access = new() { ClusterId = ClusterId, Region = string.Empty };
    private int _name;

    private RaceField(string provider)
    {
        _provider = provider;
        _server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(10),
            Clusters = [new SandboxClusterOptions("shop", provider, [provider == "AWS" ? "us-east-1" : "us-central1"]) { Id = ClusterId }],
        });
    }

    private bool IsAws => _provider == "AWS";

    /// <summary>Makes the key, gives it to the cluster and starts the processes.</summary>
    public static async Task<RaceField> OpenAsync(string provider, int processes)
    {
        RaceField field = new(provider);
        try
        {
            Commands.Outcome begun = await field.HereAsync("begin").ConfigureAwait(false);
            field._access = begun.Accesses[0];

            // Half of them are on one machine, and each other one is on its own.
            for (int n = 0; n < processes; n++)
            {
                field._workers.Add(await field.StartAsync(n % 2 == 0 ? "0" : $"{n}").ConfigureAwait(false));
            }

            // A network: what is between a read and a write takes its time, and not always the same.
            field._server.Before = async _ =>
            {
                await Task.Delay(Random.Shared.Next(8)).ConfigureAwait(false);
                return null;
            };
            field._stranger = await field.StartAsync("stranger").ConfigureAwait(false);
            field._server.After = field._trace.TakeAsync;
            return field;
        }
        catch
        {
            await field.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Runs one race.</summary>
    /// <returns>What is wrong after it.</returns>
    public async Task<IReadOnlyList<string>> RaceAsync(int seed, RaceTotals totals)
    {
        Random random = new(seed);
        List<string> wrong = [];
        List<string> his = [];
        int name = ++_name;

        // In every second one there is a break-glass; in some of the others a restore of what a revocation before the race has cut.
        string first = random.Next(4) switch { 0 or 1 => "revoke", 2 => "restore", _ => "grant" };
        if (first == "restore")
        {
            await HereAsync("revoke").ConfigureAwait(false);
        }

        // The vendor's support mends a revoked cluster, and nothing does by itself.
        _server.Options = _server.Options with { VendorRecovers = first == "restore" };
        List<(WorkerProcess Worker, Order Order)> runs = [];
        for (int n = 0; n < _workers.Count; n++)
        {
            string command = n == 0 ? first : random.Next(4) == 0 ? "rewrap" : "grant";

            // A grant is for the cluster's own principal, or for another one of each process.
            runs.Add((
                _workers[n],
                new Order(
                    command,
                    ClusterId,
                    [_access],
                    command != "grant" || random.Next(2) == 0 ? null : $"racer-{n}")));
        }

        // Who is the first in the list varies with the machines.
        int turn = random.Next(_workers.Count);
        runs = [.. runs.Select((r, i) => (_workers[(i + turn) % _workers.Count], r.Order))];
        runs.Add((_stranger!, new Order(Stranger.Command, ClusterId, [_access], $"Stranger{name}")));
        int[] pauses = [.. runs.Select(_ => random.Next(40))];
        _trace.Begin(runs.Select((r, i) => KeyValuePair.Create(
            _doors[r.Worker],
            r.Worker == _stranger ? Stranger.Command : $"{i}:{r.Order.Command}{(r.Order.Key is { } key ? " " + key : string.Empty)}")));
        string?[] answers = await Task.WhenAll(runs.Select(async (r, i) =>
        {
            await Task.Delay(pauses[i]).ConfigureAwait(false);
            return await r.Worker.RunAsync(r.Order).ConfigureAwait(false);
        })).ConfigureAwait(false);
        totals.Races++;
        bool revoked = first == "revoke";
        for (int i = 0; i < runs.Count; i++)
        {
            Order order = runs[i].Order;
            switch (order.Command)
            {
                case "grant": totals.Grants++; break;
                case "revoke": totals.Revocations++; break;
                case "restore": totals.Restores++; break;
                case "rewrap": totals.Rotations++; break;
            }

            if (answers[i] is { } error)
            {
                totals.Refused++;
                if (!s_ofOthers.Contains(error.Split(':')[0]) && !error.StartsWith("Rotation", StringComparison.Ordinal)
                    && !error.StartsWith("AwsLimit", StringComparison.Ordinal))
                {
                    wrong.Add($"{order.Command} failed: {error}");
                }
            }
        }

        (WorkerProcess revoker, _) = runs[0];
        bool saidCut = revoked && revoker.SaidCut;
        totals.SaidCut += saidCut ? 1 : 0;
        bool own = CanUse(_access.AuthPrincipal!, out string why);
        if (saidCut && own)
        {
            (_trace.TakenOutBy("CmekToolsRevoke") == Stranger.Command ? his : wrong).Add(
                "the revocation said that the key is cut, and the cluster's principal can use it");
        }

        if (revoked && !saidCut)
        {
            wrong.Add($"the revocation did not say that the key is cut: {answers[0]}");
        }

        if (!revoked && !own && answers[0] is null)
        {
            string role = _access.AuthPrincipal!.Split('/')[^1];
            (IsAws && _trace.TakenOutBy($"[{role}]") == Stranger.Command ? his : wrong).Add(
                $"{first} was done, and the cluster's principal cannot use the key: {why}");
        }

        string policy = Policy();
        for (int i = 0; i < runs.Count; i++)
        {
            Order order = runs[i].Order;
            if (answers[i] is not null)
            {
                continue;
            }

            if (order.Command == "grant" && order.Key is { } principal && !CanUse(PrincipalOf(principal), out string reason))
            {
                (IsAws && _trace.TakenOutBy($"[{principal}]") == Stranger.Command ? his : wrong).Add(
                    $"the grant for {principal} was done, and it cannot use the key: {reason}");
            }

            if (order.Command == Stranger.Command && !policy.Contains(order.Key!, StringComparison.Ordinal))
            {
                wrong.Add($"the stranger's rule {order.Key} is lost");
            }
        }

        if (IsAws)
        {
            JsonObject[] all = [.. JsonNode.Parse(policy)!["Statement"]!.AsArray().Select(s => s!.DeepClone().AsObject())];
            bool sids = all.DistinctBy(s => (string?)s["Sid"]).Count() < all.Length;
            _ = all.All(s => s.Remove("Sid"));
            if (sids || all.DistinctBy(s => s.ToJsonString()).Count() < all.Length)
            {
                wrong.Add($"a statement is there twice: {policy}");
            }
        }

        string trace = _trace.ToString();
        await AgainAsync(revoked || (first == "restore" && answers[0] is not null)).ConfigureAwait(false);
        if (!CanUse(_access.AuthPrincipal!, out string still))
        {
            wrong.Add($"the restore after the race was done, and the cluster's principal cannot use the key: {still}");
        }

        totals.Wrong += wrong.Count > 0 ? 1 : 0;
        totals.WrittenOver += wrong.Count == 0 && his.Count > 0 ? 1 : 0;
        IEnumerable<string> told = wrong.Concat(his.Select(h => h + " (the stranger wrote over it)"));
        return wrong.Count + his.Count == 0 ? [] : [.. told, "who did what:" + Environment.NewLine + trace];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (WorkerProcess worker in _workers)
        {
            worker.Dispose();
        }

        _stranger?.Dispose();
        await _server.DisposeAsync().ConfigureAwait(false);
        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    // Everything as before the race, but for the receipts: the cluster has its access, and nobody else has.
    private async Task AgainAsync(bool restore)
    {
        _server.Options = _server.Options with { VendorRecovers = true };
        if (restore)
        {
            try
            {
                await HereAsync("restore").ConfigureAwait(false);
            }
            catch (CmekException)
            {
                // A rotation that a revocation took the key away from ends as ROTATE_FAILED: it is done once more.
                await HereAsync("rewrap").ConfigureAwait(false);
            }
        }

        _server.Exclusively(() =>
        {
            if (IsAws)
            {
                AwsWorld world = _server.Get<AwsService>().World;
                KmsKey key = world.Keys.Find(_access.KeyUri!)!;

                // A policy is kept with the ids of its roles.
                string[] racers =
                [
                    "Stranger",
                    .. world.Roles(_server.Options.AwsAccountId).Where(r => r.Arn.Contains("racer-", StringComparison.Ordinal))
                        .Select(r => r.UniqueId),
                ];
                JsonObject policy = JsonNode.Parse(key.Policy.Current.Show())!.AsObject();
                JsonArray statements = policy["Statement"]!.AsArray();
                foreach (JsonNode? statement in statements.ToArray())
                {
                    string text = statement!.ToJsonString();
                    if (racers.Any(r => text.Contains(r, StringComparison.Ordinal)))
                    {
                        statements.Remove(statement);
                    }
                }

                key.Policy.Set(StoredPolicy.Resource(policy.ToJsonString(), PolicyKind.Key, p => p), DateTimeOffset.MinValue);
                return true;
            }

            GcpService google = _server.Get<GcpService>();
            JsonObject bindings = google.Policies.Get(_access.KeyUri!).DeepClone().AsObject();
            foreach (JsonNode? binding in bindings["bindings"]!.AsArray())
            {
                JsonArray members = binding!["members"]!.AsArray();
                foreach (JsonNode? member in members.ToArray())
                {
                    string text = member!.ToString();
                    if (text.Contains("Stranger", StringComparison.Ordinal) || text.Contains("racer-", StringComparison.Ordinal))
                    {
                        members.Remove(member);
                    }
                }
            }

            bindings["bindings"] = new JsonArray(
                [.. bindings["bindings"]!.AsArray().Where(b => b!["members"]!.AsArray().Count > 0).Select(b => b!.DeepClone())]);
            google.Policies.Put(_access.KeyUri!, bindings, DateTimeOffset.MinValue);
            return true;
        });
    }

    private string PrincipalOf(string name) => IsAws
        ? $"arn:aws:iam::{_server.Options.AwsAccountId}:role/{name}"
        : $"{name}@{_server.Options.GoogleProject}.iam.gserviceaccount.com";

    private bool CanUse(string principal, out string why)
    {
        string? refusal = _server.Exclusively(() =>
        {
            CloudCluster cluster = _server.Get<CloudApiService>().Store.All.First(c => c.Id == ClusterId);
            IClusterKeyService service = IsAws ? _server.Get<AwsService>() : _server.Get<GcpService>();
            return service.TryUse(
                new ClusterIdentity(cluster.Id, cluster.AccountId, _server.Options.OrganizationId),
                _access.KeyUri!,
                principal);
        });
        why = refusal ?? string.Empty;
        return refusal is null;
    }

    private string Policy() => _server.Exclusively(() => IsAws
        ? _server.Get<AwsService>().World.Keys.Find(_access.KeyUri!)!.Policy.Current.Show()
        : _server.Get<GcpService>().Policies.Get(_access.KeyUri!).ToJsonString());

    private async Task<WorkerProcess> StartAsync(string folder)
    {
        Uri door = _server.AddDoor();
        WorkerProcess worker = await WorkerProcess.StartAsync(_server, Path.Combine(_folder, folder), door, s_settle)
            .ConfigureAwait(false);
        _doors[worker] = door.Port;
        return worker;
    }

    private async Task<Commands.Outcome> HereAsync(string command)
    {
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(_server), Path.Combine(_folder, "0"));
        return await Commands.RunAsync(new Order(command, ClusterId, [], null), session, CancellationToken.None).ConfigureAwait(false);
    }
}
