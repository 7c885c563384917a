using System.Text.Json.Nodes;
using CmekTools.Engine.Text;

namespace CmekTools.Engine.Aws.Policies;

/// <summary>What a grant, a cut and a restoration do to a key policy.</summary>
internal static class OurPolicyEdits
{
    // Our statement exactly once, with exactly the five actions for exactly this role; the rest as it was.
    public static void AllowUse(PolicyDocument policy, CmekCluster cluster, string roleArn, string? roleId)
    {
        if (OurStatements.FindUse(policy, cluster, roleArn, roleId) is { } ours)
        {
            if (!OurStatements.SameActions(ours)
                || OurStatements.OnlyPrincipal(ours) is { } principal
                && principal != roleArn
                && principal != roleId)
            {
                policy.Replace(ours, OurStatements.Use(PolicyJson.Text(ours, "Sid")!, roleArn));
            }
        }
        else if (OurStatements.FindEqualUse(policy, roleArn) is null)
        {
            policy.Add(OurStatements.Use(policy.FreeSid(OurStatements.UseSid(cluster)), roleArn));
        }
    }

    /// <summary>Takes our statement for a role out and puts the Deny in. What others wrote stays: the Deny wins over it.</summary>
    public static void Cut(PolicyDocument policy, CmekCluster cluster, string roleArn)
    {
        // The one statement that is ours by Sid, shape and principal; a dead id in its place is a role that is gone.
        while (OurStatements.FindUse(policy, cluster, roleArn, null) is { } ours)
        {
            policy.Remove(ours);
        }

        if (OurStatements.FindRevoke(policy, cluster, roleArn) is null)
        {
            policy.Add(OurStatements.Revoke(policy.FreeSid(OurStatements.RevokeSid(cluster)), roleArn));
        }
    }

    /// <summary>Undoes <see cref="Cut"/>, and leaves what others changed since.</summary>
    /// <param name="policy">The policy as it is.</param>
    /// <param name="before">The policy as it was before the cut, or null.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="roleArn">The role.</param>
    /// <param name="roleId">The role's unique id now.</param>
    public static void Restore(PolicyDocument policy, PolicyDocument? before, CmekCluster cluster, string roleArn, string? roleId)
    {
        while (OurStatements.FindRevoke(policy, cluster, roleArn) is { } deny)
        {
            policy.Remove(deny);
        }

        // A receipt that was written when the Deny was in already does not say what was there before.
        if (before is null || OurStatements.FindRevoke(before, cluster, roleArn) is not null)
        {
            AllowUse(policy, cluster, roleArn, roleId);
            return;
        }

        IReadOnlyList<JsonObject> old = before.Statements;
        for (int i = 0; i < old.Count; i++)
        {
            bool mine = OurStatements.IsUse(old[i], cluster) && OurStatements.OnlyPrincipal(old[i]) is { } principal
                && (principal == roleArn || AwsNames.IsRoleId(principal));
            if (mine && !policy.Statements.Any(s => IsBack(s, old[i]) || IsAnother(s, old[i])))
            {
                JsonObject statement = (JsonObject)old[i].DeepClone();
                WithLivePrincipal(statement, roleArn);
                string sid = PolicyJson.Text(statement, "Sid")!;
                if (policy.HasSid(sid))
                {
                    // Somebody took the Sid since.
                    statement["Sid"] = policy.FreeSid(sid);
                }

                policy.Insert(PlaceOf(policy, old, i), statement);
            }
        }

        foreach (
            JsonObject stale in policy.Statements.Where(
                s => OurStatements.IsUse(s, cluster) && AwsNames.IsRoleId(OurStatements.OnlyPrincipal(s) ?? string.Empty)
                    && OurStatements.OnlyPrincipal(s) != roleId))
        {
            WithLivePrincipal(stale, roleArn);
        }

        if (before.IsSingle)
        {
            policy.Unwrap();
        }

        // A grant of the same moment has given it the same under another Sid.
        bool IsAnother(JsonObject now, JsonObject then)
        {
            JsonObject wanted = (JsonObject)then.DeepClone();
            WithLivePrincipal(wanted, roleArn);
            return IsSameButSid(now, wanted) && !old.Any(o => IsBack(now, o));
        }

        bool IsBack(JsonObject now, JsonObject then)
        {
            JsonObject wanted = (JsonObject)then.DeepClone();
            WithLivePrincipal(wanted, roleArn);
            return PolicyJson.Same(now, wanted, text => text == roleId ? roleArn : text) || PolicyJson.Same(now, then)
                || (
                    PolicyJson.Text(now, "Sid") == PolicyJson.Text(then, "Sid") && OurStatements.IsUse(now, cluster)
                        && OurStatements.OnlyPrincipal(now) is { } who && (who == roleArn || who == roleId));
        }
    }

    /// <summary>What somebody else has written since a policy was read: his new statements and those that he changed.</summary>
    /// <param name="basis">What was read.</param>
    /// <param name="there">What he wrote.</param>
    public static IReadOnlyList<JsonObject> News(PolicyDocument basis, PolicyDocument there) =>
        [.. there.Statements.Where(s => !basis.Statements.Any(b => PolicyJson.Same(s, b)))];

