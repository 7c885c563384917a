using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp.Policies;

/// <summary>Reads and edits IAM policies as trees: what is not ours comes back as it was.</summary>
internal static class IamBindings
{
    public const string CryptoRole = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    public const string TokenRole = "roles/iam.serviceAccountTokenCreator";

    public static IEnumerable<JsonObject> Bindings(JsonObject policy) => (policy["bindings"] as JsonArray ?? []).OfType<JsonObject>();

    public static string Role(JsonObject binding) => binding["role"]?.ToString() ?? string.Empty;

    public static IEnumerable<string> Members(JsonObject binding) =>
        (binding["members"] as JsonArray ?? []).Select(m => m?.ToString() ?? string.Empty);

    /// <summary>Is it the form that a deleted member of this name has?</summary>
    public static bool IsDead(string named, string member) => named.StartsWith("deleted:" + member + "?", StringComparison.Ordinal);

    /// <summary>The deleted members of this name in a role's unconditional bindings.</summary>
    public static IEnumerable<string> Dead(JsonObject policy, string role, string member) =>
        Bindings(policy).Where(b => IsPlain(b, role)).SelectMany(Members).Where(m => IsDead(m, member)).Distinct();

    /// <summary>Does the member stand in an unconditional binding of the role?</summary>
    public static bool Has(JsonObject policy, string role, string member) =>
        Bindings(policy).Any(b => IsPlain(b, role) && Members(b).Contains(member));

    /// <summary>
    /// Adds a member to the role's unconditional binding, or adds one, and takes its dead namesakes out of there. Conditional bindings
    /// are never touched: they are somebody's decision. False where all is as it should be.
    /// </summary>
    public static bool Add(JsonObject policy, string role, string member)
    {
        bool changed = false;
        foreach (JsonObject own in Bindings(policy).Where(b => IsPlain(b, role)).ToArray())
        {
            changed |= Revive(own, member);
        }

        if (Has(policy, role, member))
        {
            return changed;
        }

        JsonObject? binding = Bindings(policy).FirstOrDefault(b => IsPlain(b, role));
        if (binding is null)
        {
            binding = new JsonObject { ["role"] = role, ["members"] = new JsonArray() };
            BindingsOf(policy).Add(binding);
        }

        MembersOf(binding).Add(member);
        return true;
    }

    /// <summary>Takes a member out of every binding. False where it is in none.</summary>
    public static bool Remove(JsonObject policy, string member)
    {
        bool found = false;
        foreach (JsonObject binding in Bindings(policy).Where(b => Members(b).Contains(member)).ToArray())
        {
            JsonArray members = MembersOf(binding);
            foreach (JsonNode? one in members.Where(m => m?.ToString() == member).ToArray())
            {
                members.Remove(one);
            }

            if (members.Count == 0)
            {
                // Google drops a binding without members, and some of its clients stumble over one.
                BindingsOf(policy).Remove(binding);
            }

            found = true;
        }

        return found;
    }

    /// <summary>
    /// Puts a member back wherever the policy of a snapshot had it, at its place. What others changed since stays. False where all is
    /// as it was.
    /// </summary>
    public static bool PutBack(JsonObject policy, JsonObject snapshot, string member)
    {
        bool changed = false;
        JsonObject[] all = [.. Bindings(snapshot)];
        for (int place = 0; place < all.Length; place++)
        {
            JsonObject was = all[place];
            int index = Array.IndexOf([.. Members(was)], member);
            if (index < 0)
            {
                continue;
            }

            JsonObject? binding = Counterpart(policy, all, was, member);
            if (binding is null)
            {
                binding = was.DeepClone().AsObject();
                binding["members"] = new JsonArray();
                JsonArray bindings = BindingsOf(policy);
                bindings.Insert(Math.Min(place, bindings.Count), binding);
            }

            changed |= Revive(binding, member);
            if (!Members(binding).Contains(member))
            {
                JsonArray members = MembersOf(binding);
                members.Insert(Math.Min(index, members.Count), member);
                changed = true;
            }
        }

        return changed;
    }

    /// <summary>Policies with conditions must be written in version 3.</summary>
    public static void SetVersion(JsonObject policy)
    {
        if (Bindings(policy).Any(b => b["condition"] is not null))
        {
            policy["version"] = 3;
        }
    }

    /// <summary>The bindings that differ, to be read.</summary>
    public static string Difference(JsonObject before, JsonObject after)
    {
        string[] old = [.. Bindings(before).Select(Text)];
        string[] now = [.. Bindings(after).Select(Text)];
        return string.Join(Environment.NewLine, old.Except(now).Select(l => "- " + l).Concat(now.Except(old).Select(l => "+ " + l)));
    }

    private static string Text(JsonObject binding) => binding.ToJsonString(GcpJson.Plain);

    private static bool IsPlain(JsonObject binding, string role) => Role(binding) == role && binding["condition"] is null;

    private static JsonArray BindingsOf(JsonObject policy)
    {
        if (policy["bindings"] is not JsonArray bindings)
        {
            policy["bindings"] = bindings = [];
        }

        return bindings;
    }

    private static JsonArray MembersOf(JsonObject binding)
    {
        if (binding["members"] is not JsonArray members)
        {
            binding["members"] = members = [];
        }

        return members;
    }

    // The binding of today that a snapshot's binding has become. Several may have the same role and condition: then the others' members
    // tell which it is.
    private static JsonObject? Counterpart(JsonObject policy, JsonObject[] snapshot, JsonObject was, string member)
    {
        bool Same(JsonObject b) => Role(b) == Role(was) && JsonNode.DeepEquals(b["condition"], was["condition"]);
        HashSet<string> Others(JsonObject b) => [.. Members(b).Where(m => m != member && !IsDead(m, member))];
        JsonObject[] candidates = [.. Bindings(policy).Where(Same)];
        HashSet<string> others = Others(was);
        return candidates.FirstOrDefault(c => Others(c).SetEquals(others))
            ?? (others.Count == 0 && snapshot.Count(Same) > 1 ? null : candidates.FirstOrDefault());
    }

    // A dead namesake gives its place to the living one: an account that was made anew is another principal, and the old one never
    // comes back.
    private static bool Revive(JsonObject binding, string member)
    {
        JsonArray members = MembersOf(binding);
        bool there = Members(binding).Contains(member);
        JsonNode?[] dead = [.. members.Where(m => IsDead(m?.ToString() ?? string.Empty, member))];
        foreach (JsonNode? one in dead)
        {
            int index = members.IndexOf(one);
            members.RemoveAt(index);
            if (!there)
            {
                members.Insert(index, member);
                there = true;
            }
        }

        return dead.Length > 0;
    }
}
