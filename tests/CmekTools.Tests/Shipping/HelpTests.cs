using System.Management.Automation;
using CmekTools.Build.Help;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>What Get-Help gives of the built module.</summary>
public sealed class HelpTests
{
    [Theory]
    [InlineData("about_CmekTools")]
    [InlineData("about_CmekTools_Security")]
    [InlineData("about_CmekTools_Sandbox")]
    [InlineData("about_CmekTools_SharedState")]
    public async Task TopicsAreFoundAndFitIntoEightyColumns(string topic)
    {
        await using PowerShellSession shell = await PowerShellSession.OpenAsync();
        string text = Assert.Single(
            (await shell.InvokeAsync("param($Name) Get-Help $Name", new { Name = topic })).Expect().Output).ToString();
        Assert.Contains(topic, text, StringComparison.Ordinal);
        Assert.All(text.Split('\n'), l => Assert.True(l.Length <= 80 || l.Contains("://", StringComparison.Ordinal), l));
    }

    [Fact]
    public void APageThatDoesNotFitTheModuleIsAnErrorOfTheBuild()
    {
        using TempFolder folder = new();
        CmdletInfo command = CommandReader.Read(PowerShellSession.ModuleManifest).First(c => c.Name == "Stop-CmekSandbox");
        string file = folder.Write("Stop-CmekSandbox.md", """
            # Stop-CmekSandbox

            Stops.

            ## Description

            It stops.

            ## Parameters

            ### -Nonsense

            No.

            ## Examples

            ### One

            ```powershell
            Stop-CmekSandbox
            ```

            ```text
            ```
            """);
        string[] problems = [.. PageChecker.Check(folder.Path, [PageReader.Read(file)], [command])];
        Assert.Contains(
            problems,
            p => p.StartsWith($"{file}(11): error CMEKDOC: ", StringComparison.Ordinal)
                && p.Contains("-Nonsense", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("-Sandbox is not described", StringComparison.Ordinal));
        Assert.Contains(problems, p => p.Contains("1 examples", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("text before any title", "title")]
    [InlineData("# Other\n\nOne.\n", "file's name")]
    [InlineData("# Page\n\nOne.\n\n## Surprise\n", "none of the sections")]
    [InlineData("# Page\n\nOne.\n\n## Examples\n\n### A\n\nNo code.\n", "fence")]
    [InlineData("# Page\n\nOne.\n\n## Examples\n\n### A\n\n```powershell\n1\n```\n", "fence 'text'")]
    public void AMisshapenPageIsSaidWithItsLine(string text, string problem)
    {
        using TempFolder folder = new();
        DocsException e = Assert.Throws<DocsException>(() => PageReader.Read(folder.Write("Page.md", text)));
        Assert.Contains(problem, e.Message, StringComparison.Ordinal);
        Assert.Matches(@"Page\.md\(\d+\): error CMEKDOC: ", e.Message);
    }
}