    /// <summary>
    /// Puts somebody's statements in, each in place of one of the same Sid. Where they are in it does nothing. Two that give something to
    /// two roles may have taken the same Sid of ours at the same moment: then the second gets another one.
    /// </summary>
    /// <param name="policy">Takes them.</param>
    /// <param name="statements">The statements.</param>
    public static void PutIn(PolicyDocument policy, IReadOnlyList<JsonObject> statements)
    {
        foreach (JsonObject statement in statements)
        {
            string? sid = PolicyJson.Text(statement, "Sid");
            bool ours = OurStatements.IsOfUs(sid);
            if (policy.Statements.Any(s => PolicyJson.Same(s, statement) || (ours && IsSameButSid(s, statement))))
            {
                continue;
            }

            JsonObject copy = (JsonObject)statement.DeepClone();
            JsonObject? same = sid is null ? null : policy.Statements.FirstOrDefault(s => PolicyJson.Text(s, "Sid") == sid);
            if (same is not null && ours && OurStatements.OnlyPrincipal(same) != OurStatements.OnlyPrincipal(copy))
            {
                copy["Sid"] = policy.FreeSid(sid!);
                same = null;
            }

            if (same is not null)
            {
                policy.Replace(same, copy);
            }
            else
            {
                policy.Add(copy);
            }
        }
    }

    // Of two statements of ours.
    private static bool IsSameButSid(JsonObject one, JsonObject other)
    {
        if (!OurStatements.IsOfUs(PolicyJson.Text(one, "Sid")))
        {
            return false;
        }

        JsonObject copy = (JsonObject)one.DeepClone();
        copy["Sid"] = other["Sid"]?.DeepClone();
        return PolicyJson.Same(copy, other);
    }

    /// <summary>Statements as people call them: by the Sid, else what they say.</summary>
    public static IReadOnlyList<string> Names(IEnumerable<JsonObject> statements) =>
        [.. statements.Select(s => PolicyJson.Text(s, "Sid") ?? PolicyJson.Compact(s))];

    // A new role in place of one that was cut off is another principal, and not stopped by the old one's Deny.
    public static void RequireNotRevoked(PolicyDocument policy, CmekCluster cluster, KeyArn key, string? roleName)
    {
        JsonObject? revoked = policy.Statements.FirstOrDefault(
            s => OurStatements.RevokedRole(s, cluster) is { } who && AwsNames.TryParseRole(who)?.Name == roleName);
        if (revoked is not null)
        {
            throw new CmekException(
                "AccessRevoked",
                CmekErrorKind.InvalidOperation,
                $"Access to {key.Text} was revoked: its policy holds the statement {PolicyJson.Text(revoked, "Sid")}, which "
                    + $"Revoke-CmekAccess put there for {OurStatements.RevokedRole(revoked, cluster)}. A grant does not undo that.",
                $"Use Restore-CmekAccess -ClusterName {PowerShellText.Quote(cluster.Name)} to take the revocation back.",
                key.Text);
        }
    }

    public static List<string> DeadPrincipals(PolicyDocument policy) =>
    [
        .. policy.Statements.SelectMany(s => new[] { s["Principal"], s["NotPrincipal"] })
            .OfType<JsonObject>().SelectMany(p => PolicyJson.Strings(p["AWS"]))
            .Where(
                p => AwsNames.IsRoleId(p)
                    || (p.StartsWith("AIDA", StringComparison.Ordinal) && !p.Contains(':', StringComparison.Ordinal))).Distinct(),
    ];

    /// <summary>
    /// Takes the ids of deleted principals out. A statement that names nobody else goes; one for everybody but them is one for everybody,
    /// which is what it was.
    /// </summary>
    public static void TakeDeadOut(PolicyDocument policy)
    {
        HashSet<string> dead = [.. DeadPrincipals(policy)];
        foreach (JsonObject statement in policy.Statements)
        {
            foreach (string element in (string[])["Principal", "NotPrincipal"])
            {
                if (statement[element] is not JsonObject kinds || !PolicyJson.Strings(kinds["AWS"]).Any(dead.Contains))
                {
                    continue;
                }

                string[] left = [.. PolicyJson.Strings(kinds["AWS"]).Where(p => !dead.Contains(p))];
                kinds.Remove("AWS");
                if (left.Length > 0)
                {
                    kinds["AWS"] = left.Length == 1 ? left[0] : new JsonArray([.. left.Select(p => (JsonNode)p)]);
                }
                else if (kinds.Count == 0 && element == "Principal")
                {
                    policy.Remove(statement);
                }
                else if (kinds.Count == 0)
                {
                    statement.Remove("NotPrincipal");
                    statement["Principal"] = "*";
                }
            }
        }
    }

    // Only a dead id is written anew; everything else of the statement is put back letter by letter.
    private static void WithLivePrincipal(JsonObject statement, string roleArn)
    {
        if (OurStatements.OnlyPrincipal(statement) is { } principal && AwsNames.IsRoleId(principal))
        {
            statement["Principal"] = new JsonObject { ["AWS"] = roleArn };
        }
    }

    // Behind the nearest neighbour that is still there, so that an untouched policy comes out as it was.
    private static int PlaceOf(PolicyDocument policy, IReadOnlyList<JsonObject> old, int index)
    {
        IReadOnlyList<JsonObject> now = policy.Statements;
        for (int i = index - 1; i >= 0; i--)
        {
            for (int j = now.Count - 1; j >= 0; j--)
            {
                if (PolicyJson.Same(now[j], old[i]))
                {
                    return j + 1;
                }
            }
        }

        return 0;
    }
}
