using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Looks whether the journal is whole: no line changed, taken out, added or cut short.</summary>
[Cmdlet(VerbsDiagnostic.Test, "CmekJournal")]
[OutputType(typeof(CmekJournalCheck), typeof(bool))]
public sealed class TestCmekJournalCommand : StateCommand
{
    /// <summary>
    /// Only true or false: true where nothing was changed, taken out or added. A line that was cut short is no fault of the others.
    /// </summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    internal override async Task EndAsync()
    {
        string folder = await FolderAsync().ConfigureAwait(false);
        IReadOnlyList<CmekJournalCheck> found = JournalCheck.Run(new JournalWriter(folder).FilePath);
        if (Quiet)
        {
            await Pipeline.OutputAsync(found.All(f => f.Result != CmekCheckResult.Fail)).ConfigureAwait(false);
            return;
        }

        foreach (CmekJournalCheck one in found)
        {
            await Pipeline.OutputAsync(one).ConfigureAwait(false);
        }
    }
}
