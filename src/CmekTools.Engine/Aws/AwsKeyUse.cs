using System.Text.Json.Nodes;
using Amazon.KeyManagementService.Model;
using CmekTools.Engine.Access;
using CmekTools.Engine.Aws.Policies;

namespace CmekTools.Engine.Aws;

/// <summary>Who uses a key, as it says itself: our tags and statements, its policy, and what changed since a snapshot.</summary>
internal sealed class AwsKeyUse(AwsClients clients, AwsKeyReader reader, AwsRoleReader roles)
{
    /// <summary>On-demand rotations that KMS makes of one key; the quota cannot be raised.</summary>
    public const int RotationLimit = 25;

    private const string UseHead = "CmekToolsUse";
    private const string RevokeHead = "CmekToolsRevoke";

    /// <summary>Tags and policy. What cannot be read is named.</summary>
    public async Task<KeyMarks> ReadMarksAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        Task<Seen<IReadOnlyDictionary<string, string>>> tagging = AwsKeyReader.LookAsync(TagsAsync(key, op.Cancellation));
        Task<Seen<PolicyDocument>> reading = AwsKeyReader.LookAsync(reader.PolicyAsync(key, op.Cancellation));
        await Task.WhenAll(tagging, reading).ConfigureAwait(false);
        Seen<IReadOnlyDictionary<string, string>> tags = await tagging.ConfigureAwait(false);
        Seen<PolicyDocument> policy = await reading.ConfigureAwait(false);
        List<KeyMark> marks = [];
        List<CutMark> cuts = [];
        List<string> users = [];
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
            if (MarkOf(sid, UseHead) is { } use && allows)
            {
                marks.Add(new KeyMark(use, $"the statement {sid}"));
            }
            else if (MarkOf(sid, RevokeHead) is { } revoke && CutRole(statement) is { } role)
            {
                marks.Add(new KeyMark(revoke, $"the statement {sid}"));
                cuts.Add(new CutMark(role, revoke, $"the statement {sid}"));
            }

