using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Engine;
using CmekTools.Engine.Access;
using CmekTools.Sandbox;

namespace CmekTools.Tests.Kit;

/// <summary>
/// Everything about the clusters' keys as text, so that two worlds can be compared: states, policies, principals, versions.
/// </summary>
internal static partial class World
{
    /// <summary>
    /// Reads the world through the services. What is made up anew in each sandbox (ids, etags, times) is numbered in the order of
    /// appearance.
    /// </summary>
    public static async Task<string> ReadAsync(SandboxServer server)
    {
        using EngineKit kit = EngineKit.Create(server);
        Operation op = kit.Run(new TestOperationHost());
        List<string> lines = [];
        List<CmekCluster> clusters = [];
        await foreach (CmekCluster cluster in kit.Session.Cloud.ListClustersAsync(op.Cancellation))
        {
            clusters.Add(cluster);
        }

        foreach (CmekCluster cluster in clusters.OrderBy(c => c.Name, StringComparer.Ordinal))
        {
            CmekStatus status = await kit.Session.Cloud.GetCmekAsync(cluster, op.Cancellation);
            lines.Add(status.ToString());
            IKeyProvider provider = kit.Session.GetProvider(cluster.Provider);
            foreach (CmekRegionStatus region in status.Regions)
            {
                lines.Add($"{region.Region}: current {region.KeyUri} as {region.AuthPrincipal}");
                foreach (CmekKeyStatus key in region.Keys.Where(k => k.KeyUri is not null && k.AuthPrincipal is not null))
                {
                    AccessSnapshot snapshot = await provider.CaptureAsync(
                        new AccessTarget(cluster, kit.Session.Organization.Id, region.Region, key.KeyUri!, key.AuthPrincipal!),
                        op);
                    CmekKey data = await provider.GetKeyAsync(key.KeyUri!, op);
                    lines.Add(
                        $"{key.State} {key.KeyUri} {data.State} rotated={data.LastRotation is not null} "
                            + $"version={data.PrimaryVersion} {Plain(snapshot.Data)}");
                }
            }
        }

        return Numbered(string.Join('\n', lines));
    }

    private static string Plain(JsonObject data)
    {
        JsonObject copy = data.DeepClone().AsObject();
        Strip(copy);
        return copy.ToJsonString();
    }

    private static void Strip(JsonNode? node)
    {
        if (node is JsonObject fields)
        {
            fields.Remove("etag");
            fields.Remove("version");
            foreach ((_, JsonNode? value) in fields)
            {
                Strip(value);
            }
        }
        else if (node is JsonArray items)
        {
            foreach (JsonNode? item in items)
            {
                Strip(item);
            }
        }
    }

    private static string Numbered(string text)
    {
        Dictionary<string, int> seen = [];
        text = Times().Replace(text, "TIME");
        return Ids().Replace(text, m =>
        {
            seen.TryAdd(m.Value, seen.Count);
            return "#" + seen[m.Value];
        });
    }

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")]
    private static partial Regex Times();

    [GeneratedRegex(@"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32}|ARO[A-Z0-9]{10,}")]
    private static partial Regex Ids();
}
