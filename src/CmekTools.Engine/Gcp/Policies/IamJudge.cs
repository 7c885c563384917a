using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>How a policy stands to one member and one need.</summary>
internal enum Standing
{
    /// <summary>It does not give it.</summary>
    No,
    /// <summary>It may: a condition, a custom role or a group that cannot be judged from here.</summary>
    Maybe,
    /// <summary>It gives it.</summary>
    Yes,
}

/// <summary>How a policy stands to a member, and the binding that decides it.</summary>
internal readonly record struct Judged(Standing Standing, string Role, string Member, string? Condition)
{
    /// <summary>The weaker of two, where both are needed.</summary>
    public static Judged Weaker(Judged a, Judged b) => a.Standing < b.Standing ? a : b;

    /// <summary>The stronger of two, where one will do. Of two that are equal the one without a condition lasts longer.</summary>
    public static Judged Stronger(Judged a, Judged b) =>
        b.Standing > a.Standing || (b.Standing == a.Standing && a.Condition is not null && b.Condition is null) ? b : a;
}

/// <summary>Decides what policies give, as Google would where that can be known; where it cannot, it says so.</summary>
internal static class IamJudge
{
    private const string Encrypter = "roles/cloudkms.cryptoKeyEncrypter";
    private const string Decrypter = "roles/cloudkms.cryptoKeyDecrypter";

    /// <summary>Does the policy let a member encrypt and decrypt?</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="member">The member.</param>
    /// <param name="resource">The key's resource name, for conditions.</param>
    /// <param name="now">The time, for conditions.</param>
    /// <param name="onKey">True for the key's own policy: a custom role there was given for the purpose.</param>
    public static Judged Crypto(JsonObject policy, string member, string resource, DateTimeOffset now, bool onKey) => Judged.Stronger(
        Best(policy, member, resource, now, GivesAll, MayGive, onKey),
        Judged.Weaker(
            Best(policy, member, resource, now, r => r == Encrypter, _ => false, onKey),
            Best(policy, member, resource, now, r => r == Decrypter, _ => false, onKey)));

    /// <summary>Does the policy let a member decrypt? For a cut that is what counts: whoever decrypts reads the data.</summary>
    public static Judged Decrypt(JsonObject policy, string member, string resource, DateTimeOffset now, bool onKey) =>
        Best(policy, member, resource, now, r => GivesAll(r) || r == Decrypter, MayGive, onKey);

    /// <summary>Does the policy let a member take tokens of a service account?</summary>
    public static Judged Token(JsonObject policy, string member, string resource, DateTimeOffset now, bool onAccount) =>
        Best(policy, member, resource, now, r => r == IamTree.TokenRole, r => IsCustom(r) || r == "roles/iam.workloadIdentityUser", onAccount);

    /// <summary>Is it a role by which its members can decrypt?</summary>
    public static bool OpensKey(string role) => GivesAll(role) || role is Decrypter or "roles/cloudkms.cryptoOperator";

    /// <summary>Is it a role that is, or may be, of use for a key?</summary>
    public static bool IsForKey(string role) => OpensKey(role) || role == Encrypter || IsCustom(role);

    private static bool GivesAll(string role) => role is IamTree.CryptoRole or "roles/owner";

    private static bool MayGive(string role) => IsCustom(role) || role == "roles/cloudkms.cryptoOperator";

    private static bool IsCustom(string role) => role.StartsWith("projects/", StringComparison.Ordinal) || role.StartsWith("organizations/", StringComparison.Ordinal);

    private static Judged Best(JsonObject policy, string member, string resource, DateTimeOffset now, Func<string, bool> gives, Func<string, bool> mayGive, bool own)
    {
        Judged best = default;
        foreach (JsonObject binding in IamTree.Bindings(policy))
        {
            string role = IamTree.Role(binding);
            Standing byRole = gives(role) ? Standing.Yes : !mayGive(role) ? Standing.No : own && IsCustom(role) ? Standing.Yes : Standing.Maybe;
            if (byRole == Standing.No)
            {
                continue;
            }

            string? expression = binding["condition"]?["expression"]?.ToString();
            Standing byCondition = expression is null ? Standing.Yes : IamCondition.Holds(expression, resource, now) switch
            {
                true => Standing.Yes,
                false => Standing.No,
                null => Standing.Maybe,
            };
            foreach (string named in IamTree.Members(binding))
            {
                Standing one = new[] { byRole, byCondition, Includes(named, member) }.Min();
                best = Judged.Stronger(best, new Judged(one, role, named, expression));
            }
        }

        return best;
    }

    // Who is in a group cannot be seen with the rights that this module asks for.
    private static Standing Includes(string named, string member) => named switch
    {
        _ when named == member => Standing.Yes,
        "allUsers" or "allAuthenticatedUsers" => Standing.Yes,
        _ when named.StartsWith("domain:", StringComparison.Ordinal) => member.EndsWith("@" + named[7..], StringComparison.Ordinal) ? Standing.Yes : Standing.No,
        _ when named.StartsWith("group:", StringComparison.Ordinal) => Standing.Maybe,
        _ when named.StartsWith("principalSet://cloudresourcemanager.googleapis.com/", StringComparison.Ordinal) => Standing.Maybe,
        _ => Standing.No,
    };
}
