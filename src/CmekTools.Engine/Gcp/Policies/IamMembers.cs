using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>
/// Whom a member of a binding, or a principal of a deny rule, stands for (https://cloud.google.com/iam/docs/principal-identifiers).
/// </summary>
internal static class IamMembers
{
    private const string Account = "serviceAccount:";

    /// <summary>A service account as bindings write it.</summary>
    public static string ServiceAccount(string email) => Account + email;

    /// <summary>The two members of an access: the account that a cluster acts as, and the principal that takes its tokens.</summary>
    public static string[] Of(AccessTarget target) =>
        [ServiceAccount(target.AuthPrincipal), ServiceAccount(GcpNames.ClusterPrincipal(target.Cluster))];

    /// <summary>The address of a member that is a service account; null for another kind of member.</summary>
    public static string? EmailOf(string member) =>
        member.StartsWith(Account, StringComparison.Ordinal) ? member[Account.Length..] : null;

    /// <summary>Does a binding's member include a service account? Perhaps for whatever holds others that cannot be seen.</summary>
    public static Decision Includes(string named, string member) => named switch
    {
        _ when string.Equals(named, member, StringComparison.OrdinalIgnoreCase) => Decision.Allowed,
        "allUsers" or "allAuthenticatedUsers" => Decision.Allowed,
        _ when IsAny(named, "user:", Account, "deleted:") => Decision.Denied,
        // A domain's members are its people; an account under the same name is not ruled out.
        _ when IsAny(named, "domain:") => member.EndsWith("@" + named[7..], StringComparison.OrdinalIgnoreCase)
            ? Decision.Perhaps
            : Decision.Denied,
        _ when IsAny(named, "principal://", "principalSet://", "principalHierarchy://") => IncludesUri(named, member),
        // Groups, and whatever kinds of members there will be.
        _ => Decision.Perhaps,
    };

    /// <summary>Does a deny rule's principal include a service account?</summary>
    public static Decision IncludesForDeny(string named, string member) =>
        IsAny(named, "deleted:") ? Decision.Denied : IncludesUri(named, member);

    /// <summary>A service account as deny policies write it.</summary>
    public static string ForDeny(string member) => "principal://iam.googleapis.com/projects/-/serviceAccounts/" + member[Account.Length..];

    private static Decision IncludesUri(string named, string member) => named switch
    {
        _ when string.Equals(named, ForDeny(member), StringComparison.OrdinalIgnoreCase) => Decision.Allowed,
        "principalSet://goog/public:all" => Decision.Allowed,
        // One principal, and another one.
        _ when IsAny(named, "principal://") => Decision.Denied,
        // Identities of other providers; a service account is none.
        _ when IsAny(named, "principalSet://iam.googleapis.com/")
            && (
                named.Contains("/workloadIdentityPools/", StringComparison.Ordinal)
                    || named.Contains("/workforcePools/", StringComparison.Ordinal)) => Decision.Denied,
        _ => Decision.Perhaps,
    };

    private static bool IsAny(string named, params ReadOnlySpan<string> beginnings)
    {
        foreach (string beginning in beginnings)
        {
            if (named.StartsWith(beginning, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
