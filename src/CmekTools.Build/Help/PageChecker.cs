using System.Management.Automation;

namespace CmekTools.Build.Help;

/// <summary>Holds pages against the module: nothing undocumented, nothing documented that is not there.</summary>
internal static class PageChecker
{
    private const int FewestExamples = 3;

    /// <summary>What is wrong, a line each.</summary>
    public static IEnumerable<string> Check(string folder, IReadOnlyList<Page> pages, IReadOnlyList<CmdletInfo> commands)
    {
        foreach (Page page in pages.Where(p => commands.All(c => c.Name != p.Name)))
        {
            yield return new DocsException(page.File, $"The module has no command {page.Name}.").Message;
        }

        foreach (CmdletInfo command in commands)
        {
            if (pages.FirstOrDefault(p => p.Name == command.Name) is not { } page)
            {
                yield return new DocsException(Path.Combine(folder, command.Name + ".md"), $"{command.Name} has no page.").Message;
                continue;
            }

            foreach (string problem in Check(page, command))
            {
                yield return problem;
            }
        }
    }

    private static IEnumerable<string> Check(Page page, CmdletInfo command)
    {
        string[] own = [.. CommandReader.Own(command).Select(p => "-" + p.Name)];
        foreach (string missing in own.Where(o => page.Parameters.All(p => p.Name != o)))
        {
            yield return new DocsException(page.File, $"{missing} is not described.").Message;
        }

        foreach (Entry entry in page.Parameters.Where(p => !own.Contains(p.Name)))
        {
            yield return new DocsException(page.File, entry.Line, $"{command.Name} has no parameter {entry.Name}.").Message;
        }

        foreach (Entry entry in page.Parameters.Concat(page.Inputs).Concat(page.Outputs).Where(p => p.Text.Count == 0))
        {
            yield return new DocsException(page.File, entry.Line, $"Nothing is said of {entry.Name}.").Message;
        }

        foreach (
            string type in command.OutputType.Select(
                t => t.Type == typeof(void) ? "None" : t.Name).Where(t => page.Outputs.All(o => o.Name != t)))
        {
            yield return new DocsException(page.File, $"The output {type} is not described.").Message;
        }

        if (page.Description.Count == 0 || page.Inputs.Count == 0 || page.Outputs.Count == 0)
        {
            yield return new DocsException(page.File, "Description, inputs and outputs are due (### None where there are none).").Message;
        }

        if (page.Examples.Count < FewestExamples)
        {
            yield return new DocsException(page.File, $"There are {page.Examples.Count} examples; {FewestExamples} are due.").Message;
        }
    }
}
