using CmekTools.Engine;
using CmekTools.Engine.CloudApi;
using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Writes what a cluster uses (or what accesses say) as the vendor's manifest or as Terraform.</summary>
[Cmdlet(VerbsData.Export, "CmekManifest", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekManifestCommand : FleetCommand
{
    private const string ClusterSet = "Cluster";
    private const string AccessSet = "Access";
    private readonly List<CmekAccess> _accesses = [];
    private bool _written;

    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation(LeaveAccesses = true)]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

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

    // One file holds one cluster's manifest: whose, and who is refused, follows from the order in which they were given.
    /// <inheritdoc/>
    internal override FleetOptions Beside => Path is null ? base.Beside : FleetOptions.One;

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    internal override async Task ProcessAsync()
    {
        foreach (CmekAccess access in InputObject)
        {
            await EachAsync(async () => _accesses.Add(await BoundAsync(access, Op).ConfigureAwait(false))).ConfigureAwait(false);
        }

        await BesideAsync(
            ClusterArgument.All(ClusterName),
            RecentClusters.Momentary,
            (cluster, op) => WriteAsync(cluster, null, op)).ConfigureAwait(false);
    }

    internal override async Task EndAsync()
    {
        foreach (IGrouping<string, CmekAccess> group in _accesses.GroupBy(a => a.ClusterId, StringComparer.OrdinalIgnoreCase))
        {
            CmekAccess[] accesses = [.. group];
            await BesideAsync(accesses[0].ClusterName ?? group.Key, async op =>
                await WriteAsync(await op.GetClusterAsync(group.Key).ConfigureAwait(false), accesses, op).ConfigureAwait(false))
                .ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(CmekCluster cluster, IReadOnlyList<CmekAccess>? accesses, Operation op)
    {
        accesses ??= ManifestWriter.FromStatus(
            cluster,
            await op.Session.Cloud.GetCmekAsync(cluster, op.Cancellation).ConfigureAwait(false));
        if (Path is null)
        {
            await op.Host.OutputAsync(TextOf(cluster, accesses, [])).ConfigureAwait(false);
            return;
        }

        if (_written)
        {
            throw new CmekException(
                "FileExists",
                CmekErrorKind.ResourceExists,
                $"{Path} holds the manifest of another cluster of this run.",
                "Give each cluster its own file: … | ForEach-Object { Export-CmekManifest $_.Name \"$($_.Name).json\" }",
                Path);
        }

        // What was agreed to is the owner's, and not for a new export to forget.
        string path = string.Empty;
        await Pipeline.OnPipelineAsync(() => path = SessionState.Path.GetUnresolvedProviderPathFromPSPath(Path)).ConfigureAwait(false);
        string text = TextOf(
            cluster,
            accesses,
            As == CmekManifestForm.Json && File.Exists(path) ? Manifests.TryReadAccepted(path) : []);
        _written = true;
        await TextExport.WriteAsync(this, Path, "the manifest", text, Force).ConfigureAwait(false);
    }

    private string TextOf(CmekCluster cluster, IReadOnlyList<CmekAccess> accesses, IReadOnlyList<AcceptedDifference> accepted) =>
        As == CmekManifestForm.Json
            ? ManifestWriter.ToJson(cluster, accesses, accepted)
            : ManifestWriter.ToTerraform(cluster, accesses);
}
