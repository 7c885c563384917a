using System.Diagnostics;
using CmekTools.Benchmarks.Survival;
using CmekTools.Engine;
using CmekTools.Engine.State;
using CmekTools.Sandbox;

namespace CmekTools.Benchmarks.Processes;

/// <summary>
/// Kills processes (SIGKILL) while they run commands. A life is the commands one after the other on one cluster; in the k-th life each
/// is killed at its k-th boundary: before each request, after each that changes something took effect, and at each change of a file in
/// its state folder, as soon as the system tells of it: in the write of a journal's line, a receipt or the inventory, or right behind it.
/// Where a command has no k-th one it is killed at a moment of chance, twenty times in all. The same command again then has to end as in
/// the life in which nothing was killed.
/// </summary>
internal static class Crashes
{
    private const int Told = 20;

    /// <summary>How many moments of chance each command is killed at once its boundaries are through.</summary>
    public const int Chances = 20;

    /// <summary>Kills at every boundary and prints what came of it. Returns 0 where all ended right.</summary>
    /// <param name="seed">For the moments of chance.</param>
    /// <param name="lives">At most so many lives on each cloud.</param>
    /// <param name="providers">The clouds.</param>
    /// <param name="first">The first of the lives, from 0.</param>
    public static async Task<int> RunAsync(int seed, int lives, IReadOnlyList<string> providers, int first)
    {
        Stopwatch watch = Stopwatch.StartNew();
        List<string> wrong = [];
        int boundaries = 0;
        int changes = 0;
        int chances = 0;
        foreach (string provider in providers)
        {
            UnbrokenLife wanted = await CrashLife.UnbrokenAsync(provider).ConfigureAwait(false);
            int most = Math.Min(first + lives, wanted.Commands.Max(c => c.Boundaries.Count));
            for (int n = first; n < most; n++)
            {
                CrashResult result = await CrashLife.BrokenAsync(provider, wanted, n, new Random(seed + n)).ConfigureAwait(false);
                boundaries += result.Boundaries;
                changes += result.Changes;
                chances += result.Chances;
                foreach (string line in result.Wrong)
                {
                    wrong.Add(line);
                    await Console.Out.WriteLineAsync($"{provider}, life {n}: {line}").ConfigureAwait(false);
                }

                if ((n + 1) % Told == 0)
                {
                    await Console.Out.WriteLineAsync($"{provider}: {n + 1} of {most} lives, {watch.Elapsed.TotalSeconds:0} s")
                        .ConfigureAwait(false);
                }
            }
        }

        await Console.Out.WriteLineAsync(
            $"{boundaries} processes killed at a request, {changes} at a change of a file, {chances} at a moment of chance, seed {seed}: "
                + $"{wrong.Count} ended otherwise than unbroken, in {watch.Elapsed.TotalSeconds:0} s.").ConfigureAwait(false);
        return wrong.Count == 0 ? 0 : 1;
    }
}

/// <summary>What a process is killed at.</summary>
internal enum BoundaryKind
{
    /// <summary>Before a request takes effect.</summary>
    BeforeRequest,

    /// <summary>After a request took effect, and before its answer is there.</summary>
    AfterEffect,

    /// <summary>At a change of a file in the state folder.</summary>
    FileChange,
}

/// <summary>Where a command can be cut off.</summary>
/// <param name="Kind">At what.</param>
/// <param name="Number">The request's or change's number in the command, from 0.</param>
internal sealed record Boundary(BoundaryKind Kind, int Number);

/// <summary>A command of an unbroken life.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Boundaries">Where it can be cut off.</param>
/// <param name="After">The world after it.</param>
internal sealed record UnbrokenCommand(string Name, IReadOnlyList<Boundary> Boundaries, string After);

/// <summary>A life in which nothing was killed.</summary>
internal sealed record UnbrokenLife(IReadOnlyList<UnbrokenCommand> Commands);

/// <summary>What came of a life with kills.</summary>
internal sealed class CrashResult
{
    public int Boundaries { get; set; }

    public int Changes { get; set; }

    public int Chances { get; set; }

    public List<string> Wrong { get; } = [];
}