            if (allows)
            {
                users.AddRange(Principals(statement).Where(p => !p.EndsWith(":root", StringComparison.Ordinal) && Opens(statement)));
            }
        }

        if (policy.Value is null)
        {
            unread.Add($"the policy of {key.Text} could not be read: {policy.Why}");
        }

        return new KeyMarks(marks, cuts, [.. users.Distinct(StringComparer.Ordinal)], unread)
        {
            Retirement = tags.Value is null ? RetirementMark.Unread
                : tags.Value.ContainsKey(AwsNames.RevokedTag) ? RetirementMark.Revocation
                : RetirementMark.None,
        };
    }

    /// <summary>Was our Deny for the role in the policy already?</summary>
    public static bool WasCut(AccessTarget target, AccessSnapshot snapshot) =>
        Before(snapshot, "keyPolicyText") is { } before
            && OurStatements.FindRevoke(before, target.Cluster, target.AuthPrincipal) is not null;

    /// <summary>Statements of key policy and trust that let somebody in now and were not there then, and denials that are gone.</summary>
    public async Task<IReadOnlyList<string>> ReadNewcomersAsync(AccessTarget target, AccessSnapshot snapshot, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(target.KeyUri);
        List<string> news = [];
        if (Before(snapshot, "keyPolicyText") is { } before)
        {
            news.AddRange(Difference(before, await reader.PolicyAsync(key, op.Cancellation).ConfigureAwait(false), "the key policy"));
        }

        if (Before(snapshot, "trustPolicyText") is { } trusted && AwsNames.TryParseRole(target.AuthPrincipal) is { } role)
        {
            Seen<IamRole> seen = await AwsKeyReader.LookAsync(roles.RoleAsync(role, op.Cancellation)).ConfigureAwait(false);
            if (seen.Value is { } now)
            {
                news.AddRange(Difference(trusted, PolicyDocument.Parse(now.TrustPolicy, role.Text), $"the trust of {role.Name}"));
            }
        }

        return news;
    }

    /// <summary>How many on-demand rotations the key has had; at the primary, for a replica.</summary>
    public async Task<RotationBudget> ReadRotationBudgetAsync(string keyUri, Operation op)
    {
        KeyArn key = AwsInput.ParseKey(keyUri);
        int used = 0;
        string? marker = null;
        do
        {
            string? from = marker;
            ListKeyRotationsResponse? page = await AwsKeyReader.SeenAsync<ListKeyRotationsResponse>(
                AwsErrors.CallAsync<ListKeyRotationsResponse?>(
                "kms:ListKeyRotations",
                key.Text,
                async ct => await clients.Kms(key.Region)
                    .ListKeyRotationsAsync(new ListKeyRotationsRequest { KeyId = key.Text, Marker = from }, ct).ConfigureAwait(false),
                op.Cancellation)).ConfigureAwait(false);
            if (page is null)
            {
                return new RotationBudget(false, 0, RotationLimit);
            }

            used += (page.Rotations ?? []).Count(r => r.RotationType?.Value == "ON_DEMAND");
            marker = page.Truncated == true ? page.NextMarker : null;
        }
        while (!string.IsNullOrEmpty(marker));
        return new RotationBudget(true, used, RotationLimit);
    }

    private async Task<IReadOnlyDictionary<string, string>> TagsAsync(KeyArn key, CancellationToken cancellation) =>
        await reader.TagsAsync(key.Text, key.Region, cancellation).ConfigureAwait(false) ?? new Dictionary<string, string>();

    private static string? MarkOf(string sid, string head) =>
        sid.Length >= head.Length + 8 && sid.StartsWith(head, StringComparison.Ordinal)
            && sid[head.Length..(head.Length + 8)].All(char.IsAsciiLetterOrDigit)
            ? sid[head.Length..(head.Length + 8)]
            : null;

    // The shape that a cut has, whatever cluster it is for; anything else under such a name is somebody else's.
    private static string? CutRole(JsonObject statement) =>
        ((statement["Condition"]?["ArnEquals"] ?? statement["Condition"]?["StringEquals"]) as JsonObject)?["aws:PrincipalArn"] is { } arn
            && PolicyJson.Strings(arn) is [string role]
            && PolicyJson.Same(statement, OurStatements.Revoke(PolicyJson.Text(statement, "Sid")!, role))
            ? role
            : null;

    private static PolicyDocument? Before(AccessSnapshot snapshot, string name) =>
        snapshot.Data[name] is JsonValue value && value.TryGetValue(out string? text) ? PolicyDocument.Parse(text, "the receipt") : null;

    private static IReadOnlyList<string> Principals(JsonObject statement) => statement["Principal"] is JsonObject named
        ? [.. named.SelectMany(p => PolicyJson.Strings(p.Value))]
        : statement.ContainsKey("NotPrincipal") ? ["everybody but some"] : PolicyJson.Strings(statement["Principal"]);

    private static bool Opens(JsonObject statement) =>
        statement.ContainsKey("NotAction") || PolicyJson.Strings(statement["Action"]).Any(a =>
        a is "*" || a.StartsWith("kms:*", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:D", StringComparison.OrdinalIgnoreCase)
        || a.StartsWith("kms:R", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:Gen", StringComparison.OrdinalIgnoreCase)
        || a.StartsWith("kms:C", StringComparison.OrdinalIgnoreCase) || a.StartsWith("kms:P", StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<string> Difference(PolicyDocument before, PolicyDocument now, string where)
    {
        foreach (JsonObject statement in now.Statements.Where(s => !IsOurs(s) && PolicyJson.Text(s, "Effect") == "Allow"))
        {
            if (before.Statements.Any(b => SameBesideSid(b, statement)))
            {
                continue;
            }

            string actions = statement.ContainsKey("NotAction")
                ? "everything but some"
                : string.Join(", ", PolicyJson.Strings(statement["Action"]));
            string name = PolicyJson.Text(statement, "Sid") is { Length: > 0 } sid ? $"the statement {sid}" : "a statement without a Sid";
            foreach (string principal in Principals(statement))
            {
                yield return $"{principal} ({actions} by {name} of {where})";
            }
        }

        foreach (JsonObject denial in before.Statements.Where(s => !IsOurs(s) && PolicyJson.Text(s, "Effect") == "Deny"))
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

    // By name and shape: what carries our name and gives something else is not ours.
    private static bool IsOurs(JsonObject statement)
    {
        string sid = PolicyJson.Text(statement, "Sid") ?? string.Empty;
        return (MarkOf(sid, UseHead) is not null && OurStatements.SameActions(statement) && !statement.ContainsKey("Condition"))
            || (MarkOf(sid, RevokeHead) is not null && CutRole(statement) is not null);
    }
}
