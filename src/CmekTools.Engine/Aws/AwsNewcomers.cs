using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Whom a key and a role let in now and did not when a snapshot was taken.</summary>
internal sealed class AwsNewcomers(AwsKeyReader reader, AwsRoleReader roles)
{
    /// <summary>Was our Deny for the role in the policy already? One that has no policy does not say what was there either.</summary>
    public static bool WasCut(AccessTarget target, AccessSnapshot snapshot) =>
        Before(snapshot, "keyPolicyText") is not { } before
            || OurStatements.FindRevoke(before, target.Cluster, target.AuthPrincipal) is not null;

    /// <summary>Statements of key policy and trust that let somebody in now and were not there then, and denials that are gone.</summary>
    public async Task<IReadOnlyList<string>> ReadAsync(AccessTarget target, AccessSnapshot snapshot, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        List<string> news = [];
        if (Before(snapshot, "keyPolicyText") is { } before)
        {
            PolicyDocument now = await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false);
            news.AddRange(Difference(before, now, target, "the key policy"));
        }

        if (Before(snapshot, "trustPolicyText") is { } trusted && AwsNames.TryParseRole(target.AuthPrincipal) is { } role)
        {
            Evidence<IamRole> seen = await AwsEvidence.TryReadAsync(roles.RoleAsync(role, op.Cancellation)).ConfigureAwait(false);
            if (seen.Value is { } found)
            {
                news.AddRange(
                    Difference(trusted, PolicyDocument.Parse(found.TrustPolicy, role.Text), target, $"the trust of {role.Name}"));
            }
            else if (seen.Hidden)
            {
                news.Add($"whoever the trust of {role.Name} lets in since (it could not be read: {seen.Why})");
            }
        }

        return news;
    }

    private static PolicyDocument? Before(AccessSnapshot snapshot, string name) =>
        snapshot.Data[name] is JsonValue value && value.TryGetValue(out string? text) ? PolicyDocument.Parse(text, "the receipt") : null;

    private static IEnumerable<string> Difference(PolicyDocument before, PolicyDocument now, AccessTarget target, string where)
    {
        // Under our Sid anybody may stand: ours is what lets in the principal itself.
        foreach (
            JsonObject statement in now.Statements.Where(
                s => PolicyJson.Text(s, "Effect") == "Allow"
                    && !(OurStatements.IsUse(s, target.Cluster) && OurStatements.OnlyPrincipal(s) == target.AuthPrincipal)))
        {
            if (before.Statements.Any(b => SameBesideSid(b, statement)))
            {
                continue;
            }

            string actions = statement.ContainsKey("NotAction")
                ? "everything but some"
                : string.Join(", ", PolicyJson.Strings(statement["Action"]));
            string name = PolicyJson.Text(statement, "Sid") is { Length: > 0 } sid ? $"the statement {sid}" : "a statement without a Sid";
            foreach (string principal in AwsKeyMarks.Principals(statement))
            {
                yield return $"{principal} ({actions} by {name} of {where})";
            }
        }

        foreach (JsonObject denial in before.Statements.Where(s => PolicyJson.Text(s, "Effect") == "Deny" && !OurStatements.IsCut(s)))
        {
            if (!now.Statements.Any(s => SameBesideSid(s, denial)))
            {
                yield return $"whoever the statement {PolicyJson.Text(denial, "Sid") ?? "without a Sid"} of {where} denied (it is gone)";
            }
        }
    }

    private static bool SameBesideSid(JsonObject left, JsonObject right)
    {
        JsonObject one = (JsonObject)left.DeepClone();
        JsonObject other = (JsonObject)right.DeepClone();
        one.Remove("Sid");
        other.Remove("Sid");
        return PolicyJson.Same(one, other);
    }
}
