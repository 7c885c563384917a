using System.Globalization;
using System.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>Writes the texts for the vendor's tickets, from what is known and nothing secret.</summary>
internal static class SupportRequests
{
    /// <summary>Writes one.</summary>
    /// <param name="purpose">What is asked for.</param>
    /// <param name="organization">Whose.</param>
    /// <param name="status">The cluster's status; null where the request is the organization's.</param>
    /// <param name="done">What was done, a line each.</param>
    /// <param name="now">The time.</param>
    public static CmekSupportRequest Write(CmekSupportPurpose purpose, CmekOrganization organization, CmekStatus? status, IEnumerable<string> done, DateTimeOffset now)
    {
        StringBuilder body = new();
        body.AppendLine(purpose switch
        {
            CmekSupportPurpose.EnableOrganization => "Please turn on the Cloud API and CMEK for our organization.",
            CmekSupportPurpose.Recover => "Please bring our cluster back after a CMEK revocation. Access to the key has been given back.",
            _ => "Please move our cluster from CMEK back to CockroachDB-managed encryption. The public API has no call that did it.",
        });
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
                body.AppendLine(CultureInfo.InvariantCulture, $"  {region.Region}: {region.State}{(region.KeyUri is null ? string.Empty : $", key {region.KeyUri}, principal {region.AuthPrincipal}")}{(region.UserMessage is null ? string.Empty : $", message: {region.UserMessage}")}");
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
                CmekSupportPurpose.EnableOrganization => $"Enable the Cloud API and CMEK for organization {organization.Id}",
                CmekSupportPurpose.Recover => $"Recover cluster {status?.ClusterId} after CMEK revocation (organization {organization.Id})",
                _ => $"Disable CMEK on cluster {status?.ClusterId} (organization {organization.Id})",
            },
            Body = body.ToString(),
        };
    }

    /// <summary>What the journal says was done to a cluster and its keys, newest last, for a ticket.</summary>
    public static IEnumerable<string> DoneTo(CmekStatus status, IEnumerable<CmekJournalEntry> journal)
    {
        HashSet<string> keys = [.. status.Regions.SelectMany(r => r.Keys).Select(k => k.KeyUri).OfType<string>()];
        return journal
            .Where(e => e.Target is not null && (e.Target.Contains(status.ClusterId, StringComparison.OrdinalIgnoreCase) || keys.Contains(e.Target)))
            .TakeLast(20)
            .Select(e => $"{e.Time.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z {e.Command}: {e.Summary} ({e.Outcome})");
    }
}
