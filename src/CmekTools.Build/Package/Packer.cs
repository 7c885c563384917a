using System.Globalization;
using System.Text;
using NuGet.Common;
using NuGet.Frameworks;
using NuGet.Packaging;
using NuGet.Packaging.Licenses;
using NuGet.Versioning;

namespace CmekTools.Build.Package;

/// <summary>Makes the package as the PowerShell Gallery has them: the module's files at its top, what it exports in its tags.</summary>
internal static class Packer
{
    // The time of every file in the package, so that the same sources make the same bytes.
    private const string Timestamp = "2000-01-01T00:00:00Z";

    /// <summary>Completes the module's folder by notices and the bill of materials, and packs it.</summary>
    /// <param name="module">The module's folder.</param>
    /// <param name="assets">NuGet's project.assets.json of the cmdlets' project.</param>
    /// <param name="output">The folder for the package.</param>
    /// <returns>The package.</returns>
    /// <exception cref="InvalidDataException">A page links to a file that the package does not hold.</exception>
    public static string Pack(string module, string assets, string output)
    {
        ModuleManifest manifest = ModuleManifest.Read(Path.Combine(module, "CmekTools.psd1"));
        string bin = Path.Combine(module, "bin");
        IReadOnlyList<Component> components = Component.Read(assets, bin);
        File.WriteAllText(Path.Combine(module, "THIRD-PARTY-NOTICES.txt"), Notices(components));
        File.WriteAllText(Path.Combine(module, "CmekTools.cdx.json"), Sbom.Write(manifest, components, bin));

        PackedPages.Complete(module);
        PackageBuilder package = new(deterministic: true, NullLogger.Instance)
        {
            DeterministicTimestamp = Timestamp,
            Id = "CmekTools",
            Version = NuGetVersion.Parse(manifest.Version),
            Description = manifest.Description,
            Copyright = manifest.Copyright,
            ReleaseNotes = manifest.ReleaseNotes,
            RequireLicenseAcceptance = false,
            LicenseMetadata = new LicenseMetadata(
                LicenseType.Expression,
                "MIT",
                NuGetLicenseExpression.Parse("MIT"),
                [],
                LicenseMetadata.EmptyVersion),
            Icon = "icon.png",
            Readme = "README.md",
        };
        package.Authors.Add(manifest.Author);
        package.TargetFrameworks.Add(NuGetFramework.AnyFramework);
        package.Tags.AddRange(
        [
            "PSModule",
            "PSIncludes_Cmdlet",
            .. manifest.Tags,
            .. manifest.Cmdlets.Select(c => "PSCmdlet_" + c),
            .. manifest.Cmdlets.Select(c => "PSCommand_" + c),
        ]);
        foreach (string file in Directory.GetFiles(module, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            package.Files.Add(new PhysicalPackageFile { SourcePath = file, TargetPath = Path.GetRelativePath(module, file) });
        }

        Directory.CreateDirectory(output);
        string path = Path.Combine(output, $"CmekTools.{manifest.Version}.nupkg");
        using FileStream stream = File.Create(path);
        package.Save(stream);
        return path;
    }

    private static string Notices(IReadOnlyList<Component> components)
    {
        StringBuilder text = new();
        text.Append("CmekTools (MIT, see LICENSE) is shipped with assemblies of these packages, unchanged.\n");
        foreach (Component component in components)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"\n{component.Name} {component.Version}\n  Licence:   {component.Licence}\n  Copyright: {component.Copyright}\n  "
                    + $"Project:   {component.Project}\n  Files:     {string.Join(", ", component.Files)}\n");
        }

        return text.ToString();
    }
}
