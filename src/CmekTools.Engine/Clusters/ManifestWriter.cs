using System.Globalization;
using System.Text;
using System.Text.Json;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Clusters;

/// <summary>Writes what a cluster uses: as the vendor's <c>cmek_config.json</c>, or as Terraform for the vendor's provider.</summary>
internal static class ManifestWriter
{
    /// <summary>The accesses that a cluster uses now, by region.</summary>
    /// <exception cref="CmekException"><c>CmekNotEnabled</c>.</exception>
    public static IReadOnlyList<CmekAccess> FromStatus(CmekCluster cluster, CmekStatus status)
    {
        CmekAccess[] accesses = [.. status.Regions.Where(r => r.Current is { KeyUri: not null }).Select(r => Specs.ToAccess(cluster, r))];
        return accesses.Length > 0
            ? accesses
            : throw new CmekException(
                "CmekNotEnabled",
                CmekErrorKind.InvalidOperation,
                $"{cluster.Name} has no customer-managed key to write down ({status}).",
                "Pipe accesses from Grant-CmekAccess to write down what is to be.",
                status);
    }

    /// <summary>The vendor's file, and beside its own part what is agreed to.</summary>
    public static string ToJson(CmekCluster cluster, IEnumerable<CmekAccess> accesses, IReadOnlyList<AcceptedDifference> accepted)
    {
        ManifestWire body = new(
            [
                .. accesses.Select(
                    a => new RegionSpecWire(
                        a.Region,
                        new KeySpecWire(Specs.KeyType(cluster.Provider), Required(a.KeyUri, a), Required(a.AuthPrincipal, a)))),
            ],
            accepted.Count == 0 ? null : accepted);
        return Specs.ToText(JsonSerializer.SerializeToNode(body, WireJson.Default.ManifestWire)!) + "\n";
    }

    /// <summary>The vendor's Terraform resource, with its import block. The form is <c>terraform fmt</c>'s.</summary>
    public static string ToTerraform(CmekCluster cluster, IEnumerable<CmekAccess> accesses)
    {
        string name = HclText.Name(cluster.Name);
        string id = HclText.Quote(cluster.Id);
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"import {{\n  to = cockroach_cmek.{name}\n  id = {id}\n}}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"resource \"cockroach_cmek\" \"{name}\" {{\n  id = {id}\n  regions = [\n");
        foreach (CmekAccess access in accesses)
        {
            text.Append(CultureInfo.InvariantCulture, $$"""
                    {
                      region = {{HclText.Quote(access.Region)}}
                      key = {
                        auth_principal = {{HclText.Quote(Required(access.AuthPrincipal, access))}}
                        type           = {{HclText.Quote(Specs.KeyType(cluster.Provider))}}
                        uri            = {{HclText.Quote(Required(access.KeyUri, access))}}
                      }
                    },

                """);
        }

        return text.Append("  ]\n}\n").ToString();
    }

    private static string Required(string? value, CmekAccess access) => value ?? throw new CmekException(
        "AccessPlanned",
        CmekErrorKind.InvalidArgument,
        $"The access for {access.ClusterName}/{access.Region} has no key or principal yet.",
        "Run New-CmekKey and Grant-CmekAccess without -WhatIf first.",
        access);
}
