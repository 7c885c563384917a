using System.IO.Compression;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CmekTools.Build.Package;
using CmekTools.Tests.Kit;
using Xunit;

namespace CmekTools.Tests.Shipping;

/// <summary>The package for the Gallery, made of the built module and used from where it was unpacked.</summary>
public sealed class PackageTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static string Assets => Path.Combine(ExternalProgram.RepositoryRoot, "src", "CmekTools.Module", "obj", "project.assets.json");

    public void Dispose() => _folder.Dispose();

    // Without a version, the SDK takes where it found the tool last, also where that NuGet folder is gone.
    [Theory]
    [InlineData("README.md")]
    [InlineData("CONTRIBUTING.md")]
    [InlineData("build.ps1")]
    [InlineData(".ci/run")]
    public void WhoRunsAScriptIsToldThePowerShellThatTheToolManifestPins(string page)
    {
        string root = ExternalProgram.RepositoryRoot;
        JsonNode tools = JsonNode.Parse(File.ReadAllText(Path.Combine(root, ".config", "dotnet-tools.json")))!;
        string text = File.ReadAllText(Path.Combine(root, page));
        string[] told = [.. Regex.Matches(text, @"powershell(\S*) -- ").Select(m => m.Groups[1].Value)];
        Assert.NotEmpty(told);
        Assert.All(told, version => Assert.Equal($"@{tools["tools"]!["powershell"]!["version"]}", version));
    }

    [Fact]
    public void ItHasTheGallerysLayoutAndIsTheSameEachTime()
    {
        string first = Pack("first");
        string second = Pack("second");
        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));

        // Two packages that are made in one second could be the same by chance.
        using ZipArchive zip = ZipFile.OpenRead(first);
        Assert.Single(zip.Entries.Select(e => e.LastWriteTime).Distinct());
        string[] names = [.. zip.Entries.Select(e => e.FullName)];
        foreach (string file in (string[])
        [
            "CmekTools.nuspec",
            "CmekTools.psd1",
            "CmekTools.psm1",
            "VersionConflict.ps1",
            "CmekTools.Format.ps1xml",
            "LICENSE",
            "README.md",
            "icon.png",
            "THIRD-PARTY-NOTICES.txt",
            "CmekTools.cdx.json",
            "bin/CmekTools.dll",
            "bin/CmekTools.Module.dll",
            "bin/AWSSDK.SSOOIDC.dll",
            "en-US/CmekTools.Module.dll-Help.xml",
            "en-US/about_CmekTools.help.txt",
            "en-US/about_CmekTools_Errors.help.txt",
            "en-US/about_CmekTools_SharedState.help.txt",
            .. Directory.GetFiles(Path.Combine(ExternalProgram.RepositoryRoot, "runbooks"), "*.ps1").Select(
                f => "runbooks/" + Path.GetFileName(f)),
        ])
        {
            Assert.Contains(file, names);
        }

        // PowerShell has its own, and what is only for building has no place in it.
        Assert.DoesNotContain(
            names,
            n => n.StartsWith("bin/System.", StringComparison.Ordinal) || n.Contains("cmek-build", StringComparison.Ordinal)
                || n.EndsWith(".pdb", StringComparison.Ordinal));

        XElement metadata = XDocument.Parse(Text(zip, "CmekTools.nuspec")).Root!.Elements().Single();
        string Value(string name) => metadata.Elements().Single(e => e.Name.LocalName == name).Value;
        Assert.Equal("CmekTools", Value("id"));
        Assert.Equal(ModuleManifest.Read(PowerShellSession.ModuleManifest).Version, Value("version"));
        Assert.Equal("MIT", Value("license"));
        Assert.Equal("icon.png", Value("icon"));
        Assert.NotEmpty(Value("releaseNotes"));
        string[] tags = Value("tags").Split(' ');
        foreach (
            string tag in (string[])
            [
                "PSModule", "PSEdition_Core", "PSIncludes_Cmdlet", "PSCmdlet_New-CmekKey", "PSCommand_Revoke-CmekAccess",
            ])
        {
            Assert.Contains(tag, tags);
        }
    }

    [Fact]
    public void ItHoldsWhatItsPagesLinkTo()
    {
        using ZipArchive zip = ZipFile.OpenRead(Pack("linked"));
        string[] names = [.. zip.Entries.Select(e => e.FullName)];
        Uri root = new("http://package/");
        int count = 0;
        foreach (string page in names.Where(n => n.EndsWith(".md", StringComparison.Ordinal)))
        {
            foreach (string link in PackedPages.Links(Text(zip, page)))
            {
                string to = new Uri(new Uri(root, page), link).AbsolutePath.TrimStart('/');
                Assert.True(names.Contains(to) || names.Any(n => n.StartsWith(to + "/", StringComparison.Ordinal)), $"{page}: {link}");
                count++;
            }
        }

        Assert.True(count > 20, "the links of the pages");
        string readme = Text(zip, "README.md");
        foreach (string page in (string[])["runbooks/drill.ps1", "docs/automation/powershell.md", "docs/errors.md", "docs/shared-state.md"])
        {
            Assert.Contains($"]({page})", readme, StringComparison.Ordinal);
        }

        // What can be done in a clone only is not told to somebody who has none.
        foreach (string clone in (string[])["build.ps1", "dotnet", "tests/Pester", "<!--"])
        {
            Assert.DoesNotContain(clone, readme, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("\nSee [it](docs/nowhere.md).\n", "README.md links to docs/nowhere.md")]
    [InlineData("\nSee [it](../outside.md).\n", "README.md links to ../outside.md")]
    [InlineData("\n<!-- clone -->\n", "a mark 'clone' has no counterpart")]
    public void ItIsNotMadeWithALinkThatLeadsNowhere(string more, string said)
    {
        _folder.Write("outside.md", string.Empty);
        string module = Directory.CreateDirectory(Path.Combine(_folder.Path, "module")).FullName;
        File.WriteAllText(Path.Combine(module, "README.md"), "# Title\n\n[A page](README.md#title), `[code](gone.md)`.\n" + more);
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => PackedPages.Complete(module));
        Assert.Contains(said, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheBillOfMaterialsNamesEveryAssemblyWithItsHash()
    {
        string package = Pack("one");
        using ZipArchive zip = ZipFile.OpenRead(package);
        JsonNode sbom = JsonNode.Parse(Text(zip, "CmekTools.cdx.json"))!;
        Assert.Equal("CycloneDX", (string?)sbom["bomFormat"]);
        JsonNode[] parts = [sbom["metadata"]!["component"]!, .. sbom["components"]!.AsArray().Select(c => c!)];
        Dictionary<string, string> files = parts.SelectMany(p => p["components"]!.AsArray()).ToDictionary(
            f => (string)f!["name"]!,
            f => (string)f!["hashes"]![0]!["content"]!);
        string[] assemblies = [.. zip.Entries.Select(e => e.FullName).Where(n => n.StartsWith("bin/", StringComparison.Ordinal))];
        Assert.Equal(assemblies.Order(StringComparer.Ordinal), files.Keys.Order(StringComparer.Ordinal));
        foreach (string assembly in assemblies)
        {
            using Stream stream = zip.GetEntry(assembly)!.Open();
            Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(stream)), files[assembly]);
        }

        JsonNode polly = parts.Single(p => (string?)p["name"] == "Polly.Core");
        Assert.StartsWith("pkg:nuget/Polly.Core@", (string?)polly["purl"], StringComparison.Ordinal);
        Assert.Equal("BSD-3-Clause", (string?)polly["licenses"]![0]!["license"]!["id"]);
    }

    [Fact]
    public async Task ItWorksFromWhereItWasUnpacked()
    {
        // As Install-PSResource lays it out: a folder of modules, the name, the version.
        string modules = Path.Combine(_folder.Path, "Modules");
        string home = Path.Combine(modules, "CmekTools", ModuleManifest.Read(PowerShellSession.ModuleManifest).Version);
        await ZipFile.ExtractToDirectoryAsync(Pack("used"), home, TestContext.Current.CancellationToken);
        string command = "$null = Start-CmekSandbox -StateTime 0:0:0.05 -RateLimit 0 | Connect-CmekCloud; (Get-CmekCluster | "
            + "New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait).State; (Get-Module CmekTools).ModuleBase; (Get-Help "
                + "Get-CmekStatus).Synopsis";
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            ["-NoProfile", "-NonInteractive", "-Command", "Import-Module CmekTools; " + command], [("PSModulePath", modules)])).Expect();
        string[] lines = run.Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["ENABLED", "ENABLED", home], lines[..3]);
        Assert.EndsWith(".", lines[3], StringComparison.Ordinal);
    }

    [Fact]
    public async Task ItIsInstalledUpdatedAndUninstalledByPSResourceGet()
    {
        string version = ModuleManifest.Read(PowerShellSession.ModuleManifest).Version;
        string repository = Directory.CreateDirectory(Path.Combine(_folder.Path, "repository")).FullName;
        foreach ((string name, string offered) in ((string, string)[])[("before", "0.0.9"), ("now", version)])
        {
            File.Copy(Pack(name, offered), Path.Combine(repository, $"CmekTools.{offered}.nupkg"));
        }

        // A home of its own: what is installed there is this test's.
        string home = Directory.CreateDirectory(Path.Combine(_folder.Path, "home")).FullName;
        string script = _folder.Write("install.ps1", $$"""
            $ErrorActionPreference = 'Stop'
            $ProgressPreference = 'SilentlyContinue'
            Register-PSResourceRepository -Name Here -Uri '{{repository}}' -Trusted
            function Show-Installed { "installed $(@(Get-PSResource CmekTools -ErrorAction Ignore).Version -join ' ')" }
            # In a process of its own, as a user's next session: an assembly stays loaded as long as its process lives.
            function Use-Installed {
                & dotnet '{{ExternalProgram.PowerShellProgram}}' -NoProfile -NonInteractive -Command '
                    $sandbox = Start-CmekSandbox -StateTime 0:0:0.05 -RateLimit 0
                    $null = Connect-CmekCloud -Sandbox $sandbox -StateFolder $env:CMEKTOOLS_STATE
                    $states = (Get-CmekCluster | New-CmekKey | Grant-CmekAccess | Enable-CmekCluster -Wait).State
                    if (-not (Get-CmekReceipt)) { $null = Revoke-CmekAccess shop -KeyOnly -Force }
                    $kept = "receipts $(@(Get-CmekReceipt).Seal), journal $((Test-CmekJournal).Result)"
                    "used $((Get-Module CmekTools).Version) $states, $kept"
                    (Get-Help Get-CmekStatus).Synopsis'
            }
            Install-PSResource CmekTools -Version 0.0.9 -Repository Here
            Show-Installed
            Use-Installed
            Update-PSResource CmekTools -Repository Here
            Show-Installed
            Use-Installed
            Uninstall-PSResource CmekTools -Version '*'
            Show-Installed
            "left $(@(Get-Module CmekTools -ListAvailable).Count)"
            """);
        FinishedProgram run = (await ExternalProgram.PwshAsync(
            ["-NoProfile", "-NonInteractive", "-File", script],
            [
                ("PSModulePath", null),
                ("HOME", home),
                ("USERPROFILE", home),
                ("LOCALAPPDATA", home),
                ("XDG_DATA_HOME", null),
                ("XDG_CONFIG_HOME", null),
                ("XDG_CACHE_HOME", null),
                ("CMEKTOOLS_STATE", Path.Combine(_folder.Path, "state")),
            ])).Expect();
        string[] lines = [.. run.Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];
        string synopsis = lines[2];
        Assert.EndsWith(".", synopsis, StringComparison.Ordinal);

        // What the older version wrote is read by the newer one, and its seal and chain are whole.
        Assert.Equal(
            [
                "installed 0.0.9", "used 0.0.9 ENABLED ENABLED, receipts Verified, journal Pass", synopsis,
                $"installed {version} 0.0.9", $"used {version} ENABLED ENABLED, receipts Verified, journal Pass", synopsis,
                "installed", "left 0",
            ],
            lines);
        Assert.Empty(run.Errors);
    }

    private static string Text(ZipArchive zip, string name)
    {
        using StreamReader reader = new(zip.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    // The built module as it is packed: the target PackModule does the same with a release build.
    private string Pack(string name, string? version = null)
    {
        string module = Path.Combine(_folder.Path, name, "module");
        string built = Path.GetDirectoryName(PowerShellSession.ModuleManifest)!;
        foreach (string file in Directory.GetFiles(built, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(module, Path.GetRelativePath(built, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        foreach (string file in new[] { "LICENSE", "README.md" })
        {
            File.Copy(Path.Combine(ExternalProgram.RepositoryRoot, file), Path.Combine(module, file));
        }

        if (version is not null)
        {
            string manifest = Path.Combine(module, "CmekTools.psd1");
            string text = File.ReadAllText(manifest);
            string other = System.Text.RegularExpressions.Regex.Replace(text, @"(?<=ModuleVersion\s+= ')[^']+", version);
            File.WriteAllText(manifest, other);
        }

        return Packer.Pack(module, Assets, Path.Combine(_folder.Path, name));
    }
}
