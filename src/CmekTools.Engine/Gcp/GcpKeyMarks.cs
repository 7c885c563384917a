using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CmekTools.Engine.Access;
using CmekTools.Engine.Gcp.Policies;

namespace CmekTools.Engine.Gcp;

/// <summary>Who uses a key, as it says itself: our labels, and its policy.</summary>
internal static partial class GcpKeyMarks
{
    /// <summary>Labels and policy. What cannot be read is named.</summary>
    public static async Task<KeyMarks> ReadAsync(IGoogleCloud cloud, string keyUri, Operation op)
    {
        List<KeyMark> marks = [];
        List<CutMark> cuts = [];
        List<string> users = [];
        List<string> clients = [];
        List<string> unread = [];
        RetirementMark retirement = RetirementMark.Unread;
        IReadOnlyList<KeyMark> revoked = [];
        try
        {
            JsonObject key = await cloud.GetKeyAsync(keyUri, op.Cancellation).ConfigureAwait(false);
            revoked = RevokedLabel.Clusters(key["labels"] as JsonObject);
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
            clients.AddRange(
                IamBindings.Bindings(policy)
                    .Where(Reads)
                    .SelectMany(IamBindings.Members)
                    .Select(IamMembers.EmailOf).OfType<string>()
                    .Where(m => GcpNames.IsAccount(m) && !m.StartsWith("crl-kms-user-", StringComparison.Ordinal))
                    .Distinct(StringComparer.OrdinalIgnoreCase));
            foreach (string member in IamBindings.Bindings(policy).SelectMany(IamBindings.Members).Distinct())
            {
                string plain = IamMembers.EmailOf(member) ?? member;
                users.Add(plain);
                if (DerivedAccount().Match(plain) is { Success: true } derived)
                {
                    marks.Add(new KeyMark(derived.Groups[1].Value, $"the binding for {plain}") { Principal = plain });
                }
            }
        }
        catch (CmekServiceException e)
        {
            unread.Add($"the policy of {keyUri} could not be read: {e.Message}");
        }

        return new KeyMarks(marks, cuts, users, unread) 
        {
            Clients = clients, Retirement = retirement, RevokedFor = revoked,
        };
    }

    private static bool Reads(JsonObject binding)
    {
        RoleContents role = RoleContents.FromTable(IamBindings.Role(binding));
        return role.Gives(Permissions.Decrypt) != Decision.Denied || role.Gives(Permissions.DecryptViaDelegation) != Decision.Denied;
    }

    [GeneratedRegex("^cmek-.*-([0-9a-f]{8})@")]
    private static partial Regex DerivedAccount();
}
