using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Schedules a key's deletion, only where no cluster lists the key, past ones included.</summary>
[Cmdlet(VerbsCommon.Remove, "CmekKey", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(CmekKey))]
public sealed class RemoveCmekKeyCommand : FleetCommand
{
    /// <summary>The key's ARN or resource name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(KeyUriCompleter))]
    public string KeyUri { get; set; } = string.Empty;

    /// <summary>AWS: days until the deletion happens.</summary>
    [Parameter]
    [ValidateRange(7, 30)]
    public int PendingWindowInDays { get; set; } = 30;

    /// <summary>Ids of clusters that are gone for good: a key that still names one of them is not kept for it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[] GoneClusterId { get; set; } = [];

    internal override Task ProcessAsync()
    {
        int? days = MyInvocation.BoundParameters.ContainsKey(nameof(PendingWindowInDays)) ? PendingWindowInDays : null;
        (string uri, string[] gone) = (KeyUri, GoneClusterId);
        return BesideAsync(uri, async op =>
            await op.Host.OutputAsync(await Removing.RemoveAsync(uri, days, gone, op).ConfigureAwait(false)).ConfigureAwait(false));
    }
}
