using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.CloudApi;
using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Writes the text for the vendor's ticket. Nothing is sent.</summary>
[Cmdlet(VerbsCommon.New, "CmekSupportRequest", DefaultParameterSetName = OrganizationSet)]
[OutputType(typeof(CmekSupportRequest))]
[
    System.Diagnostics.CodeAnalysis.SuppressMessage(
        "PSScriptAnalyzer",
        "PSUseShouldProcessForStateChangingFunctions",
        Justification = "It writes a text and changes nothing."),
]
public sealed class NewCmekSupportRequestCommand : SessionCommand
{
    private const string OrganizationSet = "Organization";
    private const string ClusterSet = "Cluster";

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public ClusterArgument[] ClusterName { get; set; } = [];

    /// <summary>What it is about: Recover or Disable for a cluster; without one, turning CMEK on for the organization.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = ClusterSet)]
    public CmekSupportPurpose Purpose { get; set; }

    internal override async Task ProcessAsync()
    {
        CmekOrganization organization = await Context.Cloud.GetOrganizationAsync(Cancellation).ConfigureAwait(false);
        if (ParameterSetName == OrganizationSet || Purpose == CmekSupportPurpose.EnableOrganization)
        {
            await Pipeline.OutputAsync(
                SupportRequests.Write(
                    CmekSupportPurpose.EnableOrganization,
                    organization,
                    null,
                    [],
                    [],
                    Context.Time.GetUtcNow())).ConfigureAwait(false);
            return;
        }

        foreach (ClusterArgument given in ClusterName)
        {
            await EachAsync(async () =>
            {
                CmekCluster cluster = await ResolveAsync(given, RecentClusters.Lasting, Op).ConfigureAwait(false);
                CmekStatus status = await Context.Cloud.GetCmekAsync(cluster, Cancellation).ConfigureAwait(false);
                CmekJournalEntry[] journal = [.. JournalReader.Read(Context.Journal.FilePath)];
                IEnumerable<ReceiptDocument> receipts = new ReceiptStore(Context.Journal.Folder).List().Select(r => r.Document);
                await Pipeline.OutputAsync(SupportRequests.Write(
                    Purpose,
                    organization,
                    status,
                    SupportRequests.Facts(Purpose, status, receipts, journal),
                    SupportRequests.DoneTo(status, journal),
                    Context.Time.GetUtcNow())).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }
    }
}
