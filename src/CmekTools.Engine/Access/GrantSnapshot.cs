using System.Text.Json.Nodes;

namespace CmekTools.Engine.Access;

/// <summary>The grants in a snapshot: those of the cluster that a cut revoked, enough to make them again.</summary>
internal static class GrantSnapshot
{
    private const string Field = "grants";

    /// <summary>The snapshot with one grant more; one that it has already is not put in twice.</summary>
    public static AccessSnapshot With(AccessSnapshot snapshot, KeyGrant grant)
    {
        JsonObject data = (JsonObject)snapshot.Data.DeepClone();
        JsonArray grants = data[Field] as JsonArray ?? (JsonArray)(data[Field] = new JsonArray());
        if (!grants.Any(g => (string?)g?["grantId"] == grant.GrantId))
        {
            grants.Add(new JsonObject
            {
                ["grantId"] = grant.GrantId,
                ["grantee"] = grant.Grantee,
                ["operations"] = new JsonArray([.. grant.Operations.Select(o => (JsonNode)o)]),
                ["retiring"] = grant.RetiringPrincipal,
                ["name"] = grant.Name,
                ["constraints"] = grant.Constraints,
            });
        }

        return snapshot with { Data = data };
    }

    /// <summary>A newer snapshot with the grants of an earlier one: they are revoked, and only a receipt knows of them.</summary>
    public static AccessSnapshot Carry(AccessSnapshot earlier, AccessSnapshot newer)
    {
        if (earlier.Data[Field] is not JsonArray { Count: > 0 } grants || newer.Data[Field] is not null)
        {
            return newer;
        }

        JsonObject data = (JsonObject)newer.Data.DeepClone();
        data[Field] = grants.DeepClone();
        return newer with { Data = data };
    }

    /// <summary>The grants of a snapshot; what has not the form of one is left out.</summary>
    public static IEnumerable<KeyGrant> Read(AccessSnapshot snapshot, string keyUri) =>
        (snapshot.Data[Field] as JsonArray ?? []).OfType<JsonObject>().Select(g => Read(keyUri, g)).OfType<KeyGrant>();

    private static KeyGrant? Read(string keyUri, JsonObject json)
    {
        string? Text(string name) => json[name] is JsonValue value && value.TryGetValue(out string? text) ? text : null;
        string[] operations = [.. (json["operations"] as JsonArray ?? []).OfType<JsonValue>().Select(v => v.ToString())];
        return Text("grantId") is { } id && Text("grantee") is { } grantee && operations.Length > 0
            ? new KeyGrant(keyUri, id, grantee, operations)
            {
                RetiringPrincipal = Text("retiring"), Name = Text("name"), Constraints = Text("constraints"),
            }
            : null;
    }
}
