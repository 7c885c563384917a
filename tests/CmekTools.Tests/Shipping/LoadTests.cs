using System.Reflection;
using System.Reflection.Emit;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The module beside other modules that bring other versions of its assemblies: the reason for its own load context.</summary>
public sealed class LoadTests : IDisposable
{
    private readonly DirectoryInfo _fakes = Directory.CreateTempSubdirectory("cmek-load-");

    public LoadTests()
    {
        foreach (
            (string name, string version) in new[]
            {
                ("AWSSDK.Core", "3.3.0.0"), ("Google.Apis", "1.40.0.0"), ("Newtonsoft.Json", "9.0.0.0"),
            })
        {
            // The same name and the same key, as another version of the real one would have, and nothing in it that we need.
            AssemblyName real = AssemblyName.GetAssemblyName(
                Path.Combine(Path.GetDirectoryName(PowerShellSession.ModuleManifest)!, "bin", name + ".dll"));
            AssemblyName fake = new(name) { Version = new Version(version) };
            fake.SetPublicKey(real.GetPublicKey());
            PersistedAssemblyBuilder assembly = new(fake, typeof(object).Assembly);
            assembly.DefineDynamicModule(name).DefineType("Other.Version", TypeAttributes.Public).CreateType();
            assembly.Save(Path.Combine(_fakes.FullName, name + ".dll"));
        }
    }

    public void Dispose() => _fakes.Delete(recursive: true);

    [Theory]
    [InlineData("Before")]
    [InlineData("After")]
    public async Task ItWorksBesideOtherVersionsOfItsAssembliesTwiceAgainAndInTwoRunspaces(string when)
    {
        string script = Path.Combine(ExternalProgram.RepositoryRoot, "tests", "CmekTools.Tests", "Scripts", "load.ps1");
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            [
                "-NoProfile",
                "-NonInteractive",
                "-File",
                script,
                "-Module",
                PowerShellSession.ModuleManifest,
                "-Fakes",
                _fakes.FullName,
                "-When",
                when,
            ])).Expect();
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string stage in new[] { "first", "twice", "again", "runspace1", "runspace2" })
        {
            Assert.Contains($"{stage} ENABLED ENABLED", lines);
        }

        Assert.Contains("removed 0", lines);
        foreach (
            string fake in (string[])
            [
                "fake AWSSDK.Core 3.3.0.0", "fake Google.Apis 1.40.0.0", "fake Newtonsoft.Json 9.0.0.0",
                "context AWSSDK.Core 3 Default", "context AWSSDK.Core 4 CmekTools", "context Google.Apis 1 CmekTools",
            ])
        {
            Assert.Contains(fake, lines);
        }
    }
}
