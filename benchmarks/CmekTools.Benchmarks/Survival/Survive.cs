using System.Diagnostics;

namespace CmekTools.Benchmarks.Survival;

/// <summary>Lives many lives, one after the other, and prints what came of them.</summary>
internal static class Survive
{
    /// <summary>Lives the lives of the seeds from the first on. Returns 0 where all ended right.</summary>
    public static async Task<int> RunAsync(int seed, int lives, double rate, bool verbose)
    {
        Stopwatch watch = Stopwatch.StartNew();
        int wrong = 0;
        int again = 0;
        long requests = 0;
        long hit = 0;
        TimeSpan simulated = TimeSpan.Zero;
        for (int n = 0; n < lives; n++)
        {
            LifeResult life = await LifeAsync(LifeOptions.Of(seed + n, rate)).ConfigureAwait(false);
            again += life.Again;
            requests += life.Requests;
            hit += life.Hit;
            simulated += life.Simulated;
            if (life.Faults.Count > 0)
            {
                wrong++;
                await Console.Out.WriteLineAsync($"life {life.Options.Seed} ({life.Options}) ended wrong:").ConfigureAwait(false);
                foreach (string line in life.Faults.Concat(life.Trace.TakeLast(verbose ? 400 : 3)))
                {
                    await Console.Out.WriteLineAsync("  " + line).ConfigureAwait(false);
                }
            }
            else if (verbose)
            {
                await Console.Out.WriteLineAsync(
                    $"life {life.Options.Seed}: right, {life.Requests} requests, {life.Again} commands again, {life.Simulated}")
                        .ConfigureAwait(false);
                foreach (string line in life.Trace.Where(t => !t.EndsWith(": done", StringComparison.Ordinal)))
                {
                    await Console.Out.WriteLineAsync("  " + line).ConfigureAwait(false);
                }
            }
        }

        await Console.Out.WriteLineAsync(
            $"{lives} lives from seed {seed}, {rate:P0} of the requests going wrong: {lives - wrong} ended right, {wrong} wrong. "
            + $"{requests} requests, {hit} of them hit; {again} commands were run again; {simulated.TotalHours:0} simulated hours in "
                + $"{watch.Elapsed.TotalSeconds:0} s.")
            .ConfigureAwait(false);
        return wrong == 0 ? 0 : 1;
    }

    // A life that hangs is one that ended wrong.
    private static async Task<LifeResult> LifeAsync(LifeOptions options)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(3));
        try
        {
            return await WholeLife.LiveAsync(options, limit.Token).WaitAsync(
                TimeSpan.FromMinutes(4),
                CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            LifeResult hung = new(options);
            hung.Faults.Add("it did not end in 3 minutes of real time");
            return hung;
        }
    }
}
