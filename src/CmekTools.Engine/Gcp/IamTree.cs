using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace CmekTools.Engine.Gcp;

/// <summary>How a policy stands to one member and one need.</summary>
internal enum Standing
{
    /// <summary>It does not give it.</summary>
    No,
    /// <summary>It may: a condition or a custom role that cannot be judged from here.</summary>
    Maybe,
    /// <summary>It gives it.</summary>
    Yes,
}

/// <summary>Reads and edits IAM policies as trees: what is not ours comes back as it was.</summary>
internal static partial class IamTree
{
    public const string CryptoRole = "roles/cloudkms.cryptoKeyEncrypterDecrypter";
    public const string TokenRole = "roles/iam.serviceAccountTokenCreator";

    public static IEnumerable<JsonObject> Bindings(JsonObject policy) => (policy["bindings"] as JsonArray ?? []).OfType<JsonObject>();

    public static string Role(JsonObject binding) => binding["role"]?.ToString() ?? string.Empty;

    public static IEnumerable<string> Members(JsonObject binding) => (binding["members"] as JsonArray ?? []).Select(m => m?.ToString() ?? string.Empty);

    /// <summary>Does the member stand in an unconditional binding of the role?</summary>
    public static bool Has(JsonObject policy, string role, string member) => Bindings(policy).Any(b => Role(b) == role && b["condition"] is null && Members(b).Contains(member));

    /// <summary>Adds a member to the role's unconditional binding, or adds one. False where it is there.</summary>
    public static bool Add(JsonObject policy, string role, string member)
    {
        if (Has(policy, role, member))
        {
            return false;
        }

        JsonObject? binding = Bindings(policy).FirstOrDefault(b => Role(b) == role && b["condition"] is null);
        if (binding is null)
        {
            JsonArray bindings = policy["bindings"] as JsonArray ?? [];
            policy["bindings"] ??= bindings;
            bindings.Add(binding = new JsonObject { ["role"] = role, ["members"] = new JsonArray() });
        }

        (binding["members"] as JsonArray ?? (JsonArray)(binding["members"] = new JsonArray())).Add(member);
        return true;
    }

    /// <summary>Takes a member out of every binding (of a role, or of all). False where it is in none.</summary>
    public static bool Remove(JsonObject policy, Func<string, bool> isMember, string? role = null)
    {
        bool found = false;
        foreach (JsonObject binding in Bindings(policy).Where(b => role is null || Role(b) == role).ToArray())
        {
            JsonArray members = binding["members"] as JsonArray ?? [];
            foreach (JsonNode? member in members.Where(m => isMember(m?.ToString() ?? string.Empty)).ToArray())
            {
                members.Remove(member);
                found = true;
            }

            if (members.Count == 0 && found)
            {
                policy["bindings"]!.AsArray().Remove(binding);
            }
        }

        return found;
    }

