using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Reads the journal: every change that was announced, and how it ended.</summary>
[Cmdlet(VerbsCommon.Get, "CmekJournal")]
[OutputType(typeof(CmekJournalEntry))]
public sealed class GetCmekJournalCommand : StateCommand
{
    /// <summary>Only changes for clusters, or to resources, whose name or id matches.</summary>
    [Parameter(Position = 0)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string Target { get; set; } = "*";

    /// <summary>Only changes announced at or after this time.</summary>
    [Parameter]
    [Alias("After")]
    public DateTimeOffset Since { get; set; } = DateTimeOffset.MinValue;

    /// <summary>Only changes of which nobody knows yet whether they were made.</summary>
    [Parameter]
    public SwitchParameter Unsettled { get; set; }

    internal override async Task EndAsync()
    {
        string folder = await FolderAsync().ConfigureAwait(false);
        WildcardPattern pattern = WildcardPattern.Get(Target, WildcardOptions.IgnoreCase);
        foreach (CmekJournalEntry entry in JournalReader.Read(new JournalWriter(folder).FilePath))
        {
            string?[] names = [entry.Target, entry.ClusterName, entry.ClusterId];
            if (entry.Time >= Since && (!Unsettled || entry.IsUnsettled) && names.Any(n => pattern.IsMatch(n ?? string.Empty)))
            {
                await Pipeline.OutputAsync(entry).ConfigureAwait(false);
            }
        }
    }
}
