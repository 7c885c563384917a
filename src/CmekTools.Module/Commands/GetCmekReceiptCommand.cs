using System.Management.Automation;
using CmekTools.Engine.Clusters;
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

        string folder = await FolderAsync().ConfigureAwait(false);
        Inventory inventory = new(folder, TimeProvider.System);
        foreach (StoredReceipt receipt in new ReceiptStore(folder).List())
        {
            if ((_wanted.Count == 0 || IsWanted(receipt.Document, inventory))
                && (!Open || receipt.Document.IsOpen))
            {
                await Pipeline.OutputAsync(receipt.ToPublic()).ConfigureAwait(false);
            }
        }
    }

    // A cut without the service may know no more of the cluster than the id on its key; who was seen since has a name.
    private bool IsWanted(ReceiptDocument receipt, Inventory inventory) =>
        _wanted.Exists(w => w.Means(receipt.ClusterId, receipt.ClusterName))
        || (receipt.ClusterName == receipt.ClusterId
            && inventory.Find(receipt.ClusterId)?.Cluster.Name is { } name
            && _wanted.Exists(w => w.Means(receipt.ClusterId, name)));
}
