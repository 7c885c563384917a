using System.Management.Automation;
using System.Xml;
using System.Xml.Linq;

namespace CmekTools.Build.Help;

/// <summary>Makes the module's help from the pages.</summary>
internal static class HelpMaker
{
    /// <summary>Reads cmdlets/ and about/ of a folder and writes the help of a module.</summary>
    /// <param name="docs">The folder docs/.</param>
    /// <param name="manifest">The built module's manifest.</param>
    /// <param name="output">The folder for the help, en-US/ of the module.</param>
    /// <returns>What is wrong with the pages, a line each; nothing is written then.</returns>
    public static IReadOnlyList<string> Make(string docs, string manifest, string output)
    {
        string folder = Path.Combine(docs, "cmdlets");
        Page[] pages = ReadPages(folder);
        IReadOnlyList<CmdletInfo> commands = CommandReader.Read(Path.GetFullPath(manifest));
        string[] problems = [.. PageChecker.Check(folder, pages, commands)];
        if (problems.Length > 0)
        {
            return problems;
        }

        Directory.CreateDirectory(output);
        XDocument help = MamlWriter.Write(pages.Join(commands, p => p.Name, c => c.Name, (p, c) => (p, c)));
        using (
            XmlWriter writer = XmlWriter.Create(
                Path.Combine(output, "CmekTools.Module.dll-Help.xml"),
                new XmlWriterSettings { Indent = true, NewLineChars = "\n" }))
        {
            help.Save(writer);
        }

        foreach (string topic in Directory.GetFiles(Path.Combine(docs, "about"), "about_*.md").Order(StringComparer.Ordinal))
        {
            File.WriteAllText(Path.Combine(output, Path.GetFileNameWithoutExtension(topic) + ".help.txt"), AboutWriter.Write(topic));
        }

        const string Errors = "about_CmekTools_Errors";
        File.WriteAllText(
            Path.Combine(output, Errors + ".help.txt"),
            AboutWriter.WriteErrors(
                Path.Combine(docs, "errors.md"),
                Errors,
                "What each error of CmekTools means, and what to do about it."));
        const string Shared = "about_CmekTools_SharedState";
        File.WriteAllText(
            Path.Combine(output, Shared + ".help.txt"),
            AboutWriter.WritePage(
                Path.Combine(docs, "shared-state.md"),
                Shared,
                "One state for several machines and operators: what is where, whom to trust, who may change what at once."));
        return [];
    }

    public static Page[] ReadPages(string folder) =>
        [.. Directory.GetFiles(folder, "*.md").Order(StringComparer.Ordinal).Select(PageReader.Read)];
}
