using System.Text.Json.Nodes;

namespace CmekTools.Sandbox.CloudApi;

/// <summary>CMEKClusterInfo as the contract has it.</summary>
internal static class CmekJson
{
    public static JsonObject Info(CloudCluster cluster) => new()
    {
        ["status"] = CmekStates.Of(cluster).ToString(),
        ["region_infos"] = new JsonArray([.. cluster.Regions.OrderBy(r => r.Name, StringComparer.Ordinal).Select(Region)]),
    };

    private static JsonObject Region(CloudRegion region) => new()
    {
        ["region"] = region.Name,
        ["status"] = region.Status.ToString(),
        ["key_infos"] = new JsonArray([.. region.Keys.Select(Key)]),
    };

    private static JsonObject Key(CloudKey key) => new()
    {
        ["status"] = key.Status.ToString(),
        ["user_message"] = key.UserMessage,
        ["spec"] = new JsonObject { ["type"] = key.Spec.Type, ["uri"] = key.Spec.Uri, ["auth_principal"] = key.Spec.Principal },
        ["created_at"] = JsonBody.Time(key.CreatedAt),
        ["updated_at"] = JsonBody.Time(key.UpdatedAt),
    };
}
