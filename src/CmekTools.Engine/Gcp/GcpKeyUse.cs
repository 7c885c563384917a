using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Who uses a key, as it says itself: our labels, its policy, and what changed since a snapshot.</summary>
internal static partial class GcpKeyUse
{
    /// <summary>Labels and policy. What cannot be read is named.</summary>
    public static async Task<KeyMarks> ReadMarksAsync(IGoogleCloud cloud, string keyUri, Operation op)
    {
        List<KeyMark> marks = [];
        List<CutMark> cuts = [];
        List<string> users = [];
        List<string> unread = [];
        RetirementMark retirement = RetirementMark.Unread;
        try
        {
            JsonObject key = await cloud.GetKeyAsync(keyUri, op.Cancellation).ConfigureAwait(false);
            retirement = RevokedLabel.Read(key) is null ? RetirementMark.None : RetirementMark.Revocation;
            if (key["labels"]?[GcpNames.ClusterLabel]?.ToString() is { } id)
            {
                marks.Add(new KeyMark(id, $"the label {GcpNames.ClusterLabel}") { IsLabel = true });
            }

            cuts.AddRange(CutLabel.Read(key));
        }
        catch (CmekServiceException e)
        {
            unread.Add($"the labels of {keyUri} could not be read: {e.Message}");
        }

        try
        {
            JsonObject policy = await cloud.GetKmsPolicyAsync(keyUri, op.Cancellation).ConfigureAwait(false);
            foreach (string member in IamTree.Bindings(policy).SelectMany(IamTree.Members).Distinct())
            {
                string plain = member.StartsWith("serviceAccount:", StringComparison.Ordinal) ? member["serviceAccount:".Length..] : member;
                users.Add(plain);
                if (DerivedAccount().Match(plain) is { Success: true } derived)
                {
                    marks.Add(new KeyMark(derived.Groups[1].Value, $"the binding for {plain}"));
                }
            }
        }
        catch (CmekServiceException e)
        {
            unread.Add($"the policy of {keyUri} could not be read: {e.Message}");
        }

        return new KeyMarks(marks, cuts, users, unread) { Retirement = retirement };
    }

    /// <summary>Had the account no binding on the key any more?</summary>
    public static bool WasCut(AccessTarget target, AccessSnapshot snapshot) => snapshot.Data["key_policy"] is not JsonObject policy
        || !IamTree.Bindings(policy).Any(b => IamTree.Members(b).Contains("serviceAccount:" + target.AuthPrincipal));

    /// <summary>Members of key and account that are bound now and were not then.</summary>
    public static async Task<IReadOnlyList<string>> ReadNewcomersAsync(
        IGoogleCloud cloud,
        AccessTarget target,
        AccessSnapshot snapshot,
        Operation op)
    {
        string[] own = ["serviceAccount:" + target.AuthPrincipal, "serviceAccount:" + GcpNames.ClusterPrincipal(target.Cluster)];
        List<string> news = [];
        if (snapshot.Data["key_policy"] is JsonObject before)
        {
            news.AddRange(
                Difference(before, await cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation).ConfigureAwait(false), own, "on the key"));
        }

        if (snapshot.Data["service_account_policy"] is JsonObject trusted)
        {
            try
            {
                JsonObject now = await cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation).ConfigureAwait(false);
                news.AddRange(Difference(trusted, now, own, $"on {target.AuthPrincipal}"));
            }
            catch (CmekServiceException e) when (e.StatusCode is 404 or 403)
            {
                // An account that is gone has nobody who could act as it.
            }
        }

        return news;
    }

    private static IEnumerable<string> Difference(JsonObject before, JsonObject now, string[] own, string where)
    {
        HashSet<string> then = [.. IamTree.Bindings(before).SelectMany(Entries)];
        return IamTree.Bindings(now).SelectMany(b => Entries(b).Zip(IamTree.Members(b)))
            .Where(e => !then.Contains(e.First) && !own.Contains(e.Second) && !e.Second.StartsWith("deleted:", StringComparison.Ordinal))
            .Select(e => $"{Plain(e.Second)} ({e.First.Split('\n')[0]} {where})")
            .Distinct();
    }

    private static IEnumerable<string> Entries(JsonObject binding) =>
        IamTree.Members(binding).Select(m => $"{IamTree.Role(binding)}\n{m}\n{binding["condition"]?["expression"]}");

    private static string Plain(string member) =>
        member.StartsWith("serviceAccount:", StringComparison.Ordinal) ? member["serviceAccount:".Length..] : member;

    [GeneratedRegex("^cmek-.*-([0-9a-f]{8})@")]
    private static partial Regex DerivedAccount();
}
