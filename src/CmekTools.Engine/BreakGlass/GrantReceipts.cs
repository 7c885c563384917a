using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>How a grant gets into a receipt.</summary>
internal static class GrantReceipts
{
    /// <summary>The name of the grants in a snapshot.</summary>
    public const string Field = "grants";

    /// <summary>The receipt's entry of an access with a grant in it.</summary>
    public static ReceiptAccess With(ReceiptBook book, AccessTarget target, KeyGrant grant, IKeyProvider provider)
    {
        ReceiptAccess? had = book.Document.Accesses.FirstOrDefault(
            a => a.KeyUri == target.KeyUri && a.AuthPrincipal == target.AuthPrincipal);
        AccessSnapshot snapshot = had?.Snapshot ?? new AccessSnapshot(provider.Provider == CmekProvider.AWS ? "aws/1" : "gcp/1", []);
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

        return new ReceiptAccess(target.Region, target.KeyUri, target.AuthPrincipal, snapshot with { Data = data });
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
}
