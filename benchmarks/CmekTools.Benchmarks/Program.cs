using System.Globalization;
using CmekTools.Benchmarks.BreakGlass;
using CmekTools.Benchmarks.Inputs;
using CmekTools.Benchmarks.Processes;
using CmekTools.Benchmarks.Survival;

// dotnet run -c Release --project benchmarks/CmekTools.Benchmarks --
//   survive [--seed N] [--lives N] [--rate 0.2] [--side-by-side N] [--verbose]
//   inputs [--count N] [--seed N]
//   crashes [--seed N] [--lives N]
//   restarts [--provider AWS|GCP] [--form Refused|Answerless|Hanging] [--lives N]
//   long [--clusters 50] [--minutes 115] [--grace SECONDS]
//   races [--seed N] [--count N] [--processes N]
//   break-glass [--clusters 40]
Dictionary<string, string> options = new(StringComparer.OrdinalIgnoreCase);
for (int i = 1; i < args.Length; i++)
{
    options[args[i]] = i + 1 < args.Length && !args[i + 1].StartsWith("--", StringComparison.Ordinal) ? args[++i] : string.Empty;
}

double Number(string name, double standard) => options.TryGetValue(name, out string? text)
    ? double.Parse(text, CultureInfo.InvariantCulture)
    : standard;

switch (args.FirstOrDefault())
{
    case "survive":
        return await Survive.RunAsync(
            (int)Number("--seed", 1),
            (int)Number("--lives", 1000),
            Number("--rate", 0.2),
            (int)Number("--side-by-side", 2 * Environment.ProcessorCount),
            options.ContainsKey("--verbose"));
    case LifeProcess.Verb:
        return await LifeProcess.RunAsync();
    case "inputs":
        int count = (int)Number("--count", 1_000_000);
        List<string> wrong = Parsers.Run(count, (int)Number("--seed", 1));
        foreach (string line in wrong)
        {
            await Console.Out.WriteLineAsync(line);
        }

        await Console.Out.WriteLineAsync(
            $"{count} wrong inputs for {Parsers.All.Count} parsers: {wrong.Count} ended with what is no error of "
                + "CmekTools, or not in time.");
        return wrong.Count == 0 ? 0 : 1;
    case "crashes":
        return await Crashes.RunAsync((int)Number("--seed", 1), (int)Number("--lives", int.MaxValue));
    case "restarts":
        return await Restarts.RunAsync(
            options.TryGetValue("--provider", out string? cloud) ? [cloud.ToUpperInvariant()] : ["AWS", "GCP"],
            options.TryGetValue("--form", out string? form) ? [Enum.Parse<AwayForm>(form, ignoreCase: true)] : Enum.GetValues<AwayForm>(),
            (int)Number("--lives", int.MaxValue));
    case "long":
        return await LongWait.RunAsync(
            (int)Number("--clusters", 50),
            TimeSpan.FromMinutes(Number("--minutes", 115)),
            TimeSpan.FromSeconds(Number("--grace", 20)));
    case "races":
        return await Races.RunAsync((int)Number("--seed", 1), (int)Number("--count", 1000), (int)Number("--processes", 2));
    case "worker":
        return await Worker.RunAsync();
    case "break-glass":
        return await ReachTable.RunAsync((int)Number("--clusters", 40));
    case "other-side":
        return await OtherSide.RunAsync((int)Number("--clusters", 1), options["--regions"].Split(','));
    default:
        await Console.Error.WriteLineAsync(
            "survive [--seed N] [--lives N] [--rate SHARE] [--side-by-side N] [--verbose]: whole lives of keys on services that fail\n"
                + "inputs [--count N] [--seed N]: wrong input for every parser\n"
                + "crashes [--seed N] [--lives N]: processes killed at each request\n"
                + "restarts [--provider AWS|GCP] [--form FORM] [--lives N]: a service goes away for ten minutes at each request\n"
                + "long [--clusters N] [--minutes N] [--grace SECONDS]: a long wait for many clusters, with credentials that end\n"
                + "races [--seed N] [--count N] [--processes N]: processes on the same keys at once, and a stranger\n"
                + "break-glass [--clusters N]: how soon the last key is cut").ConfigureAwait(false);
        return 2;
}
