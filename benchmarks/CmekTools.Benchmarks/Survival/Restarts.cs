using System.Diagnostics;

namespace CmekTools.Benchmarks.Survival;

/// <summary>
/// The other side goes away and comes back: Cloud API, KMS and IAM each for ten minutes of simulated time, at each of their requests of
/// each command. The command waits it out, or ends with an error that says how to go on; the same command again then ends as in the life
/// in which nothing went away. A break-glass may also switch the key off, if it says so and the restore undoes it.
/// </summary>
internal static class Restarts
{
    /// <summary>Lives the lives and prints what came of them. Returns 0 where all ended right.</summary>
    /// <param name="providers">The clouds.</param>
    /// <param name="forms">The ways of being away.</param>
    /// <param name="lives">At most so many lives for each cloud, service and way.</param>
    public static async Task<int> RunAsync(IReadOnlyList<string> providers, IReadOnlyList<AwayForm> forms, int lives)
    {
        Stopwatch watch = Stopwatch.StartNew();
        RestartCount total = new();
        foreach (string provider in providers)
        {
            IReadOnlyList<RestartStep> wanted = await RestartLife.UnbrokenAsync(provider).ConfigureAwait(false);
            foreach (string service in RestartLife.Services(provider))
            {
                int most = Math.Min(lives, wanted.Max(w => w.Requests.GetValueOrDefault(service)));
                foreach (AwayForm form in forms)
                {
                    RestartCount count = new();
                    for (int nth = 1; nth <= most; nth++)
                    {
                        await RestartLife.BrokenAsync(provider, wanted, new Away(service, form, nth), count).ConfigureAwait(false);
                    }

                    await Console.Out.WriteLineAsync($"{provider}, {service} away, {form}: {count}").ConfigureAwait(false);
                    foreach (string line in count.Wrong)
                    {
                        await Console.Out.WriteLineAsync("  " + line).ConfigureAwait(false);
                    }

                    await Console.Out.FlushAsync().ConfigureAwait(false);
                    total.Add(count);
                }
            }
        }

        await Console.Out.WriteLineAsync($"All: {total}, in {watch.Elapsed.TotalSeconds:0} s.").ConfigureAwait(false);
        return total.Wrong.Count == 0 ? 0 : 1;
    }
}

/// <summary>How a service is away.</summary>
internal enum AwayForm
{
    /// <summary>The request does not arrive, and connections are refused from then on.</summary>
    Refused,

    /// <summary>The request takes effect, its answer does not arrive, and connections are refused from then on.</summary>
    Answerless,

    /// <summary>Connections are made, and no request is answered.</summary>
    Hanging,
}

/// <summary>A service that goes away.</summary>
/// <param name="Service">The sandbox's name of it.</param>
/// <param name="Form">How.</param>
/// <param name="Nth">With which of its requests in a command, from 1.</param>
internal sealed record Away(string Service, AwayForm Form, int Nth);

/// <summary>A command of a life in which nothing went away.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Requests">How many it sends to each service.</param>
/// <param name="After">The world after it.</param>
internal sealed record RestartStep(string Name, IReadOnlyDictionary<string, int> Requests, string After);

/// <summary>What came of outages.</summary>
internal sealed class RestartCount
{
    /// <summary>So often a service went away.</summary>
    public int Outages { get; set; }

    /// <summary>So many commands were done without being run again.</summary>
    public int WaitedOut { get; set; }

    /// <summary>So many ended with an error that says how to go on, and were run again.</summary>
    public int Again { get; set; }

    /// <summary>
    /// So many break-glasses switched a key off because they could not change or prove its policies, and said so; the restore undid it.
    /// </summary>
    public int SwitchedOff { get; set; }

    /// <summary>The longest that a key was not cut in a break-glass without the Cloud API, in simulated time.</summary>
    public TimeSpan LongestCut { get; set; }

    /// <summary>What ended wrong.</summary>
    public List<string> Wrong { get; } = [];

    /// <summary>Command and id of the errors, and how often.</summary>
    public SortedDictionary<string, int> Errors { get; } = new(StringComparer.Ordinal);

    public void Add(RestartCount other)
    {
        Outages += other.Outages;
        WaitedOut += other.WaitedOut;
        Again += other.Again;
        SwitchedOff += other.SwitchedOff;
        LongestCut = LongestCut > other.LongestCut ? LongestCut : other.LongestCut;
        Wrong.AddRange(other.Wrong);
        foreach ((string id, int times) in other.Errors)
        {
            Errors[id] = Errors.GetValueOrDefault(id) + times;
        }
    }

    public override string ToString() =>
        $"{Outages} outages, {WaitedOut} waited out, {Again} ended with an error "
            + $"({string.Join(", ", Errors.Select(e => $"{e.Key} {e.Value}"))}) and were run again, "
            + $"{SwitchedOff} break-glasses switched the key off, said so, and the restore undid it, {Wrong.Count} wrong; without the "
            + $"Cloud API the last key was cut after {LongestCut.TotalSeconds:0} s at most";
}
