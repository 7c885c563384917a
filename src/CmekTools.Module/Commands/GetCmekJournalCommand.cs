using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Reads the journal: every change that was announced, and how it ended.</summary>
[Cmdlet(VerbsCommon.Get, "CmekJournal")]
[OutputType(typeof(CmekJournalEntry))]
public sealed class GetCmekJournalCommand : StateCommand
{
    private readonly List<ClusterArgument> _wanted = [];

    /// <summary>
    /// Only changes for these clusters (names with wildcards, ids, or objects that say one of them), or to resources of these names.
    /// </summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("ClusterName", "Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] Target { get; set; } = [];

    /// <summary>Only changes announced at or after this time.</summary>
    [Parameter]
    [Alias("After")]
    public DateTimeOffset Since { get; set; } = DateTimeOffset.MinValue;

    /// <summary>Only changes of which nobody knows yet whether they were made.</summary>
    [Parameter]
    public SwitchParameter Unsettled { get; set; }

    internal override Task ProcessAsync()
    {
        _wanted.AddRange(ClusterArgument.All(Target));
        return Task.CompletedTask;
    }

    internal override async Task EndAsync()
    {
        // A pipeline that gave no cluster asks for none, and not for all.
        if (_wanted.Count == 0 && MyInvocation.ExpectingInput)
        {
            return;
        }

        string folder = await FolderAsync().ConfigureAwait(false);
        foreach (CmekJournalEntry entry in JournalReader.Read(new JournalWriter(folder).FilePath))
        {
            if (entry.Time >= Since
                && (!Unsettled || entry.IsUnsettled)
                && (_wanted.Count == 0 || _wanted.Exists(w => w.Means(entry.ClusterId, entry.ClusterName, entry.Target))))
            {
                await Pipeline.OutputAsync(entry).ConfigureAwait(false);
            }
        }
    }
}
