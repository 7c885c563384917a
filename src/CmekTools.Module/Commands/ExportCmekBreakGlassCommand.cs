using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.BreakGlass;

namespace CmekTools.Module.Commands;

/// <summary>Writes the sheet for the safe: a cluster's cut and restore as commands of aws, gcloud and curl.</summary>
[Cmdlet(VerbsData.Export, "CmekBreakGlass", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekBreakGlassCommand : ClusterCommand
{
    private BreakGlassScope? _scope;
    private bool _written;

    /// <summary>The clusters: names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = ClusterSet, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public override object[] ClusterName { get; set; } = [];

    /// <summary>The file to write; the text is the output where not given.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>Overwrite a file that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    // One file holds one cluster's sheet: whose, and who is refused, follows from the order in which they were given.
    /// <inheritdoc/>
    internal override FleetOptions Beside => Path is null ? base.Beside : FleetOptions.One;

    /// <inheritdoc/>
    internal override bool TakesWildcards => true;

    // What a name with wildcards means is known without the service too: that is when the sheet is wanted.
    internal override Task ProcessAsync() => EachOnceAsync(
        ClusterArgument.All(ClusterName),
        cluster => cluster.IsPattern
            ? EachAsync(async () =>
            {
                foreach (ClusterRef match in await MatchesAsync(cluster).ConfigureAwait(false))
                {
                    await BesideAsync(match.ToString(), op => WriteAsync(match, op)).ConfigureAwait(false);
                }
            })
            : BesideAsync(cluster.ToString(), op => WriteAsync(new ClusterRef(cluster.Name, cluster.Id, cluster.Known), op)));

    private async Task<IReadOnlyList<ClusterRef>> MatchesAsync(ClusterArgument pattern)
    {
        _scope ??= await BreakGlassScope.ReadAsync(Context.Offline, Op).ConfigureAwait(false);
        ClusterRef[] matches = [.. _scope.Clusters.Where(c => pattern.Means(null, c.Name))];
        if (_scope.Unread is { } why)
        {
            await Pipeline.WarningAsync(
                $"'{pattern}' stands for the clusters that were seen from here before, for the service's list could not be read: {why}")
                .ConfigureAwait(false);
        }

        return matches.Length > 0 ? matches : throw BreakGlassScope.NoMatch(pattern.Name!);
    }

    private async Task WriteAsync(ClusterRef named, Operation op)
    {
        string text = await Sheet.WriteAsync(named, op).ConfigureAwait(false);
        if (Path is null)
        {
            await op.Host.OutputAsync(text).ConfigureAwait(false);
            return;
        }

        if (_written)
        {
            throw new CmekException(
                "FileExists",
                CmekErrorKind.ResourceExists,
                $"{Path} holds the sheet of another cluster of this run.",
                "Give each cluster its own file: … | ForEach-Object { Export-CmekBreakGlass $_.Name \"$($_.Name).md\" }",
                Path);
        }

        _written = true;
        await TextExport.WriteAsync(this, Path, "the sheet", text, Force).ConfigureAwait(false);
    }
}
