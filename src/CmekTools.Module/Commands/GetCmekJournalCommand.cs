using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Reads the journal: every change that was announced, and how it ended.</summary>
[Cmdlet(VerbsCommon.Get, "CmekJournal")]
[OutputType(typeof(CmekJournalEntry))]
public sealed class GetCmekJournalCommand : StateCommand
{
    /// <summary>Only changes to resources whose name matches.</summary>
    [Parameter(Position = 0)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string Target { get; set; } = "*";

    /// <summary>Only changes announced at or after this time.</summary>
    [Parameter]
    public DateTimeOffset After { get; set; } = DateTimeOffset.MinValue;

    internal override async Task EndAsync()
    {
        string folder = await FolderAsync().ConfigureAwait(false);
        WildcardPattern pattern = WildcardPattern.Get(Target, WildcardOptions.IgnoreCase);
        foreach (CmekJournalEntry entry in JournalReader.Read(new JournalWriter(folder).FilePath))
        {
            if (entry.Time >= After && pattern.IsMatch(entry.Target ?? string.Empty))
            {
                await Pipeline.OutputAsync(entry).ConfigureAwait(false);
            }
        }
    }
}
