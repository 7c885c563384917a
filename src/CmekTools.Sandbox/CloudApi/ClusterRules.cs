using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>What the fields of a cluster may hold.</summary>
internal static partial class ClusterRules
{
    /// <summary>Reads region_nodes.</summary>
    public static IReadOnlyDictionary<string, int> RegionNodes(JsonObject regionNodes, string provider)
    {
        Dictionary<string, int> found = [];
        foreach ((string region, JsonNode? _) in regionNodes)
        {
            if (!KnownRegions.Has(provider, region))
            {
                throw CloudApiFault.Invalid($"region_nodes: unknown region {region} for {provider}");
            }

            int? nodes = regionNodes.Number(region);
            found[region] = nodes >= 1
                ? nodes.Value
                : throw CloudApiFault.Invalid($"region_nodes: region {region} needs at least one node");
        }

        return found.Count > 0 ? found : throw CloudApiFault.Invalid("region_nodes must not be empty");
    }

    /// <summary>Reads hardware over what there is.</summary>
    public static CloudHardware Hardware(JsonObject hardware, CloudHardware before)
    {
        int? cpus = hardware.Object("machine_spec")?.Number("num_virtual_cpus");
        int? storage = hardware.Number("storage_gib");
        if (cpus is < 2 or > 96 || cpus % 2 == 1)
        {
            throw CloudApiFault.Invalid($"hardware.machine_spec.num_virtual_cpus: no machine type has {cpus}");
        }

        return storage is < 0
            ? throw CloudApiFault.Invalid("hardware.storage_gib must not be negative")
            : new CloudHardware(cpus ?? before.VirtualCpus, storage is null or 0 ? before.StorageGib : storage.Value);
    }

    /// <summary>One of some words.</summary>
    public static string OneOf(string field, string? given, string whenAbsent, params string[] words)
    {
        string word = given ?? whenAbsent;
        return words.Contains(word) ? word : throw CloudApiFault.Invalid($"{field}: '{word}' is not one of {string.Join(", ", words)}");
    }

    /// <summary>The name of a new cluster.</summary>
    public static string Name(string? name) => name is not null && NameForm().IsMatch(name)
        ? name
        : throw CloudApiFault.Invalid("name must be 6-20 characters in length and can include numbers, lowercase letters, and dashes");

    private static Regex RegionForm(string provider) => provider switch
    {
        "AWS" => AwsRegion(),
        "GCP" => GoogleRegion(),
        _ => AzureRegion(),
    };

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{4,18}[a-z0-9]$")]
    private static partial Regex NameForm();

    [GeneratedRegex(@"^[a-z]{2}(-[a-z]+)+-\d$")]
    private static partial Regex AwsRegion();

    [GeneratedRegex(@"^[a-z]+-[a-z]+\d+$")]
    private static partial Regex GoogleRegion();

    [GeneratedRegex(@"^[a-z]+\d?$")]
    private static partial Regex AzureRegion();
}
