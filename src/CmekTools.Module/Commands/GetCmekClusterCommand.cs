using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Lists clusters, by name (wildcards allowed) or id.</summary>
[Cmdlet(VerbsCommon.Get, "CmekCluster", DefaultParameterSetName = "Name")]
[OutputType(typeof(CmekCluster))]
public sealed class GetCmekClusterCommand : SessionCommand
{
    /// <summary>Names, with wildcards.</summary>
    [Parameter(Position = 0, ParameterSetName = "Name", ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("ClusterName")]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string[] Name { get; set; } = ["*"];

    /// <summary>Ids.</summary>
    [Parameter(Mandatory = true, ParameterSetName = "Id", ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Id")]
    [ArgumentCompleter(typeof(ClusterIdCompleter))]
    public string[] ClusterId { get; set; } = [];

    internal override async Task ProcessAsync()
    {
        foreach (string id in ClusterId)
        {
            try
            {
                await Pipeline.OutputAsync(await Context.Cloud.GetClusterAsync(id, Cancellation).ConfigureAwait(false)).ConfigureAwait(false);
            }
            catch (CmekException e)
            {
                await Pipeline.ErrorAsync(e).ConfigureAwait(false);
            }
        }

        if (ClusterId.Length > 0)
        {
            return;
        }

        HashSet<string> unseen = [.. Name.Where(n => !WildcardPattern.ContainsWildcardCharacters(n))];
        WildcardPattern[] patterns = [.. Name.Select(n => WildcardPattern.Get(n, WildcardOptions.IgnoreCase))];
        List<string> known = [];
        await foreach (CmekCluster cluster in ClusterLookup.ListAsync(Context, Cancellation).ConfigureAwait(false))
        {
            known.Add(cluster.Name);
            unseen.RemoveWhere(n => string.Equals(n, cluster.Name, StringComparison.OrdinalIgnoreCase));
            if (patterns.Any(p => p.IsMatch(cluster.Name)))
            {
                await Pipeline.OutputAsync(cluster).ConfigureAwait(false);
            }
        }

        foreach (string name in unseen)
        {
            await Pipeline.ErrorAsync(new CmekException(
                "ClusterNotFound",
                CmekErrorKind.ObjectNotFound,
                $"There is no cluster '{name}' that this API key can see.{Names.DidYouMean(name, known)}",
                "Get-CmekCluster without a name lists what it can see.",
                name)).ConfigureAwait(false);
        }
    }
}
