using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.BreakGlass;

namespace CmekTools.Module.Commands;

/// <summary>Writes the sheet for the safe: a cluster's cut and restore as commands of aws, gcloud and curl.</summary>
[Cmdlet(VerbsData.Export, "CmekBreakGlass", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekBreakGlassCommand : ClusterCommand
{
    private bool _written;

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

    internal override Task ProcessAsync() => EachOnceAsync(
        ClusterArgument.All(ClusterName),
        cluster => BesideAsync(cluster.ToString(), op =>
        {
            RefuseWildcards(cluster);
            return WriteAsync(new ClusterRef(cluster.Name, cluster.Id, cluster.Known), op);
        }));

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
