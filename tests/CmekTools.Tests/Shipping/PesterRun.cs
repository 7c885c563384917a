using System.Globalization;
using System.Text.Json;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>What became of one test of tests/Pester.</summary>
/// <param name="Name">Its path: the blocks that it is in, and itself.</param>
/// <param name="Result">Passed, Failed, Skipped, Inconclusive or NotRun.</param>
/// <param name="Message">Why it failed or was skipped.</param>
/// <param name="Place">Its file and line.</param>
/// <param name="Seconds">How long it took.</param>
public sealed record PesterTest(string Name, string Result, string Message, string Place, double Seconds)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Runs the files of tests/Pester side by side, each worker in a PowerShell of its own.</summary>
internal static class PesterRun
{
    // Each compiles PowerShell and the module for itself, which takes longer than what a further one would gain.
    private const int Workers = 2;

    /// <summary>Runs every file of the suite and says what became of each test, and of what was not run as it should be.</summary>
    public static Task<IReadOnlyList<PesterTest>> AllAsync() => RunAsync(Path.Combine(ExternalProgram.RepositoryRoot, "tests", "Pester"));

    /// <summary>Runs every file of a folder.</summary>
    public static async Task<IReadOnlyList<PesterTest>> RunAsync(string folder)
    {
        // The largest first: the last to be taken are short, and the workers end together.
        FileInfo[] files = [.. new DirectoryInfo(folder).GetFiles("*.Tests.ps1").OrderByDescending(f => f.Length)];
        using TempFolder work = new();
        string queue = Directory.CreateDirectory(Path.Combine(work.Path, "queue")).FullName;
        string results = Directory.CreateDirectory(Path.Combine(work.Path, "results")).FullName;
        foreach ((int number, FileInfo file) in files.Index())
        {
            string entry = Path.Combine(queue, string.Create(CultureInfo.InvariantCulture, $"{number:D3}-{file.Name}"));
            await File.WriteAllTextAsync(entry, file.FullName, TestContext.Current.CancellationToken);
        }

        string worker = Path.Combine(ExternalProgram.RepositoryRoot, "tests", "Pester", "Worker.ps1");
        FinishedProgram[] ended = await Task.WhenAll(Enumerable.Range(
            0,
            Math.Min(Workers, files.Length)).Select(_ => ExternalProgram.PwshAsync(
            ["-NoProfile", "-NonInteractive", "-File", worker, "-Queue", queue, "-Results", results],
            [("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest)])));

        List<PesterTest> tests = [];
        foreach ((int number, FileInfo file) in files.Index())
        {
            string result = Path.Combine(results, string.Create(CultureInfo.InvariantCulture, $"{number:D3}-{file.Name}.json"));
            if (!File.Exists(result))
            {
                string said = string.Join('\n', ended.Where(e => e.Code != 0).Select(e => $"code {e.Code}\n{e.Output}{e.Errors}"));
                tests.Add(new PesterTest(file.Name, "Failed", $"The file was not run to its end.\n{said}", file.Name, 0));
                continue;
            }

            string text = await File.ReadAllTextAsync(result, TestContext.Current.CancellationToken);
            Report report = JsonSerializer.Deserialize<Report>(text)!;
            tests.AddRange(
                report.Broken.Select((b, i) => new PesterTest($"{file.Name} (outside its tests, {i + 1})", "Failed", b, file.Name, 0)));
            tests.AddRange(report.Tests);
            if (report.Broken.Count == 0 && report.Tests.Count == 0)
            {
                tests.Add(new PesterTest(file.Name, "Failed", "There is no test in the file.", file.Name, 0));
            }
        }

        return tests;
    }

    private sealed record Report(string File, IReadOnlyList<string> Broken, IReadOnlyList<PesterTest> Tests);
}
