using CmekTools.Engine.Clusters;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>Lists clusters, by name (wildcards allowed) or id.</summary>
[Cmdlet(VerbsCommon.Get, "CmekCluster", DefaultParameterSetName = "Cluster")]
[OutputType(typeof(CmekCluster))]
public sealed class GetCmekClusterCommand : SessionCommand
{
    private readonly List<string> _names = [];
    private readonly HashSet<string> _ids = new(StringComparer.OrdinalIgnoreCase);
    private bool _given;

    /// <summary>Names (with wildcards), ids, or objects that say one of them; every cluster where none is given.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("ClusterName", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] Name { get; set; } = [];

    internal override async Task ProcessAsync()
    {
        _given |= Name.Length > 0;
        await EachOnceAsync(ClusterArgument.All(Name), given =>
        {
            if (given.Id is null)
            {
                // Names are looked up together, in one listing.
                _names.Add(given.Name!);
                return Task.CompletedTask;
            }

            _ids.Add(given.Id);
            return EachAsync(
                async () =>
                    await Pipeline.OutputAsync(await ResolveAsync(given, TimeSpan.Zero, Op).ConfigureAwait(false)).ConfigureAwait(false));
        }).ConfigureAwait(false);
    }

    internal override async Task EndAsync()
    {
        // A pipeline that gave nothing does not mean all of them.
        if (_names.Count == 0 && (_given || MyInvocation.ExpectingInput))
        {
            return;
        }

        ClusterNames names = new(_names);
        List<CmekCluster> several = [];
        await foreach (CmekCluster cluster in ClusterListing.ListAsync(Context, Cancellation).ConfigureAwait(false))
        {
            if (!names.Takes(cluster.Name) || _ids.Contains(cluster.Id))
            {
                continue;
            }

            if (_names.Count > 1)
            {
                several.Add(cluster);
            }
            else
            {
                await Pipeline.OutputAsync(cluster).ConfigureAwait(false);
            }
        }

        // Where several were asked for, in the order in which they were.
        WildcardPattern[] patterns = [.. _names.Select(n => WildcardPattern.Get(n, WildcardOptions.IgnoreCase))];
        foreach (CmekCluster cluster in several.OrderBy(c => Array.FindIndex(patterns, p => p.IsMatch(c.Name))))
        {
            await Pipeline.OutputAsync(cluster).ConfigureAwait(false);
        }

        foreach (CmekException missing in names.Missing())
        {
            await Pipeline.ErrorAsync(missing).ConfigureAwait(false);
        }
    }
}
