using System.Diagnostics;
using System.Globalization;
using Amazon.KeyManagementService;
using Amazon.KeyManagementService.Model;
using Amazon.Runtime;
using CmekTools.Engine.BreakGlass;

namespace CmekTools.Benchmarks.BreakGlass;

/// <summary>
/// How soon a break-glass has cut: with answers of 200 ms, many clusters, and a region that never answers. Ratios of one run, in one
/// table.
/// </summary>
internal static class ReachTable
{
    private const int AnswerMilliseconds = 200;
    private static readonly string[] s_five = ["us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1"];
    private static readonly string[] s_two = ["us-east-1", "us-west-2"];
    private static bool s_missed;

    /// <summary>Measures and prints; 1 where a figure is not reached.</summary>
    public static async Task<int> RunAsync(int clusters)
    {
        Console.WriteLine($"{"what",-72} {"seen",-28} reach");
        await FiveRegionsAsync().ConfigureAwait(false);
        await ManyAsync(clusters).ConfigureAwait(false);
        return s_missed ? 1 : 0;
    }

    private static async Task FiveRegionsAsync()
    {
        OtherProcess other = await OtherProcess.StartAsync(1, s_five).ConfigureAwait(false);
        await using (other.ConfigureAwait(false))
        {
            double healthy = 0;
            foreach (bool hole in (bool[])[false, true])
            {
                await other.TellAsync("answer 0").ConfigureAwait(false);
                await other.TellAsync("hole -").ConfigureAwait(false);
                using Caller caller = await Caller.ConnectAsync(other).ConfigureAwait(false);
                await caller.EnableAsync().ConfigureAwait(false);
                await other.TellAsync($"answer {AnswerMilliseconds}").ConfigureAwait(false);
                await other.TellAsync(hole ? "hole us-west-1" : "hole -").ConfigureAwait(false);
                await other.TellAsync("begin").ConfigureAwait(false);
                using CancellationTokenSource stop = new();
                Task run = caller.RevokeAsync(stop.Token);
                await UntilAsync(
                    other,
                    r => Cuts(r).Length >= (hole ? 4 : 5) && r.Any(x => x.Operation == "UpdateCmekStatus")).ConfigureAwait(false);
                SeenRequest[] seen = await other.ReportAsync().ConfigureAwait(false);
                double last = InForce(seen);
                double told = Answers(seen.First(r => r.Operation == "UpdateCmekStatus").At - caller.EnteredAt);
                if (!hole)
                {
                    healthy = last;
                    Row(
                        "one cluster, five regions: last Deny in force after the first request to AWS",
                        $"{last:0.0} answer times",
                        "<= 5",
                        last <= 5);
                    Row("REVOKE after Enter, everything healthy", $"{told:0.0} answer times", "<= 8", told <= 8);
                    await run.ConfigureAwait(false);
                }
                else
                {
                    Row(
                        "one region black-holed: the other regions",
                        $"{last:0.0} answer times ({last / healthy:0.00} x)",
                        "<= 1.2 x",
                        last <= 1.2 * healthy);
                    Row("REVOKE after Enter, one region black-holed", $"{told:0.0} answer times", "<= 8", told <= 8);

                    // Ctrl-C while a call hangs.
                    Stopwatch watch = Stopwatch.StartNew();
                    await stop.CancelAsync().ConfigureAwait(false);
                    await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    Row(
                        "Ctrl-C while a region does not answer",
                        $"back after {watch.Elapsed.TotalSeconds:0.00} s",
                        "<= 1 s",
                        watch.Elapsed.TotalSeconds <= 1);
                }

                // What is cut is given back, for the next.
                await other.TellAsync("answer 0").ConfigureAwait(false);
                await other.TellAsync("hole -").ConfigureAwait(false);
                await caller.RestoreAsync().ConfigureAwait(false);
            }

            await StopsAsync(other).ConfigureAwait(false);
        }
    }

    private static async Task StopsAsync(OtherProcess other)
    {
        double worst = 0;
        foreach (int after in (int[])[50, 250, 450, 650, 850, 1050, 1500])
        {
            using Caller caller = await Caller.ConnectAsync(other).ConfigureAwait(false);
            await other.TellAsync($"answer {AnswerMilliseconds}").ConfigureAwait(false);
            using CancellationTokenSource stop = new();

            // The keys only: the sandbox's vendor brings nobody back whose keys it did not see cut.
            Task run = caller.RevokeAsync(stop.Token, RevokeScope.KeyOnly);
            await Task.Delay(after, CancellationToken.None).ConfigureAwait(false);
            Stopwatch watch = Stopwatch.StartNew();
            await stop.CancelAsync().ConfigureAwait(false);
            await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            worst = Math.Max(worst, watch.Elapsed.TotalSeconds);

            // What was on its way when it was stopped still arrives.
            await Task.Delay(5 * AnswerMilliseconds, CancellationToken.None).ConfigureAwait(false);
            await other.TellAsync("answer 0").ConfigureAwait(false);
            await caller.RestoreAsync().ConfigureAwait(false);
        }

        Row("Ctrl-C at seven moments of a healthy run", $"back after {worst:0.00} s at most", "<= 1 s", worst <= 1);
    }

