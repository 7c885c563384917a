using CmekTools.Sandbox;
using CmekTools.Sandbox.Faults;

namespace CmekTools.Benchmarks.Survival;

/// <summary>What one life is like; all of it follows from the seed.</summary>
internal sealed record LifeOptions
{
    private static readonly string[][] s_regions =
        [["us-east-1", "us-west-2", "eu-west-1"], ["us-central1", "us-east1", "europe-west1"]];

    private static readonly string[] s_aws = ["cloud", "kms", "iam"];
    private static readonly string[] s_google = ["cloud", "gcp-kms", "gcp-iam"];
    private static readonly string[] s_makesAnother = ["CreateKey", "RotateKeyOnDemand", "cryptoKeyVersions.create"];

    /// <summary>The seed.</summary>
    public required int Seed { get; init; }

    /// <summary>AWS or GCP.</summary>
    public required string Provider { get; init; }

    /// <summary>How many clusters, 1 to 5.</summary>
    public required int Clusters { get; init; }

    /// <summary>How many regions each begins with, 1 or 2; one more is added.</summary>
    public required int Regions { get; init; }

    /// <summary>The share of the requests that go wrong in a way that heals.</summary>
    public required double Rate { get; init; }

    /// <summary>How long IAM takes.</summary>
    public required TimeSpan IamLag { get; init; }

    /// <summary>How long Google's reads are behind.</summary>
    public required TimeSpan StaleReads { get; init; }

    /// <summary>
    /// In real time with short pauses, beside other work: for the tests. Else in simulated time with the pauses of the real services.
    /// </summary>
    public bool Live { get; init; }

    /// <summary>The names of the regions, the one that is added last.</summary>
    public string[] RegionNames => s_regions[Provider == "AWS" ? 0 : 1];

    /// <summary>A life by its seed.</summary>
    public static LifeOptions Of(int seed, double rate)
    {
        Random random = new(seed);
        return new LifeOptions
        {
            Seed = seed,
            Provider = seed % 2 == 0 ? "AWS" : "GCP",
            // Most users have few clusters, and a life of five takes five times as long.
            Clusters = random.Next(100) switch { < 60 => 1, < 80 => 2, < 90 => 3, < 96 => 4, _ => 5 },
            Regions = random.Next(1, 3),
            Rate = rate,
            IamLag = Pick(random, 0, 2, 60, 600),
            StaleReads = Pick(random, 0, 0, 2, 30),
        };
    }

    /// <summary>What goes wrong while a command runs.</summary>
    /// <param name="again">It is run again after a failure: then only what heals goes wrong.</param>
    /// <param name="random">Chance.</param>
    public IReadOnlyList<FaultRule> Faults(bool again, Random random)
    {
        List<FaultRule> rules = [];
        FaultKind[] healing = Live ? [.. s_healing.Except(s_slow)] : s_healing;
        if (!again && Rate > 0 && !Live)
        {
            switch (random.Next(6))
            {
                case 0:
                    // A permission that is missing for a moment.
                    rules.Add(new FaultRule { Kinds = [FaultKind.Denied], Probability = 0.05, Times = 1 });
                    break;
                case 1:
                    // A service that goes away for ten minutes.
                    rules.Add(new FaultRule
                    {
                        Service = Provider == "AWS" ? s_aws[random.Next(s_aws.Length)] : s_google[random.Next(s_google.Length)],
                        Kinds = [FaultKind.ResetBefore],
                        Probability = 0.1,
                        For = TimeSpan.FromMinutes(10),
                    });
                    break;
            }
        }

        // A call that makes something new each time, delivered twice by the network, is beyond any client.
        rules.AddRange(s_makesAnother.Select(call => new FaultRule { Operation = call, Kinds = healing, Probability = Rate }));
        rules.Add(new FaultRule { Kinds = [.. healing, FaultKind.Twice], Except = s_makesAnother, Probability = Rate });
        return rules;
    }

    /// <summary>The sandbox of the life.</summary>
    public SandboxOptions Sandbox(TimeProvider clock) => new()
    {
        Clock = clock,
        RateLimit = 0,
        StateTime = Live ? TimeSpan.FromMilliseconds(50) : TimeSpan.FromMinutes(2),
        IamLag = IamLag,
        StaleReads = StaleReads,
        Clusters = [.. Enumerable.Range(1, Clusters).Select(n => new SandboxClusterOptions("shop-" + n, Provider, RegionNames[..Regions]))],
    };

    // What takes longer than a test should.
    private static readonly FaultKind[] s_slow =
    [
        FaultKind.TimeoutBefore,
        FaultKind.TimeoutAfter,
        FaultKind.Slow,
        FaultKind.ThrottledRetryAfter,
    ];

    private static readonly FaultKind[] s_healing =
    [
        FaultKind.ResetBefore,
        FaultKind.ResetAfter,
        FaultKind.TimeoutBefore,
        FaultKind.TimeoutAfter,
        FaultKind.Throttled,
        FaultKind.ThrottledRetryAfter,
        FaultKind.ServerErrorBefore,
        FaultKind.ServerErrorAfter,
        FaultKind.CutShort,
        FaultKind.Html,
        FaultKind.Empty,
        FaultKind.Slow,
        FaultKind.Locked,
    ];

    private static TimeSpan Pick(Random random, params int[] seconds) => TimeSpan.FromSeconds(seconds[random.Next(seconds.Length)]);
}
