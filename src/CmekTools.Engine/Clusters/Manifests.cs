using System.Text.Json;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>The vendor's <c>cmek_config.json</c>: the body that its procedure sends with curl.</summary>
internal static class Manifests
{
    private const int SizeLimit = 4 * 1024 * 1024;
    private const int RegionLimit = 1000;

    /// <summary>Reads a manifest for a cluster.</summary>
    /// <exception cref="CmekException"><c>ManifestUnreadable</c> or <c>ManifestInvalid</c>, with the place.</exception>
    public static IReadOnlyList<CmekAccess> Read(string path, CmekCluster cluster) => Parse(TextOf(path), path, cluster);

    /// <summary>Reads a manifest of a cluster that is not looked for: for cutting what it names.</summary>
    /// <exception cref="CmekException"><c>ManifestUnreadable</c> or <c>ManifestInvalid</c>, with the place.</exception>
    public static IReadOnlyList<CmekAccess> ReadUnbound(string path)
    {
        IReadOnlyList<RegionSpecWire> specs = SpecsOf(TextOf(path), path);
        RegionSpecWire? wrong = specs.FirstOrDefault(
            s => string.IsNullOrWhiteSpace(s?.KeySpec?.Uri) || string.IsNullOrWhiteSpace(s.KeySpec.AuthPrincipal));
        return specs.Any(s => s is null) || wrong is not null
            ? throw Invalid(path, $"an entry ({wrong?.Region}) has no uri or no auth_principal.")
            : [.. specs.Select(s => UnlistedAccess.Of(s.KeySpec.Uri!, s.KeySpec.AuthPrincipal!, s.Region))];
    }

    /// <summary>What a manifest declares to be known and agreed to.</summary>
    /// <exception cref="CmekException"><c>ManifestUnreadable</c> or <c>ManifestInvalid</c>, with the place.</exception>
    public static IReadOnlyList<AcceptedDifference> ReadAccepted(string path)
    {
        IReadOnlyList<AcceptedDifference> accepted = BodyOf(TextOf(path), path).AcceptedDifferences ?? [];
        for (int i = 0; i < accepted.Count; i++)
        {
            if (accepted[i] is not { } entry || entry.Fault is not null)
            {
                throw Invalid(path, $"accepted_differences[{i}]: {accepted[i]?.Fault ?? "it is empty."}");
            }
        }

        return accepted;
    }

    /// <summary>The same, and nothing where the file is no manifest: for a file that is about to be written over.</summary>
    public static IReadOnlyList<AcceptedDifference> TryReadAccepted(string path)
    {
        try
        {
            return ReadAccepted(path);
        }
        catch (CmekException)
        {
            return [];
        }
    }

    /// <summary>Reads a manifest's text.</summary>
    /// <exception cref="CmekException"><c>ManifestInvalid</c>.</exception>
    public static IReadOnlyList<CmekAccess> Parse(string text, string name, CmekCluster cluster)
    {
        IReadOnlyList<RegionSpecWire> specs = SpecsOf(text, name);
        List<CmekAccess> accesses = [];
        foreach (RegionSpecWire? spec in specs)
        {
            if (string.IsNullOrWhiteSpace(spec?.Region) || spec.KeySpec is null)
            {
                throw Invalid(name, $"region_specs[{accesses.Count}] has no region or no key_spec.");
            }

            if (spec.KeySpec.Type != Specs.KeyType(cluster.Provider))
            {
                throw Invalid(
                    name,
                    $"region_specs[{accesses.Count}] has the key type '{spec.KeySpec.Type}'; {cluster.Name} runs on {cluster.Provider} "
                        + $"and needs {Specs.KeyType(cluster.Provider)}.");
            }

            if (string.IsNullOrWhiteSpace(spec.KeySpec.Uri) || string.IsNullOrWhiteSpace(spec.KeySpec.AuthPrincipal))
            {
                throw Invalid(name, $"region_specs[{accesses.Count}] ({spec.Region}) has no uri or no auth_principal.");
            }

            accesses.Add(new CmekAccess
            {
                ClusterId = cluster.Id,
                ClusterName = cluster.Name,
                Provider = cluster.Provider,
                Region = spec.Region,
                KeyUri = spec.KeySpec.Uri,
                AuthPrincipal = spec.KeySpec.AuthPrincipal,
            });
        }

        return accesses;
    }

    private static string TextOf(string path)
    {
        try
        {
            return StateFiles.ReadText(path, SizeLimit);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException(
                "ManifestUnreadable",
                CmekErrorKind.ReadError,
                $"The manifest {path} cannot be read: {e.Message}",
                "Give the path of a cmek_config.json; Export-CmekManifest writes one.",
                path,
                e);
        }
    }

    private static IReadOnlyList<RegionSpecWire> SpecsOf(string text, string name) => BodyOf(text, name).RegionSpecs switch
    {
        { Count: > RegionLimit } many => throw Invalid(
            name,
            $"it has {many.Count} regions, and {RegionLimit} is the most that is read."),
        { Count: > 0 } specs => specs,
        _ => throw Invalid(name, "it has no region_specs."),
    };

    private static ManifestWire BodyOf(string text, string name)
    {
        try
        {
            SafeJson.Check(text, SizeLimit);
            return JsonSerializer.Deserialize(text, WireJson.Default.ManifestWire) ?? throw Invalid(name, "it is empty.");
        }
        catch (JsonException e)
        {
            throw Invalid(name, e.Message, e);
        }
    }

    private static CmekException Invalid(string name, string what, Exception? cause = null) => new(
        "ManifestInvalid",
        CmekErrorKind.InvalidData,
        $"{name} is not a CMEK manifest: {what}",
        """The form is {"region_specs":[{"region":"us-east-1","key_spec":"""
            + """{"type":"AWS_KMS","uri":"…","auth_principal":"…"}}]}; Export-CmekManifest writes one.""",
        name,
        cause);
}
