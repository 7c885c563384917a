using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>The forms of a manifest.</summary>
public enum CmekManifestForm
{
    /// <summary>The vendor's <c>cmek_config.json</c>.</summary>
    Json,
    /// <summary>The vendor's Terraform resource with its import block.</summary>
    Terraform,
}

/// <summary>Writes what a cluster uses (or what accesses say) as the vendor's manifest or as Terraform.</summary>
[Cmdlet(VerbsData.Export, "CmekManifest", DefaultParameterSetName = NameSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekManifestCommand : SessionCommand
{
    private const string NameSet = "Name";
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private readonly List<CmekAccess> _accesses = [];
    private readonly HashSet<string> _written = [];

    /// <summary>The cluster's exact name.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = NameSet)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = string.Empty;

    /// <summary>The cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public CmekCluster? Cluster { get; set; }

    /// <summary>The accesses to write down, of one cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    [Alias("Access")]
    public CmekAccess[] InputObject { get; set; } = [];

    /// <summary>The file to write; the text is the output where not given.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The form.</summary>
    [Parameter]
    public CmekManifestForm As { get; set; } = CmekManifestForm.Json;

    /// <summary>Overwrite a file that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    internal override Task ProcessAsync()
    {
        _accesses.AddRange(InputObject);
        return Cluster is null ? Task.CompletedTask : WriteAsync(Cluster.Id, null);
    }

    internal override async Task EndAsync()
    {
        if (ClusterName.Length > 0)
        {
            CmekCluster cluster = await ClusterLookup.ByNameAsync(ClusterName, Op).ConfigureAwait(false);
            await WriteAsync(cluster.Id, null).ConfigureAwait(false);
        }

        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await EachAsync(() => WriteAsync(group.Key, [.. group])).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(string clusterId, IReadOnlyList<CmekAccess>? accesses)
    {
        CmekCluster cluster = await Op.GetClusterAsync(clusterId).ConfigureAwait(false);
        accesses ??= ManifestWriter.FromStatus(cluster, await Context.Cloud.GetCmekAsync(cluster, Cancellation).ConfigureAwait(false));
        string text = As == CmekManifestForm.Json ? ManifestWriter.ToJson(cluster, accesses) : ManifestWriter.ToTerraform(cluster, accesses);
        if (Path is null)
        {
            await Pipeline.OutputAsync(text).ConfigureAwait(false);
            return;
        }

        string path = string.Empty;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path)).ConfigureAwait(false);
        if (!_written.Add(path))
        {
            throw new CmekException("FileExists", CmekErrorKind.ResourceExists, $"{path} holds the manifest of another cluster of this run.", "Give each cluster its own file: … | ForEach-Object { Export-CmekManifest $_.Name \"$($_.Name).json\" }", path);
        }

        if (File.Exists(path) && !Force)
        {
            if (string.Equals(await File.ReadAllTextAsync(path, Cancellation).ConfigureAwait(false), text, StringComparison.Ordinal))
            {
                await Pipeline.OutputAsync(new FileInfo(path)).ConfigureAwait(false);
                return;
            }

            throw new CmekException("FileExists", CmekErrorKind.ResourceExists, $"{path} is there already and says something else.", "Give another -Path, or -Force to overwrite it.", path);
        }

        if (!await Pipeline.ShouldProcessAsync(path, "write the manifest" + Environment.NewLine + text).ConfigureAwait(false))
        {
            return;
        }

        try
        {
            await File.WriteAllTextAsync(path, text, Cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CmekException("FileUnwritable", CmekErrorKind.WriteError, $"{path} cannot be written: {e.Message}", "Give another -Path, in a folder that is there and that you may write to.", path, e);
        }

        await Pipeline.OutputAsync(new FileInfo(path)).ConfigureAwait(false);
    }
}
