using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.State;

/// <summary>One process holds one version of the module.</summary>
public sealed class VersionTests
{
    [Fact]
    public async Task AnotherVersionBesideALoadedOneIsAnErrorThatSaysToStartANewSession()
    {
        using TempFolder folder = new();
        string original = Path.GetDirectoryName(PowerShellSession.ModuleManifest)!;
        foreach (string file in Directory.GetFiles(original, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(folder.Path, Path.GetRelativePath(original, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        // Another version is another version in the assembly: the same text, as long as the one that stands there.
        string manifest = Path.Combine(folder.Path, "CmekTools.psd1");
        string version = typeof(CmekCluster).Assembly.GetName().Version!.ToString(3);
        string next = version[..^1] + (char)(version[^1] + 1);
        File.WriteAllText(manifest, File.ReadAllText(manifest).Replace($"'{version}'", $"'{next}'", StringComparison.Ordinal));
        string assembly = Path.Combine(folder.Path, "bin", "CmekTools.dll");
        byte[] bytes = File.ReadAllBytes(assembly);
        foreach (System.Text.Encoding encoding in (System.Text.Encoding[])[System.Text.Encoding.UTF8, System.Text.Encoding.Unicode])
        {
            byte[] was = encoding.GetBytes(version + "+");
            byte[] now = encoding.GetBytes(next + "+");
            for (int i = bytes.AsSpan().IndexOf(was); i >= 0; i = bytes.AsSpan().IndexOf(was))
            {
                now.CopyTo(bytes, i);
            }
        }

        File.WriteAllBytes(assembly, bytes);
        FinishedProgram run = await ExternalProgram.PwshAsync(
            [
                "-NoProfile", "-NonInteractive", "-Command",
                "Import-Module $env:FIRST; try { Import-Module $env:SECOND -ErrorAction Stop } catch { $_.FullyQualifiedErrorId; \"$_\" "
                    + "}; (Get-Module CmekTools).Version.ToString()",
            ],
            [("FIRST", PowerShellSession.ModuleManifest), ("SECOND", manifest)]);
        Assert.Contains("VersionConflict", run.Output, StringComparison.Ordinal);
        Assert.Contains($"CmekTools {version} is loaded", run.Output, StringComparison.Ordinal);
        Assert.Contains("Start a new PowerShell session", run.Output, StringComparison.Ordinal);
        Assert.EndsWith(version, run.Output.Trim(), StringComparison.Ordinal);

        // The same version from another folder is the same code.
        File.Copy(PowerShellSession.ModuleManifest, manifest, overwrite: true);
        File.Copy(Path.Combine(original, "bin", "CmekTools.dll"), assembly, overwrite: true);
        run = await ExternalProgram.PwshAsync(
            [
                "-NoProfile",
                "-NonInteractive",
                "-Command",
                "Import-Module $env:FIRST; Import-Module $env:SECOND -ErrorAction Stop -PassThru | ForEach-Object Name",
            ],
            [("FIRST", PowerShellSession.ModuleManifest), ("SECOND", manifest)]);
        Assert.Contains("CmekTools", run.Expect().Output, StringComparison.Ordinal);
    }
}
