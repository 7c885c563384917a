using System.Globalization;
using System.Text;
using CmekTools.Engine.Clusters;
using CmekTools.Engine.State;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Writes the texts for the vendor's tickets, from what is known and nothing secret.</summary>
internal static class SupportRequests
{
    private const int MostEntries = 20;
    private const int MostLooks = 20;

    /// <summary>Writes one.</summary>
    /// <param name="purpose">What is asked for.</param>
    /// <param name="organization">Whose.</param>
    /// <param name="status">The cluster's status; null where the request is the organization's.</param>
    /// <param name="facts">What is known and bears on it, a sentence each: nothing is said that was not seen.</param>
    /// <param name="done">What was done, a line each.</param>
    /// <param name="now">The time.</param>
    public static CmekSupportRequest Write(
        CmekSupportPurpose purpose,
        CmekOrganization organization,
        CmekStatus? status,
        IEnumerable<string> facts,
        IEnumerable<string> done,
        DateTimeOffset now)
    {
        StringBuilder body = new();
        string asked = purpose switch
        {
            CmekSupportPurpose.EnableOrganization => "Please turn on CMEK for our organization.",
            CmekSupportPurpose.Recover when status is not null
                && IsRevoked(status) => "Please bring our cluster back after a CMEK revocation.",
            CmekSupportPurpose.Recover => "Please bring our cluster back.",
            _ => "Please move our cluster from CMEK back to CockroachDB-managed encryption.",
        };
        body.AppendLine(string.Join(' ', [asked, .. facts]));
        body.AppendLine();
        body.AppendLine(CultureInfo.InvariantCulture, $"Organization: {organization.Name}");
        body.AppendLine(CultureInfo.InvariantCulture, $"Organization ID: {organization.Id}");
        if (status is not null)
        {
            body.AppendLine(CultureInfo.InvariantCulture, $"Cluster: {status.ClusterName}");
            body.AppendLine(CultureInfo.InvariantCulture, $"Cluster ID: {status.ClusterId}");
            body.AppendLine(CultureInfo.InvariantCulture, $"Cloud provider: {status.Provider}");
            body.AppendLine(CultureInfo.InvariantCulture, $"CMEK status at {status.AsOf.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: {status.State}");
            foreach (CmekRegionStatus region in status.Regions)
            {
                string key = region.KeyUri is null ? string.Empty : $", key {region.KeyUri}, principal {region.AuthPrincipal}";
                string message = region.UserMessage is null ? string.Empty : $", message: {region.UserMessage}";
                body.AppendLine(CultureInfo.InvariantCulture, $"  {region.Region}: {region.State}{key}{message}");
            }
        }

        string[] lines = [.. done];
        if (lines.Length > 0)
        {
            body.AppendLine();
            body.AppendLine("What was done:");
            foreach (string line in lines)
            {
                body.AppendLine(CultureInfo.InvariantCulture, $"  {line}");
            }
        }

        body.AppendLine();
        body.Append(CultureInfo.InvariantCulture, $"Written {now.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z.");
        return new CmekSupportRequest
        {
            Purpose = purpose,
            OrganizationId = organization.Id,
            ClusterId = status?.ClusterId,
            Subject = purpose switch
            {
                CmekSupportPurpose.EnableOrganization => $"Enable CMEK for organization {organization.Id}",
                CmekSupportPurpose.Recover when status is not null && IsRevoked(status) =>
                    $"Recover cluster {status.ClusterId} after CMEK revocation (organization {organization.Id})",
                CmekSupportPurpose.Recover => $"Recover cluster {status?.ClusterId} (organization {organization.Id})",
                _ => $"Disable CMEK on cluster {status?.ClusterId} (organization {organization.Id})",
            },
            Body = body.ToString(),
        };
    }

    /// <summary>
    /// The request for the organization, with what the service itself says of it: that the Cloud API answers, and whether a cluster has
    /// customer-managed keys already. Then it is told that there may be nothing to ask for.
    /// </summary>
    public static async Task<CmekSupportRequest> OfOrganizationAsync(CmekOrganization organization, Operation op)
    {
        List<string> facts = ["The Cloud API answers for it."];
        CmekCluster[] clusters =
        [
            .. (await ClusterListing.AllAsync(op.Session, op.Cancellation).ConfigureAwait(false)).Where(c => c.SupportsCmek),
        ];
        int keyless = 0;
        foreach (CmekCluster cluster in clusters.Take(MostLooks))
        {
            try
            {
                CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
                if (!status.Regions.Any(r => r.Keys.Count > 0))
                {
                    keyless++;
                    continue;
                }

                string works = $"A cluster of it has customer-managed keys already: {cluster.Name} ({cluster.Id}) is {status.State}.";
                facts.Add(works);
                await op.Host.WarningAsync($"{works} CMEK seems to be turned on: read the text before it is sent.").ConfigureAwait(false);
                break;
            }
            catch (CmekServiceException e)
            {
                facts.Add($"Asked for the CMEK status of the cluster {cluster.Id} the service said: {e.Message.TrimEnd('.')}.");
                break;
            }
        }

        if (facts.Count == 1)
        {
            facts.Add(clusters.Length switch
            {
                0 => "It has no cluster whose plan can have CMEK.",
                _ when keyless < clusters.Length =>
                    $"It has {clusters.Length} clusters whose plan can have CMEK; of the {keyless} that were looked at none has a key.",
                1 => $"Its one cluster whose plan can have CMEK, {clusters[0].Name} ({clusters[0].Id}), has no customer-managed key.",
                _ => $"None of its {clusters.Length} clusters whose plan can have CMEK has a customer-managed key.",
            });
        }

        return Write(CmekSupportPurpose.EnableOrganization, organization, null, facts, [], op.Session.Time.GetUtcNow());
    }

