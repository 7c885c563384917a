using System.Text.Json.Nodes;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>Whether a statement of a resource's policy is about a principal.</summary>
/// <param name="Certainty">How sure that is.</param>
/// <param name="Reach">How it names it.</param>
internal readonly record struct PrincipalMatch(Certainty Certainty, PrincipalReach Reach)
{
    private static readonly PrincipalMatch s_none = new(Certainty.No, PrincipalReach.Account);

    /// <summary>Reads Principal or NotPrincipal of a statement.</summary>
    public static PrincipalMatch Of(JsonObject statement, PolicyPrincipal who)
    {
        bool deny = PolicyJson.Text(statement, "Effect") == "Deny";
        if (statement.TryGetPropertyValue("NotPrincipal", out JsonNode? excepted))
        {
            return new PrincipalMatch(Except([.. Named(excepted, who)], deny, who), PrincipalReach.Everybody);
        }

        PrincipalMatch best = Named(statement["Principal"], who).OrderBy(m => m.Certainty).ThenBy(m => m.Reach).LastOrDefault(s_none);

        // A Deny for an account hits every principal of it; an Allow only lets the account decide.
        return best.Reach == PrincipalReach.Account && who.RoleArn is null && best.Certainty == Certainty.Yes
            ? best with { Reach = PrincipalReach.Role }
            : best;
    }

    // AWS takes an account, a role and a session of it for three principals, each of which has to be excepted.
    private static Certainty Except(IReadOnlyList<PrincipalMatch> named, bool deny, PolicyPrincipal who)
    {
        if (named.Any(n => n.Reach == PrincipalReach.Everybody))
        {
            return Certainty.No;
        }

        if (named.Count == 0)
        {
            return Certainty.Yes;
        }

        bool account = named.Any(n => n.Reach == PrincipalReach.Account);
        if (who.RoleArn is null)
        {
            return account ? Certainty.No : Certainty.Perhaps;
        }

        if (!deny)
        {
            return Certainty.Perhaps;
        }

        // With a boundary the Deny hits the role, whatever is excepted.
        return who.Boundary switch
        {
            Presence.Present => Certainty.Yes,
            Presence.Unknown => Certainty.Perhaps,

            // The account alone: the documentation asks for the role beside it, and evaluators do not agree on what happens without.
            _ => account && named.Any(n => n is { Reach: PrincipalReach.Role, Certainty: Certainty.Yes })
                ? Certainty.No
                : Certainty.Perhaps,
        };
    }

    private static IEnumerable<PrincipalMatch> Named(JsonNode? principal, PolicyPrincipal who)
    {
        IEnumerable<string> names = principal switch
        {
            JsonObject obj => PolicyJson.Strings(obj["AWS"]),
            null => [],
            _ => PolicyJson.Strings(principal),
        };
        return names.Select(n => One(n, who)).Where(m => m.Certainty != Certainty.No);
    }

    private static PrincipalMatch One(string name, PolicyPrincipal who)
    {
        if (name == "*")
        {
            return new PrincipalMatch(Certainty.Yes, PrincipalReach.Everybody);
        }

        if ((who.RoleArn is not null && name == who.RoleArn) || (who.RoleId is not null && name == who.RoleId))
        {
            return new PrincipalMatch(Certainty.Yes, PrincipalReach.Role);
        }

        string[] parts = name.Split(':', 6);
        if (name == who.Account || (parts is ["arn", _, "iam", "", _, "root"] && parts[4] == who.Account))
        {
            return new PrincipalMatch(Certainty.Yes, PrincipalReach.Account);
        }

        if (who.IsUnread && AwsNames.IsRoleId(name))
        {
            // The role's own id, where that could not be read; or one of a role that is gone.
            return new PrincipalMatch(Certainty.Perhaps, PrincipalReach.Role);
        }

        if (parts.Length < 6 || parts[4] != who.Account)
        {
            return s_none;
        }

        if (who.RoleArn is null)
        {
            // Some principal of the account; whether it is the one that will ask is not known.
            return new PrincipalMatch(Certainty.Perhaps, PrincipalReach.Role);
        }

        // One session of the role by name: the cluster's sessions have names that we do not know.
        string role = who.RoleArn[(who.RoleArn.LastIndexOf('/') + 1)..];
        return parts[2] == "sts" && parts[5].StartsWith($"assumed-role/{role}/", StringComparison.Ordinal)
            ? new PrincipalMatch(Certainty.Perhaps, PrincipalReach.Session)
            : s_none;
    }
}
