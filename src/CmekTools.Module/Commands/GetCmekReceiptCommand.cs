using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Lists the receipts of revocations, newest first.</summary>
[Cmdlet(VerbsCommon.Get, "CmekReceipt")]
[OutputType(typeof(CmekReceipt))]
public sealed class GetCmekReceiptCommand : StateCommand
{
    /// <summary>Only this cluster's.</summary>
    [Parameter(Position = 0)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public string ClusterName { get; set; } = "*";

    /// <summary>Only those whose revocation has not been undone.</summary>
    [Parameter]
    public SwitchParameter Open { get; set; }

    internal override bool ReadsShared => true;

    internal override async Task EndAsync()
    {
        WildcardPattern pattern = WildcardPattern.Get(ClusterName, WildcardOptions.IgnoreCase);
        foreach (StoredReceipt receipt in new ReceiptStore(await FolderAsync().ConfigureAwait(false)).List())
        {
            if (pattern.IsMatch(receipt.Document.ClusterName) && (!Open || receipt.Document.IsOpen))
            {
                await Pipeline.OutputAsync(receipt.ToPublic()).ConfigureAwait(false);
            }
        }
    }
}
