using System.Text.Json;
using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;
using CmekTools.Engine.Gcp;
using CmekTools.Engine.Gcp.Policies;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Clusters;

/// <summary>
/// Takes out of a snapshot, which is only a file's word, everything that a cut by CmekTools cannot have been about: other principals,
/// and roles and actions that a cluster does not need.
/// </summary>
internal static class SnapshotFilter
{
    // What gives use of a key and nothing else.
    private static readonly string[] s_keyRoles =
    [
        IamBindings.CryptoRole,
        "roles/cloudkms.cryptoKeyEncrypter",
        "roles/cloudkms.cryptoKeyDecrypter",
        "roles/cloudkms.cryptoKeyEncrypterDecrypterViaDelegation",
        "roles/cloudkms.cryptoKeyEncrypterViaDelegation",
        "roles/cloudkms.cryptoKeyDecrypterViaDelegation",
    ];

    /// <summary>The snapshot without what does not belong there, and the names of what was left out.</summary>
    public static (AccessSnapshot Snapshot, IReadOnlyList<string> LeftOut) Reduce(ReceiptAccess access, CmekCluster cluster)
    {
        List<string> left = [];
        JsonObject data = access.Snapshot.Data.DeepClone().AsObject();
        switch (access.Snapshot.Kind)
        {
            case AccessSnapshot.AwsKind:
                Aws(data, access.AuthPrincipal, cluster, left);
                break;
            case AccessSnapshot.GcpKind:
                Bindings(data, "key_policy", IamMembers.ServiceAccount(access.AuthPrincipal), s_keyRoles, left);
                Bindings(
                    data,
                    "service_account_policy",
                    IamMembers.ServiceAccount(GcpNames.ClusterPrincipal(cluster)),
                    [IamBindings.TokenRole],
                    left);

                // Which account is undeleted is for the service to say, not for a file.
                data.Remove("service_account");
                break;
            default:
                left.Add($"a snapshot of the unknown kind {access.Snapshot.Kind}");
                data.Clear();
                break;
        }

        return (access.Snapshot with { Data = data }, left);
    }

    private static void Aws(JsonObject data, string principal, CmekCluster cluster, List<string> left)
    {
        data.Remove("trustPolicy");
        data.Remove("trustPolicyText");
        data.Remove("keyPolicy");
        string? text = data["keyPolicyText"] is JsonValue value && value.TryGetValue(out string? given) ? given : null;
        data.Remove("keyPolicyText");
        if (text is null)
        {
            return;
        }

        try
        {
            JsonObject policy = SafeJson.ParseObject(text);
            JsonArray kept = [];
            IEnumerable<JsonNode?> statements = policy["Statement"] is JsonArray several ? several : [policy["Statement"]];
            foreach (JsonObject statement in statements.OfType<JsonObject>())
            {
                bool use = OurStatements.IsUse(statement, cluster) && OurStatements.OnlyPrincipal(statement) == principal;
                if (use || OurStatements.RevokedRole(statement, cluster) == principal)
                {
                    kept.Add(statement.DeepClone());
                }
                else if ((string?)(statement["Sid"] as JsonValue) is { } sid && sid.StartsWith("CmekTools", StringComparison.Ordinal))
                {
                    left.Add($"the statement {sid}");
                }
            }

            policy["Statement"] = kept;
            data["keyPolicyText"] = policy.ToJsonString();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            left.Add("a key policy that is none");
        }
    }

    private static void Bindings(JsonObject data, string name, string member, string[] roles, List<string> left)
    {
        if (data[name] is not JsonObject policy)
        {
            data.Remove(name);
            return;
        }

        JsonArray kept = [];
        foreach (JsonObject binding in IamBindings.Bindings(policy).Where(b => IamBindings.Members(b).Contains(member)))
        {
            if (roles.Contains(IamBindings.Role(binding), StringComparer.Ordinal))
            {
                JsonObject only = binding.DeepClone().AsObject();
                only["members"] = new JsonArray(member);
                kept.Add(only);
            }
            else
            {
                left.Add($"{IamBindings.Role(binding)} for {member}");
            }
        }

        data[name] = new JsonObject { ["bindings"] = kept };
    }
}
