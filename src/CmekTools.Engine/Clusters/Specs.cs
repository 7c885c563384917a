using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Access;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>CMEK specifications: one access a region, checked before anything is sent.</summary>
internal static class Specs
{
    private static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The Cloud API's key type of a provider.</summary>
    public static string KeyType(CmekProvider provider) => provider switch
    {
        CmekProvider.AWS => "AWS_KMS",
        CmekProvider.GCP => "GCP_CLOUD_KMS",
        CmekProvider.AZURE => "AZURE_KEY_VAULT",
        _ => throw new CmekException(
            "ProviderNotSupported",
            CmekErrorKind.InvalidOperation,
            $"CmekTools does not know the provider {provider}.",
            "Update the module.",
            provider),
    };

    /// <summary>Is this the key and principal that is wanted?</summary>
    public static bool Matches(CmekKeyStatus actual, CmekAccess wanted) =>
        string.Equals(actual.KeyUri, wanted.KeyUri, StringComparison.Ordinal)
            && string.Equals(actual.AuthPrincipal, wanted.AuthPrincipal, StringComparison.Ordinal);

    /// <summary>Checks accesses for a cluster, without any request, and orders them by region.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="accesses">One a region.</param>
    /// <param name="allRegions">Every region of the cluster must be there.</param>
    /// <param name="newRegions">The regions must be new to the cluster.</param>
    /// <param name="op">The run.</param>
    /// <exception cref="CmekException">Nothing was sent.</exception>
    public static SortedDictionary<string, CmekAccess> Validate(
        CmekCluster cluster,
        IEnumerable<CmekAccess> accesses,
        bool allRegions,
        bool newRegions,
        Operation op)
    {
        SortedDictionary<string, CmekAccess> byRegion = new(StringComparer.Ordinal);
        foreach (CmekAccess access in accesses)
        {
            string region = newRegions ? access.Region.Trim() : ClusterRequirements.RequireRegion(cluster, access.Region);
            CmekAccess exact = access with { Region = region, ClusterId = cluster.Id, ClusterName = cluster.Name };
            if (byRegion.TryGetValue(region, out CmekAccess? other)
                && (other.KeyUri != exact.KeyUri || other.AuthPrincipal != exact.AuthPrincipal))
            {
                throw new CmekException(
                    "RegionDuplicate",
                    CmekErrorKind.InvalidArgument,
                    $"Two different keys or principals are given for {cluster.Name}/{region}: {other.KeyUri} as {other.AuthPrincipal}, "
                        + $"and {exact.KeyUri} as {exact.AuthPrincipal}.",
                    "Give each region one.",
                    region);
            }

            RequireComplete(cluster, exact, op);
            byRegion[region] = exact;
        }

        string[] missing = [.. cluster.Regions.Select(r => r.Name).Where(r => allRegions && !byRegion.ContainsKey(r))];
        if (missing.Length > 0)
        {
            throw new CmekException(
                "RegionWithoutKey",
                CmekErrorKind.InvalidArgument,
                $"{cluster.Name} has no key for {string.Join(", ", missing)}; CMEK is enabled for all regions or none. Nothing was sent.",
                $"Get-CmekCluster {PowerShellText.Quote(cluster.Name)} | New-CmekKey | Grant-CmekAccess | "
                    + "Enable-CmekCluster covers every region.",
                cluster);
        }

        return byRegion;
    }

    /// <summary>The body that is sent.</summary>
    public static CmekSpecWire ToWire(CmekCluster cluster, IEnumerable<CmekAccess> accesses) =>
        new(
            [
                .. accesses.Select(
                    a => new RegionSpecWire(
                        a.Region,
                        new KeySpecWire(
                            KeyType(cluster.Provider),
                            a.KeyUri ?? "(made by this run)",
                            a.AuthPrincipal ?? "(made by this run)"))),
            ]);

    /// <summary>The body, to be read.</summary>
    public static string ToText(CmekSpecWire body) => ToText(ToNode(body));

    /// <summary>A body, to be read.</summary>
    public static string ToText(JsonNode body) => body.ToJsonString(s_indented);

    /// <summary>The body, for the journal.</summary>
    public static JsonNode ToNode(CmekSpecWire body) => JsonSerializer.SerializeToNode(body, WireJson.Default.CmekSpecWire)!;

    private static void RequireComplete(CmekCluster cluster, CmekAccess access, Operation op)
    {
        if (access.Planned || access.KeyUri is null || access.AuthPrincipal is null)
        {
            if (op.Host.WhatIf)
            {
                return;
            }

            throw new CmekException(
                "AccessPlanned",
                CmekErrorKind.InvalidArgument,
                $"The access for {cluster.Name}/{access.Region} was only planned (-WhatIf, or answered with no): it has "
                    + "no key or principal yet.",
                "Run New-CmekKey and Grant-CmekAccess without -WhatIf first.",
                access);
        }

        if (cluster.Provider is CmekProvider.AWS or CmekProvider.GCP)
        {
            IKeyProvider provider = op.Session.GetProvider(cluster.Provider);
            provider.ValidateKeyUri(access.KeyUri, cluster, access.Region);
            provider.ValidatePrincipal(access.AuthPrincipal);
        }
    }

    /// <summary>A region's key in use, as an access.</summary>
    public static CmekAccess ToAccess(CmekCluster cluster, CmekRegionStatus region) => ToAccess(cluster, region, region.Current);

    /// <summary>One of a region's keys, as an access.</summary>
    public static CmekAccess ToAccess(CmekCluster cluster, CmekRegionStatus region, CmekKeyStatus? key) => new()
    {
        ClusterId = cluster.Id,
        ClusterName = cluster.Name,
        Provider = cluster.Provider,
        Region = region.Region,
        KeyUri = key?.KeyUri,
        AuthPrincipal = key?.AuthPrincipal,
    };
}
