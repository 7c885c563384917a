using System.Management.Automation;
using CmekTools.Engine;
using CmekTools.Engine.Journal;

namespace CmekTools.Module.Commands;

/// <summary>Reads the journal: every change that was announced, and how it ended.</summary>
[Cmdlet(VerbsCommon.Get, "CmekJournal")]
[OutputType(typeof(CmekJournalEntry))]
public sealed class GetCmekJournalCommand : PipelineCommand
{
    /// <summary>Only changes to resources whose name matches.</summary>
    [Parameter(Position = 0)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    public string Target { get; set; } = "*";

    /// <summary>Only changes announced at or after this time.</summary>
    [Parameter]
    public DateTimeOffset After { get; set; } = DateTimeOffset.MinValue;

    /// <summary>The connection whose journal is read.</summary>
    [Parameter]
    [ValidateNotNull]
    public CmekSession? Session { get; set; }

    /// <summary>The state folder; the connection's, or the platform's where there is none.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? StateFolder { get; set; }

    internal override async Task EndAsync()
    {
        string folder = ((Session ?? RunspaceSession)?.Context as SessionContext)?.Journal.Folder ?? JournalWriter.DefaultFolder();
        if (StateFolder is not null)
        {
            await Pipeline.OnPipelineAsync(() => folder = SessionState.Path.GetUnresolvedProviderPathFromPSPath(StateFolder)).ConfigureAwait(false);
        }

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
