using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Pipeline;

/// <summary>Importing is light: the clouds' libraries come with the first call that needs them.</summary>
public sealed class ImportTests
{
    [Fact]
    public async Task ImportingLoadsNothingButTheModulesOwnTwoAssemblies()
    {
        // A process of its own: this one has loaded all of them for the sandbox.
        const string Script = """
            function Get-Loaded {
                foreach ($a in [System.AppDomain]::CurrentDomain.GetAssemblies()) {
                    "$([System.Runtime.Loader.AssemblyLoadContext]::GetLoadContext($a).Name)/$($a.GetName().Name)"
                }
            }
            # What PowerShell itself has loaded, for its own commands too, is not ours.
            Get-Command Import-Module, Get-Date, Get-Process | Out-Null
            $before = Get-Loaded
            Import-Module $env:CMEKTOOLS_MODULE
            $after = Get-Loaded
            (Get-Command -Module CmekTools).Count
            foreach ($one in $after) { if ($before -notcontains $one) { $one } }
            """;
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            ["-NoProfile", "-NonInteractive", "-Command", Script], [("CMEKTOOLS_MODULE", PowerShellSession.ModuleManifest)])).Expect();
        string[] lines = run.Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.True(int.Parse(lines[0], System.Globalization.CultureInfo.InvariantCulture) >= 27, "the module's commands are not there");
        Assert.Equal(["CmekTools/CmekTools.Module", "Default/CmekTools"], lines[1..].Order(StringComparer.Ordinal));
    }
}