    /// <summary>What is known here and bears on a request.</summary>
    /// <param name="purpose">What is asked for.</param>
    /// <param name="status">The cluster's status.</param>
    /// <param name="receipts">Every receipt that there is, newest first.</param>
    /// <param name="journal">The journal.</param>
    public static IEnumerable<string> Facts(
        CmekSupportPurpose purpose,
        CmekStatus status,
        IEnumerable<ReceiptDocument> receipts,
        IEnumerable<CmekJournalEntry> journal)
    {
        if (purpose == CmekSupportPurpose.Recover)
        {
            if (!IsRevoked(status))
            {
                yield return $"The service does not say now that it is revoked: {status.State}.";
            }

            ReceiptDocument? newest = receipts.FirstOrDefault(
                r => string.Equals(r.ClusterId, status.ClusterId, StringComparison.OrdinalIgnoreCase));
            yield return newest switch
            {
                null => "Nothing is recorded here of access that was taken away or given back.",
                { IsOpen: true } => $"Taking access to its keys away was begun at {newest.CreatedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z; "
                    + "nothing is recorded here of giving it back.",
                { RestoredAt: { } at } => $"Access to its keys was given back at {at.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z.",
                _ => "The principals whose access was taken away are no longer its own.",
            };
        }
        else if (purpose == CmekSupportPurpose.Disable)
        {
            CmekJournalEntry? tried = journal.LastOrDefault(
                e => e.Command == "Disable-CmekCluster"
                    && string.Equals(e.ClusterId, status.ClusterId, StringComparison.OrdinalIgnoreCase));
            yield return tried is null
                ? "Nothing is recorded here of an attempt through the public API."
                : $"It was tried through the public API at {tried.Time.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z: "
                    + $"{tried.Outcome}{(tried.Message is null ? string.Empty : $" ({tried.Message})")}.";
        }
    }

    /// <summary>
    /// What the journal says was done to a cluster and its keys, newest last, for a ticket: the last of it, and how much more there is.
    /// </summary>
    public static IEnumerable<string> DoneTo(CmekStatus status, IEnumerable<CmekJournalEntry> journal)
    {
        HashSet<string> keys = [.. status.Regions.SelectMany(r => r.Keys).Select(k => k.KeyUri).OfType<string>()];
        CmekJournalEntry[] all =
        [
            .. journal.Where(
                e => string.Equals(e.ClusterId, status.ClusterId, StringComparison.OrdinalIgnoreCase)
                    || (e.ClusterId is null && e.Target is not null
                        && (e.Target.Contains(status.ClusterId, StringComparison.OrdinalIgnoreCase) || keys.Contains(e.Target)))),
        ];
        int left = Math.Max(0, all.Length - MostEntries);
        string[] earlier = left == 0
            ? []
            : [$"({left} earlier {(left == 1 ? "change" : "changes")} since {all[0].Time.UtcDateTime:yyyy-MM-dd}: left out here)"];
        return earlier.Concat(
            all[left..].Select(e => $"{e.Time.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z {e.Command}: {e.Summary} ({e.Outcome})"));
    }

    /// <summary>Whether anything that is known speaks for a cluster that has to be brought back.</summary>
    /// <param name="status">The cluster's status.</param>
    /// <param name="receipts">Every receipt that there is.</param>
    public static bool NeedsRecovery(CmekStatus status, IEnumerable<ReceiptDocument> receipts) =>
        IsRevoked(status) || status.State is not (CmekState.ENABLED or CmekState.DISABLED)
            || receipts.Any(r => r.IsOpen && string.Equals(r.ClusterId, status.ClusterId, StringComparison.OrdinalIgnoreCase));

    private static bool IsRevoked(CmekStatus status) =>
        status.Regions.Any(r => r.State is CmekState.REVOKED or CmekState.REVOKING or CmekState.REVOKE_FAILED)
            || status.State is CmekState.REVOKED or CmekState.REVOKING;
}
