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

    /// <summary>The exact name of the cluster that it is for.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    internal override async Task ProcessAsync()
    {
        string path = string.Empty;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path)).ConfigureAwait(false);
        CmekCluster cluster = await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false);
        foreach (CmekAccess access in Manifests.Read(path, cluster))
        {
            await Pipeline.OutputAsync(access).ConfigureAwait(false);
        }
    }
}
