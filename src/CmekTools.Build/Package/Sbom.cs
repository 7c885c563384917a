using System.Text.Json;
using System.Text.Json.Nodes;

namespace CmekTools.Build.Package;

/// <summary>
/// The bill of materials as CycloneDX 1.6 (JSON). It holds no time and no serial number: both are optional there, and the same sources
/// have to make the same package.
/// </summary>
internal static class Sbom
{
    private static readonly JsonSerializerOptions s_options = new() { WriteIndented = true, NewLine = "\n" };

    public static string Write(ModuleManifest manifest, IReadOnlyList<Component> components, string bin)
    {
        string self = $"pkg:nuget/CmekTools@{manifest.Version}";
        JsonArray parts = [.. components.Select(c => (JsonNode)Library(c, bin))];
        JsonArray dependencies =
        [
            new JsonObject { ["ref"] = self, ["dependsOn"] = new JsonArray([.. components.Select(c => (JsonNode)c.Purl)]) },
            .. components.Select(c => new JsonObject
            {
                ["ref"] = c.Purl,
                ["dependsOn"] = new JsonArray([.. components.Where(d => c.DependsOn.Contains(d.Name)).Select(d => (JsonNode)d.Purl)]),
            }),
        ];
        JsonObject sbom = new()
        {
            ["bomFormat"] = "CycloneDX",
            ["specVersion"] = "1.6",
            ["version"] = 1,
            ["metadata"] = new JsonObject
            {
                ["component"] = new JsonObject
                {
                    ["type"] = "library",
                    ["bom-ref"] = self,
                    ["name"] = "CmekTools",
                    ["version"] = manifest.Version,
                    ["description"] = manifest.Description,
                    ["licenses"] = Licences("MIT"),
                    ["purl"] = self,
                    ["components"] = new JsonArray([.. Own(components, bin).Select(f => (JsonNode)Assembly(f))]),
                },
            },
            ["components"] = parts,
            ["dependencies"] = dependencies,
        };
        return sbom.ToJsonString(s_options) + "\n";
    }

    private static IEnumerable<string> Own(IReadOnlyList<Component> components, string bin) =>
        Directory.GetFiles(bin, "*.dll").Where(
            f => !components.Any(c => c.Files.Contains(Path.GetFileName(f)))).Order(StringComparer.Ordinal);

    private static JsonObject Library(Component component, string bin) => new()
    {
        ["type"] = "library",
        ["bom-ref"] = component.Purl,
        ["name"] = component.Name,
        ["version"] = component.Version,
        ["licenses"] = Licences(component.Licence),
        ["copyright"] = component.Copyright,
        ["purl"] = component.Purl,
        ["components"] = new JsonArray([.. component.Files.Select(f => (JsonNode)Assembly(Path.Combine(bin, f)))]),
    };

    private static JsonObject Assembly(string file) => new()
    {
        ["type"] = "file",
        ["name"] = "bin/" + Path.GetFileName(file),
        ["hashes"] = new JsonArray(new JsonObject { ["alg"] = "SHA-256", ["content"] = Component.Hash(file) }),
    };

    private static JsonArray Licences(string licence) =>
        [
            licence.Contains("://", StringComparison.Ordinal)
                ? new JsonObject { ["license"] = new JsonObject { ["name"] = "see url", ["url"] = licence } }
                : new JsonObject { ["license"] = new JsonObject { ["id"] = licence } },
        ];
}
