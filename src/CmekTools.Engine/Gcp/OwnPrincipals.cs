using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>
/// The principals at CockroachDB Cloud as which a cluster acts by itself. Where only a key and its service account are known, whoever
/// has the form of one and is bound on the way to the key may be it.
/// </summary>
internal static class OwnPrincipals
{
    private const string Head = "serviceAccount:crl-kms-user-";

    /// <summary>Their addresses; at least one.</summary>
    public static IReadOnlyList<string> Of(AccessTarget target, GcpAccessEvidence evidence) =>
        Of(target, evidence.KeyChain.Concat(evidence.AccountChain).Select(l => l.Policy.Value));

    /// <summary>Their addresses, by some policies that were read; null for one that was not.</summary>
    public static IReadOnlyList<string> Of(AccessTarget target, IEnumerable<JsonObject?> policies)
    {
        string derived = GcpNames.ClusterPrincipal(target.Cluster);
        if (target.KnowsAccount)
        {
            return [derived];
        }

        // The id says which, where the key's label told it.
        bool known = Guid.TryParse(target.Cluster.Id, out Guid id) && id != Guid.Empty;
        string head = known ? IamMembers.ServiceAccount(derived[..(derived.IndexOf('@', StringComparison.Ordinal) + 1)]) : Head;
        string[] bound =
        [
            .. policies.OfType<JsonObject>().SelectMany(IamBindings.Bindings).SelectMany(IamBindings.Members)
                .Where(m => m.StartsWith(head, StringComparison.OrdinalIgnoreCase))
                .Select(IamMembers.EmailOf).OfType<string>().Distinct(StringComparer.Ordinal),
        ];
        return bound.Length > 0 ? bound : [derived];
    }
}
