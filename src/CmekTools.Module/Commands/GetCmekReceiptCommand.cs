using System.Management.Automation;
using CmekTools.Engine.State;

namespace CmekTools.Module.Commands;

/// <summary>Lists the receipts of revocations, newest first.</summary>
[Cmdlet(VerbsCommon.Get, "CmekReceipt")]
[OutputType(typeof(CmekReceipt))]
public sealed class GetCmekReceiptCommand : StateCommand
{
    private readonly List<ClusterArgument> _wanted = [];

    /// <summary>Only these clusters': names (with wildcards), ids, or objects that say one of them.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    [SupportsWildcards]
    [ValidateNotNullOrEmpty]
    [Alias("Name", "ClusterId", "Id", "Cluster")]
    [ClusterTransformation]
    [ArgumentCompleter(typeof(ClusterNameCompleter))]
    public object[] ClusterName { get; set; } = [];

    /// <summary>Only those whose revocation has not been undone.</summary>
    [Parameter]
    public SwitchParameter Open { get; set; }

    internal override bool ReadsShared => true;

    internal override Task ProcessAsync()
    {
        _wanted.AddRange(ClusterArgument.All(ClusterName));
        return Task.CompletedTask;
    }

    internal override async Task EndAsync()
    {
        // A pipeline that gave no cluster asks for none, and not for all.
        if (_wanted.Count == 0 && MyInvocation.ExpectingInput)
        {
            return;
        }

        foreach (StoredReceipt receipt in new ReceiptStore(await FolderAsync().ConfigureAwait(false)).List())
        {
            if ((_wanted.Count == 0 || _wanted.Exists(w => w.Means(receipt.Document.ClusterId, receipt.Document.ClusterName)))
                && (!Open || receipt.Document.IsOpen))
            {
                await Pipeline.OutputAsync(receipt.ToPublic()).ConfigureAwait(false);
            }
        }
    }
}
