using System.Diagnostics;
using System.Globalization;

namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// This program as a process of its own that lives one life after the other: simulated time asks the whole process whether anything is
/// being worked on. It reads a seed and a rate a line, and answers each with a line of JSON.
/// </summary>
internal sealed class LifeProcess : IDisposable
{
    /// <summary>The program's first argument where it is one.</summary>
    public const string Verb = "life";

    // A life takes seconds. On a machine with other work it takes minutes.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    private readonly Process _process;

    private LifeProcess(Process process) => _process = process;

    /// <summary>Starts one.</summary>
    public static LifeProcess Start()
    {
        ProcessStartInfo start = new("dotnet", [typeof(LifeProcess).Assembly.Location, Verb])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };

        // A thread that has nothing to do sleeps at once: others have the cores, and the clock waits for it.
        start.Environment["DOTNET_ThreadPool_UnfairSemaphoreSpinLimit"] = "0";
        return new LifeProcess(Process.Start(start)!);
    }

    /// <summary>What such a process does until its input ends.</summary>
    public static async Task<int> RunAsync()
    {
        while (await Console.In.ReadLineAsync().ConfigureAwait(false) is { } line)
        {
            string[] parts = line.Split(' ');
            LifeOptions options = LifeOptions.Of(
                int.Parse(parts[0], CultureInfo.InvariantCulture),
                double.Parse(parts[1], CultureInfo.InvariantCulture));
            LifeResult life = await LiveAsync(options).ConfigureAwait(false);
            await Console.Out.WriteLineAsync(life.ToLine()).ConfigureAwait(false);
            await Console.Out.FlushAsync().ConfigureAwait(false);
        }

        return 0;
    }

    /// <summary>Has a life lived.</summary>
    /// <returns>How it ended; null where the process ended first, or does not end it: then it is of no more use.</returns>
    public async Task<LifeResult?> LiveAsync(int seed, double rate)
    {
        await _process.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{seed} {rate}")).ConfigureAwait(false);
        await _process.StandardInput.FlushAsync().ConfigureAwait(false);
        try
        {
            string? line = await _process.StandardOutput.ReadLineAsync().WaitAsync(s_limit + s_limit).ConfigureAwait(false);
            return line is null ? null : LifeResult.Read(line, LifeOptions.Of(seed, rate));
        }
        catch (TimeoutException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    // A life that hangs is one that ended wrong.
    private static async Task<LifeResult> LiveAsync(LifeOptions options)
    {
        using CancellationTokenSource limit = new(s_limit);
        try
        {
            return await WholeLife.LiveAsync(options, limit.Token).WaitAsync(s_limit + TimeSpan.FromMinutes(1), CancellationToken.None)
                .ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            LifeResult hung = new(options);
            hung.Faults.Add($"it did not end in {s_limit.TotalMinutes:0} minutes of real time");
            return hung;
        }
    }
}
