using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Importing is light: the clouds' libraries come with the first call that needs them.</summary>
public sealed class ImportTests
{
    [Fact]
    public async Task ImportingLoadsNoCloudAndNoHttpAssembly()
    {
        // A process of its own: this one has loaded all of them for the sandbox.
        const string Script = """
            Import-Module $env:CMEKTOOLS_MODULE
            (Get-Command -Module CmekTools).Count
            foreach ($a in [System.AppDomain]::CurrentDomain.GetAssemblies()) {
                "$([System.Runtime.Loader.AssemblyLoadContext]::GetLoadContext($a).Name)/$($a.GetName().Name)"
            }
            """;
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            ["-NoProfile", "-NonInteractive", "-Command", Script], [("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest)])).Expect();
        string[] lines = run.Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.True(int.Parse(lines[0], System.Globalization.CultureInfo.InvariantCulture) >= 27, "the module's commands are not there");
        Assert.Contains("CmekTools/CmekTools.Module", lines);

        // Newtonsoft.Json may be there for the PowerShell engine itself; it may not be there for us.
        Assert.DoesNotContain(lines, l => l == "CmekTools/Newtonsoft.Json");
        string[] names = [.. lines.Select(l => l[(l.IndexOf('/', StringComparison.Ordinal) + 1)..])];
        Assert.DoesNotContain(names, n => n.StartsWith("AWSSDK", StringComparison.Ordinal) || n.StartsWith("Google", StringComparison.Ordinal) || n is "Polly.Core" or "System.Net.Http");
    }
}