/// <summary>One life of one cluster.</summary>
internal sealed class CrashLife : IAsyncDisposable
{
    private const string ClusterId = "6f1f0a52-7c0d-4e6e-9a54-1f2d9b6c8e10";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly SandboxServer _server;
    private readonly string _folder = Path.Combine(StatePlace.Root, "cmektools-crash-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly string _added;
    private IReadOnlyList<CmekAccess> _accesses = [];
    private string? _spare;

    private CrashLife(string provider)
    {
        (string first, _added) = provider == "AWS" ? ("us-east-1", "us-west-2") : ("us-central1", "us-east1");
        _server = SandboxServer.Start(new SandboxOptions
        {
            RateLimit = 0,
            StateTime = TimeSpan.FromMilliseconds(10),
            Clusters = [new SandboxClusterOptions("shop", provider, [first]) { Id = ClusterId }],
        });
    }

    /// <summary>Lives it without a kill.</summary>
    /// <param name="provider">AWS or GCP.</param>
    /// <param name="only">Of these commands; all where null.</param>
    public static async Task<UnbrokenLife> UnbrokenAsync(string provider, IReadOnlyList<string>? only = null)
    {
        CrashLife life = new(provider);
        await using (life.ConfigureAwait(false))
        {
            List<UnbrokenCommand> commands = [];
            foreach (string command in only ?? Commands.All)
            {
                life._server.ClearExchanges();
                int changes = 0;
                using (life.Watch(() => Interlocked.Increment(ref changes)))
                {
                    await life.RunHereAsync(command).ConfigureAwait(false);
                }

                bool[] writes = [.. life._server.Exchanges.OrderBy(e => e.Request.Number).Select(e => e.Request.IsWrite)];
                Boundary[] requests =
                [
                    .. writes.SelectMany(
                        (write, n) => new[] { new Boundary(BoundaryKind.BeforeRequest, n), new Boundary(BoundaryKind.AfterEffect, n) }
                            .Take(write ? 2 : 1)),
                ];

                // By turns, so that also a part of the lives has some of each.
                IEnumerable<Boundary> all = requests.Select((r, i) => (r, (double)i / requests.Length))
                    .Concat(Enumerable.Range(0, changes).Select(n => (r: new Boundary(BoundaryKind.FileChange, n), (n + 0.5) / changes)))
                    .OrderBy(x => x.Item2).Select(x => x.r);
                commands.Add(new UnbrokenCommand(command, [.. all], SandboxPicture.Take(life._server)));
            }

            return new UnbrokenLife(commands);
        }
    }

    /// <summary>Lives it with a kill in each command.</summary>
    /// <param name="provider">AWS or GCP.</param>
    /// <param name="wanted">The life without.</param>
    /// <param name="nth">Each command is killed at this one of its boundaries.</param>
    /// <param name="random">For those that have fewer.</param>
    /// <param name="only">Only these commands are killed; all where null.</param>
    public static async Task<CrashResult> BrokenAsync(
        string provider, UnbrokenLife wanted, int nth, Random random, IReadOnlyList<string>? only = null)
    {
        CrashResult result = new();
        CrashLife life = new(provider);
        await using (life.ConfigureAwait(false))
        {
            foreach (UnbrokenCommand command in wanted.Commands)
            {
                string where = "no kill";
                try
                {
                    if (only?.Contains(command.Name) ?? nth < command.Boundaries.Count + Crashes.Chances)
                    {
                        where = await life.KillAsync(command, nth, random, result).ConfigureAwait(false);
                    }

                    if (where.Length > 0 && !life.HasEnded(command.Name))
                    {
                        await life.RunHereAsync(command.Name).ConfigureAwait(false);
                    }
                }
                catch (CmekException e)
                {
                    result.Wrong.Add($"{command.Name}, {where}: failed when run again: {e.ErrorId}: {e.Message}");
                    return result;
                }

                string after = SandboxPicture.Take(life._server);
                if (after != command.After)
                {
                    result.Wrong.Add($"{command.Name}, {where}: the world is\n{after}\nand not\n{command.After}");
                    return result;
                }
            }
        }

        return result;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync().ConfigureAwait(false);
        Directory.Delete(_folder, recursive: true);
    }

    // Where it was killed; empty where it had ended by then and is not to be run again.
    private async Task<string> KillAsync(UnbrokenCommand command, int nth, Random random, CrashResult result)
    {
        using WorkerProcess worker = await WorkerProcess.StartAsync(_server, _folder).ConfigureAwait(false);
        Order order = OrderOf(command.Name);
        string where;
        Task<string?> run;
        if (nth < command.Boundaries.Count)
        {
            Boundary boundary = command.Boundaries[nth];
            where = $"killed at {boundary}";
            if (boundary.Kind == BoundaryKind.FileChange)
            {
                int changes = -1;
                using FileSystemWatcher watcher = Watch(() =>
                {
                    if (Interlocked.Increment(ref changes) == boundary.Number)
                    {
                        worker.Kill();
                    }
                });
                run = worker.RunAsync(order);
                await run.WaitAsync(s_patience).ConfigureAwait(false);
                result.Changes += await run.ConfigureAwait(false) == WorkerProcess.Killed ? 1 : 0;
            }
            else
            {
                Task held = HoldAt(boundary);
                run = worker.RunAsync(order);
                await Task.WhenAny(held, run).WaitAsync(s_patience).ConfigureAwait(false);
                if (held.IsCompleted)
                {
                    result.Boundaries++;
                }
            }
        }
        else
        {
            TimeSpan moment = TimeSpan.FromMilliseconds(random.Next(1, 1500));
            where = $"killed after {moment.TotalMilliseconds:0} ms";
            run = worker.RunAsync(order);
            await Task.WhenAny(run, Task.Delay(moment)).ConfigureAwait(false);
            if (!run.IsCompleted)
            {
                result.Chances++;
            }
        }

        bool ended = run.IsCompleted && await run.ConfigureAwait(false) != WorkerProcess.Killed;
        worker.Kill();
        string? answer = await run.ConfigureAwait(false);
        _server.Before = null;
        _server.After = null;
        return answer is not null && answer != WorkerProcess.Killed
            ? throw new CmekException("WorkerFailed", CmekErrorKind.InvalidOperation, answer)
            : ended && !GivesSomething(command.Name) ? string.Empty : where;
    }

    // Tells of each change of a file in the state folder.
    private FileSystemWatcher Watch(Action changed)
    {
        StateFiles.EnsureFolder(_folder);
        FileSystemWatcher watcher = new(_folder)
        {
            IncludeSubdirectories = true,
            NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size,
        };
        watcher.Created += (_, _) => changed();
        watcher.Changed += (_, _) => changed();
        watcher.Renamed += (_, _) => changed();
        watcher.Deleted += (_, _) => changed();
        watcher.EnableRaisingEvents = true;
        return watcher;
    }

    private Task HoldAt(Boundary boundary)
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource never = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int count = -1;
        int chosen = 0;
        _server.Before = async r =>
        {
            if (Interlocked.Increment(ref count) == boundary.Number)
            {
                chosen = r.Number;
                if (boundary.Kind == BoundaryKind.BeforeRequest)
                {
                    held.TrySetResult();
                    await never.Task.ConfigureAwait(false);
                }
            }

            return null;
        };
        _server.After = async (r, _) =>
        {
            if (boundary.Kind == BoundaryKind.AfterEffect && r.Number == chosen)
            {
                held.TrySetResult();
                await never.Task.ConfigureAwait(false);
            }

            return null;
        };
        return held.Task;
    }

    // A rotation whose end is on record makes a new version when it is run again, as it is meant to.
    private bool HasEnded(string command) => command == "rewrap"
        && JournalReader.Read(Path.Combine(_folder, "journal.jsonl")).LastOrDefault(e => e.Kind == "cmek:RotateRun")?.Outcome == "done";

    private static bool GivesSomething(string command) => command is "begin" or "generation" or "region" or "spare";

    private async Task RunHereAsync(string command)
    {
        using SessionContext session = Commands.Connect(WorkerProcess.Variables(_server), _folder);
        Commands.Outcome outcome = await Commands.RunAsync(OrderOf(command), session, CancellationToken.None).ConfigureAwait(false);
        if (GivesSomething(command))
        {
            _accesses = outcome.Accesses;
            _spare = command == "spare" ? outcome.Keys.Single().KeyUri : null;
        }
    }

    private Order OrderOf(string command) => new(
        command,
        ClusterId,
        command is "move" or "add-region" ? _accesses : [],
        command switch { "region" => _added, "remove" => _spare, _ => null });
}
