using System.Management.Automation;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Moves a cluster back to CockroachDB-managed encryption; keys and grants are left alone.</summary>
[Cmdlet(VerbsLifecycle.Disable, "CmekCluster", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekStatus))]
public sealed class DisableCmekClusterCommand : ClusterCommand
{
    /// <summary>Wait: the default, said aloud.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Do not wait for DISABLED.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    /// <summary>The longest wait, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    /// <summary>Do not look first whether the cluster can use its keys.</summary>
    [Parameter]
    public SwitchParameter SkipPreflight { get; set; }

    internal override Task ProcessAsync()
    {
        SwitchOptions options = new(Waiting.Decide(Wait, NoWait, true), TimeSpan.FromSeconds(TimeoutSeconds), SkipPreflight);
        return BesideAsync(TimeSpan.Zero, async (cluster, op) =>
            await op.Host.OutputAsync(await Disabling.DisableAsync(cluster, options, op).ConfigureAwait(false)).ConfigureAwait(false));
    }
}
