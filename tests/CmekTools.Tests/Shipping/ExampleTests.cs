using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Build.Help;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// The help's examples do what the pages show, in the real PowerShell. With CMEKTOOLS_APPROVE=1 the pages' outputs are written anew
/// where they differ in more than ids, times and spaces.
/// </summary>
public sealed partial class ExampleTests : IDisposable
{
    private readonly DirectoryInfo _work = Directory.CreateTempSubdirectory("cmek-examples-");

    private static string Folder => Path.Combine(ExternalProgram.RepositoryRoot, "docs", "cmdlets");

    public void Dispose() => _work.Delete(recursive: true);

    [Fact]
    public async Task ExamplesPrintWhatThePagesShow()
    {
        Page[] pages = HelpMaker.ReadPages(Folder);
        JsonArray work = [.. pages.Select(p => (JsonNode)new JsonObject
        {
            ["Name"] = p.Name,
            ["Examples"] = new JsonArray(
                [
                    .. p.Examples.Select((e, i) => (e, i)).Where(x => x.e.NotRun is null).Select(
                        x => (JsonNode)new JsonObject { ["Number"] = x.i, ["Before"] = x.e.Before, ["Code"] = x.e.Code }),
                ]),
        })];
        await File.WriteAllTextAsync(
            Path.Combine(_work.FullName, "pages.json"),
            work.ToJsonString(),
            TestContext.Current.CancellationToken);
        string script = Path.Combine(ExternalProgram.RepositoryRoot, "tests", "CmekTools.Tests", "Scripts", "examples.ps1");
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            [
                "-NoProfile",
                "-NonInteractive",
                "-File",
                script,
                "-Module",
                PowerShellSession.ModuleManifest,
                "-Work",
                _work.FullName,
            ])).Expect();
        Dictionary<(string, int), string> printed = Printed(run.Output);

        bool update = Environment.GetEnvironmentVariable("CMEKTOOLS_APPROVE") == "1";
        List<string> drifted = [];
        foreach (Page page in pages)
        {
            List<string> lines = [.. await File.ReadAllLinesAsync(page.File, TestContext.Current.CancellationToken)];
            foreach ((Example example, int number) in page.Examples.Select((e, i) => (e, i)).Where(x => x.e.NotRun is null).Reverse())
            {
                string now = printed.GetValueOrDefault((page.Name, number), "(the script ended before this example)");
                if (Normal(now) == Normal(example.Output!))
                {
                    continue;
                }

                drifted.Add($"{page.Name} '{example.Title}'\n--- the page\n{example.Output}\n--- now\n{now}\n");
                lines.RemoveRange(example.OutputLines.First, example.OutputLines.End - example.OutputLines.First);
                lines.InsertRange(example.OutputLines.First, now.Split('\n'));
            }

            if (update)
            {
                await File.WriteAllTextAsync(page.File, string.Join('\n', lines) + "\n", TestContext.Current.CancellationToken);
            }
        }

        Assert.True(
            update || drifted.Count == 0,
            $"{drifted.Count} examples print something else than their pages show:\n{string.Join('\n', drifted)}\n{run.Errors}");
    }

    private static Dictionary<(string, int), string> Printed(string output)
    {
        Dictionary<(string, int), string> printed = [];
        foreach (Match match in Section().Matches(output))
        {
            string[] lines = [.. match.Groups["text"].Value.Split('\n').Select(l => l.TrimEnd())];
            printed[(
                match.Groups["name"].Value,
                int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture))] = string.Join('\n', lines).Trim('\n');
        }

        return printed;
    }

    // What differs from run to run: ids, times, durations, ports, the folder; and the widths of columns that follow from them.
    private static string Normal(string text)
    {
        List<string> normal = [];
        foreach (string line in text.Split('\n'))
        {
            string seen = Guids().Replace(line, "ID");
            seen = Times().Replace(seen, "TIME");
            seen = Ids().Replace(seen, "ID");
            seen = Numbers().Replace(seen, "N");
            seen = Folders().Replace(seen, "PATH");
            seen = Spaces().Replace(seen, " ").Trim();
            if (seen.Length > 0)
            {
                normal.Add(seen);
            }
        }

        // Regions are cut and restored side by side: whose line comes first is chance.
        return string.Join('\n', normal.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"<<<(?<name>\S+) (?<number>\d+)\r?\n(?<text>.*?)>>>\r?\n", RegexOptions.Singleline)]
    private static partial Regex Section();

    [GeneratedRegex("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")]
    private static partial Regex Guids();

    [
        GeneratedRegex(
            @"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?Z|[+-]\d\d:\d\d)?"
            + @"|\d{1,4}[/-]\d{1,2}[/-]\d{1,4}( \d{1,2}:\d\d(:\d\d)?( [AP]M)?( [+-]\d\d:\d\d)?)?|\d\d:\d\d:\d\d(\.\d+)?|\d{8}T?\d{6}Z?"),
    ]
    private static partial Regex Times();

    [
        GeneratedRegex(
            @"\b[0-9a-f]{8}[0-9a-f-]*…([0-9a-f]{4})?|\b([0-9a-f]{8}-)?([0-9a-f]{4}-){1,3}([0-9a-f]{12})?(?![0-9a-z])"
            + @"|\b(mrk-[0-9a-f]+|[0-9a-f]{8,}|A(ROA|KIA|SIA)[A-Z0-9]{16,17})\b"),
    ]
    private static partial Regex Ids();

    [GeneratedRegex(@"\d+(\.\d+)?")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"(/[\w.-]+)*/cmek-examples-\w+")]
    private static partial Regex Folders();

    [GeneratedRegex(@"\s+|-{3,}")]
    private static partial Regex Spaces();
}
