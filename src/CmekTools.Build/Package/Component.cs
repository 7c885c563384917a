using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NuGet.Packaging;

namespace CmekTools.Build.Package;

/// <summary>A package of others whose assemblies are shipped.</summary>
internal sealed record Component(
    string Name,
    string Version,
    string Licence,
    string Copyright,
    string Project,
    IReadOnlyList<string> Files,
    IReadOnlyList<string> DependsOn)
{
    public string Purl => $"pkg:nuget/{Name}@{Version}";

    /// <summary>Reads what NuGet restored for the module, and keeps what lies in its folder of assemblies.</summary>
    /// <param name="assets">The file project.assets.json.</param>
    /// <param name="bin">The folder of the assemblies that are shipped.</param>
    public static IReadOnlyList<Component> Read(string assets, string bin)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(assets))!;
        string[] folders = [.. root["packageFolders"]!.AsObject().Select(f => f.Key)];
        List<Component> components = [];
        foreach ((string key, JsonNode? library) in root["targets"]!.AsObject().First().Value!.AsObject())
        {
            string[] files =
            [
                .. (
                    library!["runtime"] as JsonObject ?? []).Select(f => Path.GetFileName(f.Key)).Where(
                        f => File.Exists(Path.Combine(bin, f))),
            ];
            if ((string?)library["type"] != "package" || files.Length == 0)
            {
                continue;
            }

            string relative = (string)root["libraries"]![key]!["path"]!;
            string folder = folders.Select(f => Path.Combine(f, relative)).First(Directory.Exists);
            NuspecReader nuspec = new(Directory.GetFiles(folder, "*.nuspec")[0]);
            components.Add(new Component(
                key.Split('/')[0],
                key.Split('/')[1],
                nuspec.GetLicenseMetadata() is { Type: LicenseType.Expression } licence
                    ? licence.License
                    : nuspec.GetLicenseUrl() ?? "NOASSERTION",
                nuspec.GetCopyright() ?? string.Empty,
                nuspec.GetProjectUrl() ?? string.Empty,
                files,
                [.. (library["dependencies"] as JsonObject ?? []).Select(d => d.Key)]));
        }

        return [.. components.OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    /// <summary>A file's SHA-256 in lower-case hexadecimal digits.</summary>
    public static string Hash(string file)
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
