using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Reads the vendor's manifest as accesses, for Enable-, Update-, Test- and Compare-. Nothing is changed.</summary>
[Cmdlet(VerbsData.Import, "CmekManifest")]
[OutputType(typeof(CmekAccess))]
public sealed class ImportCmekManifestCommand : SessionCommand
{
    /// <summary>The file.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [Alias("FullName", "ManifestPath")]
    public string Path { get; set; } = string.Empty;

    /// <summary>The cluster that it is for: its name, its id, or an object that says one of them.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateCount(1, 1)]
    [Alias("ClusterId", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    internal override async Task ProcessAsync()
    {
        string path = string.Empty;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path)).ConfigureAwait(false);
        ClusterArgument given = ClusterArgument.All(ClusterName)[0];
        CmekCluster cluster = await ResolveAsync(given, RecentClusters.Lasting, Op).ConfigureAwait(false);
        foreach (CmekAccess access in Manifests.Read(path, cluster))
        {
            await Pipeline.OutputAsync(access).ConfigureAwait(false);
        }
    }
}