    private static async Task ManyAsync(int clusters)
    {
        OtherProcess other = await OtherProcess.StartAsync(clusters, s_two).ConfigureAwait(false);
        await using (other.ConfigureAwait(false))
        {
            using Caller caller = await Caller.ConnectAsync(other).ConfigureAwait(false);
            string[] keys = await caller.EnableAsync().ConfigureAwait(false);

            // The least that a careful loop would do with each key: read its policy, write it, read it back. And the same by somebody who
            // wants to undo it: what was there is in a file of its own, on disk, before it is written.
            await other.TellAsync($"answer {AnswerMilliseconds}").ConfigureAwait(false);
            await other.TellAsync("begin").ConfigureAwait(false);
            await BareAsync(other, keys, null).ConfigureAwait(false);
            double bare = InForce(await other.ReportAsync().ConfigureAwait(false)) * AnswerMilliseconds / 1000;
            await other.TellAsync("begin").ConfigureAwait(false);
            string folder = Directory.CreateTempSubdirectory("cmek-bare-").FullName;
            await BareAsync(other, keys, folder).ConfigureAwait(false);
            Directory.Delete(folder, recursive: true);
            double kept = InForce(await other.ReportAsync().ConfigureAwait(false)) * AnswerMilliseconds / 1000;
            await other.TellAsync("begin").ConfigureAwait(false);
            await caller.RevokeAsync(CancellationToken.None).ConfigureAwait(false);
            SeenRequest[] seen = await other.ReportAsync().ConfigureAwait(false);
            double last = InForce(seen) * AnswerMilliseconds / 1000;
            string what = $"{clusters} two-region clusters: last of {Cuts(seen).Length} Denies after the first request to AWS";
            Row(what, $"{last:0.0} s", "<= 10 s", last <= 10 && Cuts(seen).Length == keys.Length);
            Row(
                "the same, against a bare loop of the SDK",
                $"{last:0.0} s / {bare:0.0} s = {last / bare:0.0} x",
                "<= 2 x",
                last <= 2 * bare);
            Row(
                "the same, against a loop that keeps each policy on disk first",
                $"{last:0.0} s / {kept:0.0} s = {last / kept:0.0} x",
                "(told)",
                true);
        }
    }

    private static async Task BareAsync(OtherProcess other, string[] keys, string? folder)
    {
        BasicAWSCredentials credentials = new(
            (string)other.Variables["AWS_ACCESS_KEY_ID"]!,
            (string)other.Variables["AWS_SECRET_ACCESS_KEY"]!);
        Dictionary<string, AmazonKeyManagementServiceClient> clients = s_two.ToDictionary(
            r => r,
            r => new AmazonKeyManagementServiceClient(
                credentials,
                new AmazonKeyManagementServiceConfig { ServiceURL = (string)other.Variables["ADDRESS"]!, AuthenticationRegion = r }));
        await Task.WhenAll(keys.Select(async key =>
        {
            AmazonKeyManagementServiceClient client = clients[key.Split(':')[3]];
            GetKeyPolicyResponse policy = await client.GetKeyPolicyAsync(
                new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }).ConfigureAwait(false);
            if (folder is not null)
            {
                FileStream file = File.Create(Path.Combine(folder, Guid.NewGuid().ToString("N")));
                await using (file.ConfigureAwait(false))
                {
                    await file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(policy.Policy)).ConfigureAwait(false);
                    file.Flush(flushToDisk: true);
                }
            }

            await client.PutKeyPolicyAsync(
                new PutKeyPolicyRequest { KeyId = key, PolicyName = "default", Policy = policy.Policy }).ConfigureAwait(false);
            await client.GetKeyPolicyAsync(new GetKeyPolicyRequest { KeyId = key, PolicyName = "default" }).ConfigureAwait(false);
        })).ConfigureAwait(false);
        foreach (AmazonKeyManagementServiceClient client in clients.Values)
        {
            client.Dispose();
        }
    }

    private static SeenRequest[] Cuts(IEnumerable<SeenRequest> seen) => [.. seen.Where(r => r.Operation == "PutKeyPolicy")];

    // In force when it is answered.
    private static double InForce(SeenRequest[] seen) =>
        Answers(Cuts(seen).Max(r => r.At) - seen.First(r => r.Service is "kms" or "iam" or "sts").At) + 1;

    private static double Answers(TimeSpan time) => time.TotalMilliseconds / AnswerMilliseconds;

    private static async Task UntilAsync(OtherProcess other, Func<SeenRequest[], bool> done)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (watch.Elapsed < TimeSpan.FromMinutes(1) && !done(await other.ReportAsync().ConfigureAwait(false)))
        {
            await Task.Delay(100).ConfigureAwait(false);
        }
    }

    private static void Row(string what, string seen, string reach, bool reached)
    {
        s_missed |= !reached;
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{what,-72} {seen,-28} {reach}{(reached ? string.Empty : "   NOT REACHED")}"));
    }
}
