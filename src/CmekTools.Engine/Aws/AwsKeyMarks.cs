using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Who uses a key, as it says itself: our tags and statements, and its policy.</summary>
internal sealed class AwsKeyMarks(AwsKeyReader reader)
{
    /// <summary>Tags and policy. What cannot be read is named.</summary>
    public async Task<KeyMarks> ReadAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        Task<Evidence<IReadOnlyDictionary<string, string>>> tagging = AwsEvidence.TryReadAsync(TagsAsync(key, op.Cancellation));
        Task<Evidence<PolicyDocument>> reading = AwsEvidence.TryReadAsync(reader.PolicyAsync(key, op.Cancellation));
        await Task.WhenAll(tagging, reading).ConfigureAwait(false);
        Evidence<IReadOnlyDictionary<string, string>> tags = await tagging.ConfigureAwait(false);
        Evidence<PolicyDocument> policy = await reading.ConfigureAwait(false);
        List<KeyMark> marks = [];
        List<CutMark> cuts = [];
        List<string> users = [];
        List<string> clients = [];
        List<string> unread = [];
        if (tags.Value?.GetValueOrDefault(AwsNames.ClusterIdTag) is { } id)
        {
            marks.Add(new KeyMark(id, $"the tag {AwsNames.ClusterIdTag}") { IsLabel = true });
        }
        else if (tags.Value is null)
        {
            unread.Add($"the tags of {key.Text} could not be read: {tags.Why}");
        }

        foreach (JsonObject statement in policy.Value?.Statements ?? [])
        {
            string sid = PolicyJson.Text(statement, "Sid") ?? string.Empty;
            bool allows = PolicyJson.Text(statement, "Effect") == "Allow";
            if (OurStatements.UseMark(sid) is { } use && allows)
            {
                marks.Add(new KeyMark(use, $"the statement {sid}") { Principal = OurStatements.OnlyPrincipal(statement) });
            }
            else if (OurStatements.RevokeMark(sid) is { } revoke && OurStatements.CutRole(statement) is { } role)
            {
                marks.Add(new KeyMark(revoke, $"the statement {sid}"));
                cuts.Add(new CutMark(role, revoke, $"the statement {sid}"));
            }

            if (allows)
            {
                string[] named = [.. Principals(statement).Where(p => !p.EndsWith(":root", StringComparison.Ordinal) && Opens(statement))];
                users.AddRange(named);
                clients.AddRange(named.Where(p => Reads(statement) && MayBeClusters(p)));
            }
        }

        if (policy.Value is null)
        {
            unread.Add($"the policy of {key.Text} could not be read: {policy.Why}");
        }

        return new KeyMarks(marks, cuts, [.. users.Distinct(StringComparer.Ordinal)], unread)
        {
            Clients = [.. clients.Distinct(StringComparer.Ordinal).Where(c => cuts.All(cut => cut.Principal != c))],
            Retirement = tags.Value is null ? RetirementMark.Unread
                : tags.Value.ContainsKey(AwsNames.RevokedTag) ? RetirementMark.Revocation
                : RetirementMark.None,
            RevokedFor =
            [
                .. (RevokedTag.Read(tags.Value)?.ClusterIds ?? []).Select(id => new KeyMark(id, $"the tag {AwsNames.RevokedTag}")),
            ],
        };
    }

    private async Task<IReadOnlyDictionary<string, string>> TagsAsync(KeyArn key, CancellationToken cancellation) =>
        await reader.TagsAsync(key.Text, key.Region, cancellation).ConfigureAwait(false) ?? new Dictionary<string, string>();

    internal static IReadOnlyList<string> Principals(JsonObject statement) => statement["Principal"] is JsonObject named
        ? [.. named.SelectMany(p => PolicyJson.Strings(p.Value))]
        : statement.ContainsKey("NotPrincipal") ? ["everybody but some"] : PolicyJson.Strings(statement["Principal"]);

    private static bool Reads(JsonObject statement) =>
        statement.ContainsKey("NotAction")
        || PolicyJson.Strings(statement["Action"]).Any(a => PolicyPatterns.Like(a, "kms:Decrypt", ignoreCase: true));

    // A cluster acts as a role. Users, services and ids of what is gone are none.
    private static bool MayBeClusters(string principal) =>
        principal is "*" or "everybody but some" || AwsNames.TryParseRole(principal) is not null;

    private static bool Opens(JsonObject statement) =>
        statement.ContainsKey("NotAction") || PolicyJson.Strings(statement["Action"]).Any(a =>
        a is "*" || a.StartsWith("kms:*", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:D", StringComparison.OrdinalIgnoreCase)
        || a.StartsWith("kms:R", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:Gen", StringComparison.OrdinalIgnoreCase)
        || a.StartsWith("kms:C", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:P", StringComparison.OrdinalIgnoreCase));
}
