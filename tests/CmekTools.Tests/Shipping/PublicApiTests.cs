using System.Management.Automation;
using System.Text;
using CmekTools.Build.Help;
using CmekTools.Tests.Kit;
using PublicApiGenerator;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>
/// What scripts and other modules may rely on: the commands' syntax and the public types. A change is either meant, and PublicApi.txt is
/// written anew with CMEKTOOLS_APPROVE=1, or it is a mistake.
/// </summary>
public sealed class PublicApiTests
{
    [Fact]
    public async Task ThePublicApiIsTheApprovedOne()
    {
        StringBuilder text = new();
        foreach (CmdletInfo command in CommandReader.Read(PowerShellSession.ModuleManifest))
        {
            foreach (CommandParameterSetInfo set in command.ParameterSets)
            {
                text.Append(command.Name).Append(' ').Append(set.ToString()).Append('\n');
            }
        }

        text.Append('\n').Append(
            typeof(CmekCluster).Assembly.GeneratePublicApi(
                new ApiGeneratorOptions { IncludeAssemblyAttributes = false }).ReplaceLineEndings("\n")).Append('\n');
        string file = Path.Combine(ExternalProgram.RepositoryRoot, "tests", "CmekTools.Tests", "Shipping", "PublicApi.txt");
        if (Environment.GetEnvironmentVariable("CMEKTOOLS_APPROVE") == "1")
        {
            await File.WriteAllTextAsync(file, text.ToString(), TestContext.Current.CancellationToken);
        }

        Assert.Equal(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), text.ToString());
    }
}
