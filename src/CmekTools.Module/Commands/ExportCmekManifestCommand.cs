using CmekTools.Engine.CloudApi;
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
[Cmdlet(VerbsData.Export, "CmekManifest", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekManifestCommand : SessionCommand
{
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private readonly List<CmekAccess> _accesses = [];
    private readonly HashSet<string> _written = [];

    /// <summary>The clusters: names, ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public ClusterArgument[] ClusterName { get; set; } = [];

    /// <summary>The accesses to write down, of one cluster.</summary>
    [Parameter(Mandatory = true, ParameterSetName = AccessSet, ValueFromPipeline = true)]
    [ValidateNotNullOrEmpty]
    [Alias("Access")]
    [AccessTransformation]
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

    internal override async Task ProcessAsync()
    {
        foreach (CmekAccess access in InputObject)
        {
            await EachAsync(async () => _accesses.Add(await BoundAsync(access, Op).ConfigureAwait(false))).ConfigureAwait(false);
        }

        foreach (ClusterArgument given in ClusterName)
        {
            await EachAsync(
                async () =>
                    await WriteAsync(
                        (await ResolveAsync(given, RecentClusters.Momentary, Op).ConfigureAwait(false)).Id,
                        null).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
    }

    internal override async Task EndAsync()
    {
        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            await EachAsync(() => WriteAsync(group.Key, [.. group])).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(string clusterId, IReadOnlyList<CmekAccess>? accesses)
    {
        CmekCluster cluster = await Op.GetClusterAsync(clusterId).ConfigureAwait(false);
        accesses ??= ManifestWriter.FromStatus(cluster, await Context.Cloud.GetCmekAsync(cluster, Cancellation).ConfigureAwait(false));
        if (Path is null)
        {
            await Pipeline.OutputAsync(TextOf(cluster, accesses, [])).ConfigureAwait(false);
            return;
        }

        string path = string.Empty;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path)).ConfigureAwait(false);
        if (!_written.Add(path))
        {
            throw new CmekException(
                "FileExists",
                CmekErrorKind.ResourceExists,
                $"{path} holds the manifest of another cluster of this run.",
                "Give each cluster its own file: … | ForEach-Object { Export-CmekManifest $_.Name \"$($_.Name).json\" }",
                path);
        }

        // What was agreed to is the owner's, and not for a new export to forget.
        string text = TextOf(
            cluster,
            accesses,
            As == CmekManifestForm.Json && File.Exists(path) ? Manifests.TryReadAccepted(path) : []);
        if (File.Exists(path) && !Force)
        {
            if (string.Equals(await File.ReadAllTextAsync(path, Cancellation).ConfigureAwait(false), text, StringComparison.Ordinal))
            {
                await Pipeline.OutputAsync(new FileInfo(path)).ConfigureAwait(false);
                return;
            }

            throw new CmekException(
                "FileExists",
                CmekErrorKind.ResourceExists,
                $"{path} is there already and says something else.",
                "Give another -Path, or -Force to overwrite it.",
                path);
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
            throw new CmekException(
                "FileUnwritable",
                CmekErrorKind.WriteError,
                $"{path} cannot be written: {e.Message}",
                "Give another -Path, in a folder that is there and that you may write to.",
                path,
                e);
        }

        await Pipeline.OutputAsync(new FileInfo(path)).ConfigureAwait(false);
    }

    private string TextOf(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, IReadOnlyList<AcceptedDifference> accepted) =>
        As == CmekManifestForm.Json
            ? ManifestWriter.ToJson(cluster, accesses, accepted)
            : ManifestWriter.ToTerraform(cluster, accesses);
}
