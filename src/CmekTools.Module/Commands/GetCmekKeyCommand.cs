using CmekTools.Engine.Clusters;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Reads keys: any by its URI, or all of a cluster, the ones in use first and past ones marked.</summary>
[Cmdlet(VerbsCommon.Get, "CmekKey", DefaultParameterSetName = "Uri")]
[OutputType(typeof(CmekKey))]
public sealed class GetCmekKeyCommand : SessionCommand
{
    /// <summary>The key's ARN, or its resource name without a version.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = "Uri", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("KeyId", "Arn")]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string[] KeyUri { get; set; } = [];

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, ParameterSetName = "Cluster")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>Google Cloud: the project that holds the keys.</summary>
    [Parameter(ParameterSetName = "Cluster")]
    [ValidateNotNullOrEmpty]
    public string? Project { get; set; }

    internal override async Task ProcessAsync()
    {
        if (ClusterName.Length > 0)
        {
            CmekCluster cluster = await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false);
            await Keys.ListAsync(cluster, new Engine.Access.KeyOptions { Project = Project }, Op).ConfigureAwait(false);
        }

        foreach (string uri in KeyUri)
        {
            try
            {
                await Pipeline.OutputAsync(await Keys.GetAsync(uri, Op).ConfigureAwait(false)).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await Pipeline.ErrorAsync(e).ConfigureAwait(false);
            }
        }
    }
}