    /// <summary>Puts a member back wherever the policy of a snapshot had it, at its place. What others changed since stays.</summary>
    public static bool PutBack(JsonObject policy, JsonObject snapshot, Func<string, bool> isMember)
    {
        bool changed = false;
        int place = -1;
        foreach (JsonObject was in Bindings(snapshot))
        {
            place++;
            string[] members = [.. Members(was)];
            for (int i = 0; i < members.Length; i++)
            {
                if (!isMember(members[i]))
                {
                    continue;
                }

                JsonObject? binding = Bindings(policy).FirstOrDefault(b => Role(b) == Role(was) && JsonNode.DeepEquals(b["condition"], was["condition"]));
                if (binding is null)
                {
                    binding = was.DeepClone().AsObject();
                    binding["members"] = new JsonArray();
                    JsonArray bindings = policy["bindings"] as JsonArray ?? [];
                    policy["bindings"] ??= bindings;
                    bindings.Insert(Math.Min(place, bindings.Count), binding);
                }

                JsonArray now = binding["members"]!.AsArray();
                if (!Members(binding).Contains(members[i]))
                {
                    now.Insert(Math.Min(i, now.Count), members[i]);
                    changed = true;
                }
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
        string[] old = [.. Bindings(before).Select(b => b.ToJsonString())];
        string[] now = [.. Bindings(after).Select(b => b.ToJsonString())];
        return string.Join(Environment.NewLine, old.Except(now).Select(l => "- " + l).Concat(now.Except(old).Select(l => "+ " + l)));
    }

    /// <summary>Does the policy let a member encrypt and decrypt?</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="member">The member.</param>
    /// <param name="resource">The key's resource name, for conditions.</param>
    /// <param name="now">The time, for conditions.</param>
    /// <param name="onKey">True for the key's own policy: a custom role there was given for the purpose.</param>
    public static Standing Crypto(JsonObject policy, string member, string resource, DateTimeOffset now, bool onKey)
    {
        Standing both = Best(policy, member, resource, now, r => r is CryptoRole or "roles/owner", r => IsCustom(r), onKey);
        Standing encrypt = Best(policy, member, resource, now, r => r == "roles/cloudkms.cryptoKeyEncrypter", _ => false, onKey);
        Standing decrypt = Best(policy, member, resource, now, r => r == "roles/cloudkms.cryptoKeyDecrypter", _ => false, onKey);
        Standing halves = encrypt < decrypt ? encrypt : decrypt;
        return both > halves ? both : halves;
    }

    /// <summary>Does the policy let a member take tokens of a service account?</summary>
    public static Standing Token(JsonObject policy, string member, string resource, DateTimeOffset now, bool onAccount) =>
        Best(policy, member, resource, now, r => r == TokenRole, IsCustom, onAccount);

    /// <summary>Does an expression hold? Null where it cannot be judged from here.</summary>
    public static bool? Holds(string expression, string resource, DateTimeOffset now)
    {
        bool? all = true;
        foreach (string term in expression.Split("&&"))
        {
            bool? one = Term(term.Trim(), resource, now);
            if (one == false)
            {
                return false;
            }

            all = one is null ? null : all;
        }

        return expression.Contains("||", StringComparison.Ordinal) ? null : all;
    }

    private static bool IsCustom(string role) => role.StartsWith("projects/", StringComparison.Ordinal) || role.StartsWith("organizations/", StringComparison.Ordinal);

    private static Standing Best(JsonObject policy, string member, string resource, DateTimeOffset now, Func<string, bool> gives, Func<string, bool> mayGive, bool own)
    {
        Standing best = Standing.No;
        foreach (JsonObject binding in Bindings(policy).Where(b => Members(b).Any(m => m == member || m is "allUsers" or "allAuthenticatedUsers")))
        {
            Standing one = gives(Role(binding)) ? Standing.Yes : mayGive(Role(binding)) ? (own ? Standing.Yes : Standing.Maybe) : Standing.No;
            if (one != Standing.No && binding["condition"]?["expression"]?.ToString() is { } expression)
            {
                one = Holds(expression, resource, now) switch
                {
                    true => one,
                    false => Standing.No,
                    null => Standing.Maybe,
                };
            }

            best = one > best ? one : best;
        }

        return best;
    }

    private static bool? Term(string term, string resource, DateTimeOffset now)
    {
        if (term == "true")
        {
            return true;
        }

        if (TimeTerm().Match(term) is { Success: true } time && DateTimeOffset.TryParse(time.Groups[2].Value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset limit))
        {
            return time.Groups[1].Value.StartsWith('<') ? now < limit : now > limit;
        }

        if (NameTerm().Match(term) is { Success: true } name)
        {
            return resource == name.Groups[1].Value;
        }

        return PrefixTerm().Match(term) is { Success: true } prefix ? resource.StartsWith(prefix.Groups[1].Value, StringComparison.Ordinal) : null;
    }

    [GeneratedRegex("""^request\.time\s*(<=?|>=?)\s*timestamp\(["']([^"']+)["']\)$""")]
    private static partial Regex TimeTerm();

    [GeneratedRegex("""^resource\.name\s*==\s*["']([^"']+)["']$""")]
    private static partial Regex NameTerm();

    [GeneratedRegex("""^resource\.name\.startsWith\(["']([^"']+)["']\)$""")]
    private static partial Regex PrefixTerm();
}
