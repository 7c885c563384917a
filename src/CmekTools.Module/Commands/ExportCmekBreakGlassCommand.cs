using System.Management.Automation;
using CmekTools.Engine.BreakGlass;

namespace CmekTools.Module.Commands;

/// <summary>Writes the sheet for the safe: a cluster's cut and restore as commands of aws, gcloud and curl.</summary>
[Cmdlet(VerbsData.Export, "CmekBreakGlass", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(FileInfo))]
public sealed class ExportCmekBreakGlassCommand : ClusterCommand
{
    private readonly HashSet<string> _written = [];

    /// <summary>The file to write; the text is the output where not given.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>Overwrite a file that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    internal override async Task ProcessAsync()
    {
        foreach (ClusterArgument cluster in ClusterName)
        {
            RefuseWildcards(cluster);
            await WriteAsync(new ClusterRef(cluster.Name, cluster.Id, cluster.Known)).ConfigureAwait(false);
        }
    }

    private async Task WriteAsync(ClusterRef named)
    {
        string text = await Sheet.WriteAsync(named, Op).ConfigureAwait(false);
        if (Path is null)
        {
            await Pipeline.OutputAsync(text).ConfigureAwait(false);
            return;
        }

        if (!_written.Add(Path))
        {
            throw new CmekException(
                "FileExists",
                CmekErrorKind.ResourceExists,
                $"{Path} holds the sheet of another cluster of this run.",
                "Give each cluster its own file: … | ForEach-Object { Export-CmekBreakGlass $_.Name \"$($_.Name).md\" }",
                Path);
        }

        await TextExport.WriteAsync(this, Path, "the sheet", text, Force).ConfigureAwait(false);
    }
}
