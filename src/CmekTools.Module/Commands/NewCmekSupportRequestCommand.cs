using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Writes the text for the vendor's ticket. Nothing is sent.</summary>
[Cmdlet(VerbsCommon.New, "CmekSupportRequest", DefaultParameterSetName = OrganizationSet)]
[OutputType(typeof(CmekSupportRequest))]
[System.Diagnostics.CodeAnalysis.SuppressMessage("PSScriptAnalyzer", "PSUseShouldProcessForStateChangingFunctions", Justification = "It writes a text and changes nothing.")]
public sealed class NewCmekSupportRequestCommand : SessionCommand
{
    private const string OrganizationSet = "Organization";
    private const string NameSet = "Name";
    private const string IdSet = "Id";

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster's id.</summary>
    [Parameter(Mandatory = true, ParameterSetName = IdSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Id")]
    public string ClusterId { get; set; } = string.Empty;

    /// <summary>What it is about: Recover or Disable for a cluster; without one, turning CMEK on for the organization.</summary>
    [Parameter(ParameterSetName = NameSet)]
    [Parameter(ParameterSetName = IdSet)]
    public CmekSupportPurpose Purpose { get; set; } = CmekSupportPurpose.Recover;

    internal override async Task ProcessAsync()
    {
        CmekOrganization organization = await Context.Cloud.GetOrganizationAsync(Cancellation).ConfigureAwait(false);
        if (ParameterSetName == OrganizationSet || Purpose == CmekSupportPurpose.EnableOrganization)
        {
            await Pipeline.OutputAsync(SupportRequests.Write(CmekSupportPurpose.EnableOrganization, organization, null, [], Context.Time.GetUtcNow())).ConfigureAwait(false);
            return;
        }

        CmekCluster cluster = ClusterName.Length > 0
            ? await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false)
            : await Op.GetClusterAsync(ClusterId).ConfigureAwait(false);
        CmekStatus status = await Context.Cloud.GetCmekAsync(cluster, Cancellation).ConfigureAwait(false);
        IEnumerable<string> done = SupportRequests.DoneTo(status, JournalReader.Read(Context.Journal.FilePath));
        await Pipeline.OutputAsync(SupportRequests.Write(Purpose, organization, status, done, Context.Time.GetUtcNow())).ConfigureAwait(false);
    }
}
