using System.Diagnostics;

namespace CmekTools.Benchmarks.Survival;

/// <summary>Lives many lives, some side by side, each in a process, and prints what came of them in the order of their seeds.</summary>
internal static class Survive
{
    /// <summary>Lives the lives of the seeds from the first on. Returns 0 where all ended right.</summary>
    /// <param name="seed">The first seed.</param>
    /// <param name="lives">How many.</param>
    /// <param name="rate">The share of the requests that go wrong.</param>
    /// <param name="sideBySide">How many at a time.</param>
    /// <param name="verbose">Print each life, and not just what went wrong.</param>
    public static async Task<int> RunAsync(int seed, int lives, double rate, int sideBySide, bool verbose)
    {
        Stopwatch watch = Stopwatch.StartNew();
        Totals totals = new();
        int next = -1;
        TaskCompletionSource<LifeResult>[] results =
        [
            .. Enumerable.Range(0, lives).Select(
                _ => new TaskCompletionSource<LifeResult>(TaskCreationOptions.RunContinuationsAsynchronously)),
        ];
        Task[] workers = [.. Enumerable.Range(0, Math.Min(sideBySide, lives)).Select(_ => WorkAsync())];
        foreach (TaskCompletionSource<LifeResult> result in results)
        {
            await TellAsync(await result.Task.ConfigureAwait(false), totals, verbose).ConfigureAwait(false);
        }

        await Task.WhenAll(workers).ConfigureAwait(false);
        await Console.Out.WriteLineAsync(
            $"{lives} lives from seed {seed}, {rate:P0} of the requests going wrong: {lives - totals.Wrong} ended right, {totals.Wrong} "
            + $"wrong. {totals.Requests} requests, {totals.Hit} of them hit; {totals.Again} commands were run again; "
            + $"{totals.Simulated.TotalHours:0} simulated hours in {watch.Elapsed.TotalSeconds:0} s.").ConfigureAwait(false);
        return totals.Wrong == 0 ? 0 : 1;

        async Task WorkAsync()
        {
            LifeProcess process = LifeProcess.Start();
            try
            {
                for (int n = Interlocked.Increment(ref next); n < lives; n = Interlocked.Increment(ref next))
                {
                    LifeResult? life = await process.LiveAsync(seed + n, rate).ConfigureAwait(false);
                    if (life is null)
                    {
                        life = new LifeResult(LifeOptions.Of(seed + n, rate));
                        life.Faults.Add("its process ended, or did not end it");
                        process.Dispose();
                        process = LifeProcess.Start();
                    }

                    results[n].SetResult(life);
                }
            }
            catch (IOException e)
            {
                // The process cannot be spoken to: whoever waits for the rest is told.
                foreach (TaskCompletionSource<LifeResult> result in results)
                {
                    result.TrySetException(e);
                }
            }
            finally
            {
                process.Dispose();
            }
        }
    }

    private static async Task TellAsync(LifeResult life, Totals totals, bool verbose)
    {
        totals.Again += life.Again;
        totals.Requests += life.Requests;
        totals.Hit += life.Hit;
        totals.Simulated += life.Simulated;
        IEnumerable<string> lines = [];
        if (life.Faults.Count > 0)
        {
            totals.Wrong++;
            await Console.Out.WriteLineAsync($"life {life.Options.Seed} ({life.Options}) ended wrong:").ConfigureAwait(false);
            lines = life.Faults.Concat(life.Trace.TakeLast(verbose ? 400 : 3));
        }
        else if (verbose)
        {
            await Console.Out.WriteLineAsync(
                $"life {life.Options.Seed}: right, {life.Requests} requests, {life.Again} commands again, {life.Simulated}")
                    .ConfigureAwait(false);
            lines = life.Trace.Where(t => !t.EndsWith(": done", StringComparison.Ordinal));
        }

        foreach (string line in lines)
        {
            await Console.Out.WriteLineAsync("  " + line).ConfigureAwait(false);
        }

        await Console.Out.FlushAsync().ConfigureAwait(false);
    }

    private sealed class Totals
    {
        public int Wrong { get; set; }

        public int Again { get; set; }

        public long Requests { get; set; }

        public long Hit { get; set; }

        public TimeSpan Simulated { get; set; }
    }
}
