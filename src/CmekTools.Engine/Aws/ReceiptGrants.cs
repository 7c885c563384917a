using System.Text.Json;
using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>Grants as a receipt has them.</summary>
internal static class ReceiptGrants
{
    /// <summary>Reads one; null where it has not the form of one.</summary>
    public static KeyGrant? Read(string keyUri, JsonObject json)
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

    /// <summary>Do two grants give the same to the same?</summary>
    public static bool Same(KeyGrant one, KeyGrant other) =>
        one.Grantee == other.Grantee && one.RetiringPrincipal == other.RetiringPrincipal && one.Name == other.Name
        && one.Constraints == other.Constraints && one.Operations.ToHashSet().SetEquals(other.Operations);

    /// <summary>The request that makes it again.</summary>
    public static CreateGrantRequest ToRequest(KeyArn key, KeyGrant grant) => new()
    {
        KeyId = key.Text,
        GranteePrincipal = grant.Grantee,
        RetiringPrincipal = grant.RetiringPrincipal,
        Name = grant.Name,
        Operations = [.. grant.Operations],
        Constraints = grant.Constraints is { } text ? JsonSerializer.Deserialize<GrantConstraints>(text) : null,
    };
}
