using System.Text.Json.Nodes;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Whom a key and an account let in now and did not when a snapshot was taken.</summary>
internal static class GcpNewcomers
{
    /// <summary>Had the account no binding on the key any more?</summary>
    public static bool WasCut(AccessTarget target, AccessSnapshot snapshot) => snapshot.Data["key_policy"] is not JsonObject policy
        || !IamBindings.Bindings(policy).Any(b => IamBindings.Members(b).Contains(IamMembers.ServiceAccount(target.AuthPrincipal)));

    /// <summary>Members of key and account that are bound now and were not then.</summary>
    public static async Task<IReadOnlyList<string>> ReadAsync(
        IGoogleCloud cloud,
        AccessTarget target,
        AccessSnapshot snapshot,
        Operation op)
    {
        string[] own = IamMembers.Of(target);
        List<string> news = [];
        if (snapshot.Data["key_policy"] is JsonObject before)
        {
            news.AddRange(
                Difference(before, await cloud.GetKmsPolicyAsync(target.KeyUri, op.Cancellation).ConfigureAwait(false), own, "on the key"));
        }

        if (snapshot.Data["service_account_policy"] is JsonObject trusted)
        {
            Evidence<JsonObject> now = await GcpEvidence.TryReadAsync(
                cloud.GetAccountPolicyAsync(target.AuthPrincipal, op.Cancellation),
                "iam.serviceAccounts.getIamPolicy",
                target.AuthPrincipal).ConfigureAwait(false);
            if (now.Value is { } seen)
            {
                news.AddRange(Difference(trusted, seen, own, $"on {target.AuthPrincipal}"));
            }
            else if (now.Hidden)
            {
                // An account that is gone has nobody who could act as it.
                news.Add($"whoever may act as {target.AuthPrincipal} since (its policy {now.Why})");
            }
        }

        return news;
    }

    private static IEnumerable<string> Difference(JsonObject before, JsonObject now, string[] own, string where)
    {
        HashSet<string> then = [.. IamBindings.Bindings(before).SelectMany(Entries)];
        return IamBindings.Bindings(now).SelectMany(b => Entries(b).Zip(IamBindings.Members(b)))
            .Where(e => !then.Contains(e.First) && !own.Contains(e.Second) && !e.Second.StartsWith("deleted:", StringComparison.Ordinal))
            .Select(e => $"{IamMembers.EmailOf(e.Second) ?? e.Second} ({e.First.Split('\n')[0]} {where})")
            .Distinct();
    }

    private static IEnumerable<string> Entries(JsonObject binding) =>
        IamBindings.Members(binding).Select(m => $"{IamBindings.Role(binding)}\n{m}\n{binding["condition"]?["expression"]}");
}
