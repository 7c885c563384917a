using CmekTools.Engine.BreakGlass;
using System.Management.Automation;

namespace CmekTools.Module.Commands;

/// <summary>The break-glass: cuts a cluster off from its keys, proves it, and tells the service to revoke.</summary>
[Cmdlet(VerbsSecurity.Revoke, "CmekAccess", DefaultParameterSetName = NameSet, SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(CmekStep))]
public sealed class RevokeCmekAccessCommand : ClusterCommand
{
    /// <summary>Stop when the key is cut; the service is not told, and running nodes go on with the data key that they hold.</summary>
    [Parameter]
    public SwitchParameter KeyOnly { get; set; }

    /// <summary>Google Cloud: also disable the service account.</summary>
    [Parameter]
    public SwitchParameter DisablePrincipal { get; set; }

    /// <summary>Also schedule the keys' deletion. Asks a second time; -Force does not answer that.</summary>
    [Parameter]
    public SwitchParameter Permanent { get; set; }

    /// <summary>The cluster's exact name once more: answers the second question of -Permanent. Another name ends the command before anything is cut.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConfirmClusterName { get; set; }

    /// <summary>AWS: days until a scheduled deletion happens.</summary>
    [Parameter]
    [ValidateRange(7, 30)]
    public int PendingWindowInDays { get; set; } = 30;

    /// <summary>The longest wait for REVOKED, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <summary>Do not ask (the second question of -Permanent is asked all the same).</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    internal override bool Urgent => true;

    internal override Task BeginAsync()
    {
        Pipeline.Force = Force;
        return Task.CompletedTask;
    }

    internal override async Task ProcessAsync()
    {
        CmekCluster cluster = await ResolveClusterAsync().ConfigureAwait(false);
        RevokeOptions options = new(KeyOnly, DisablePrincipal, Permanent, ConfirmClusterName, PendingWindowInDays, TimeSpan.FromSeconds(TimeoutSeconds));
        await Revocation.RevokeAsync(cluster, options, Op).ConfigureAwait(false);
    }
}
