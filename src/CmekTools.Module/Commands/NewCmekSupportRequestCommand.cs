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
public sealed class NewCmekSupportRequestCommand : ClusterCommand
{
    private const string OrganizationSet = "Organization";
    private CmekOrganization? _organization;
    private CmekJournalEntry[]? _journal;
    private ReceiptDocument[]? _receipts;

    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override object[] ClusterName { get; set; } = [];

    /// <summary>What it is about: Recover or Disable for a cluster; EnableOrganization for the organization.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = ClusterSet)]
    [Parameter(Mandatory = true, ParameterSetName = OrganizationSet)]
    public CmekSupportPurpose Purpose { get; set; }

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    internal override async Task ProcessAsync()
    {
        _organization ??= await Context.Cloud.GetOrganizationAsync(Cancellation).ConfigureAwait(false);
        CmekOrganization organization = _organization;
        if (Purpose == CmekSupportPurpose.EnableOrganization)
        {
            await Pipeline.OutputAsync(await SupportRequests.OfOrganizationAsync(organization, Op).ConfigureAwait(false))
                .ConfigureAwait(false);
            return;
        }

        if (ParameterSetName == OrganizationSet)
        {
            throw new CmekException(
                "ClusterMissing",
                CmekErrorKind.InvalidArgument,
                $"A request to {(Purpose == CmekSupportPurpose.Recover ? "bring a cluster back" : "move a cluster off CMEK")} is about a "
                    + "cluster, and none is given.",
                $"New-CmekSupportRequest NAME -Purpose {Purpose}",
                Purpose);
        }

        CmekJournalEntry[] journal = _journal ??= [.. JournalReader.Read(Context.Journal.FilePath)];
        ReceiptDocument[] receipts = _receipts ??= [.. new ReceiptStore(Context.Journal.Folder).List().Select(r => r.Document)];
        CmekSupportPurpose purpose = Purpose;
        await BesideAsync(RecentClusters.Lasting, async (cluster, op) =>
        {
            CmekStatus status = await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false);
            if (purpose == CmekSupportPurpose.Recover && !SupportRequests.NeedsRecovery(status, receipts))
            {
                await op.Host.WarningAsync(
                    $"{cluster.Name} is {status.State}, and nothing recorded here is taken away from it now: read the text before it is "
                        + "sent.").ConfigureAwait(false);
            }

            await op.Host.OutputAsync(SupportRequests.Write(
                purpose,
                organization,
                status,
                SupportRequests.Facts(purpose, status, receipts, journal),
                SupportRequests.DoneTo(status, journal),
                op.Session.Time.GetUtcNow())).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }
}
