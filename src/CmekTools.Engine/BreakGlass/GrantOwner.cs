using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.State;

namespace CmekTools.Engine.BreakGlass;

/// <summary>Whose a grant is, and how it gets into a receipt.</summary>
internal static class GrantOwner
{
    /// <summary>The name of the grants in a snapshot.</summary>
    public const string Field = "grants";

    /// <summary>True for a grant to the cluster's principal, or to anybody in the cluster's own account.</summary>
    public static bool IsClusters(KeyGrant grant, AccessTarget target) =>
        grant.Grantee == target.AuthPrincipal
        || grant.Grantee == target.Cluster.AccountId
        || (target.Cluster.AccountId is { } account && grant.Grantee.Contains($"::{account}:", StringComparison.Ordinal))
        || IsSessionOf(grant.Grantee, target.AuthPrincipal);

    /// <summary>The receipt's entry of an access with a grant in it.</summary>
    public static ReceiptAccess With(ReceiptBook book, AccessTarget target, KeyGrant grant, IKeyProvider provider)
    {
        ReceiptAccess? had = book.Document.Accesses.FirstOrDefault(a => a.KeyUri == target.KeyUri && a.AuthPrincipal == target.AuthPrincipal);
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

    // arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION is arn:aws:iam::ACCOUNT:role/…NAME at work.
    private static bool IsSessionOf(string grantee, string role)
    {
        string[] session = grantee.Split(':');
        string[] parts = role.Split(':');
        return session.Length == 6 && parts.Length == 6 && session[2] == "sts" && session[4] == parts[4]
            && session[5].Split('/') is ["assumed-role", { } name, ..] && parts[5].EndsWith("/" + name, StringComparison.Ordinal);
    }
}
