using CmekTools.Engine.Text;

namespace CmekTools.Engine.Lifecycle;

/// <summary>The commands that move a cluster between its states.</summary>
internal enum SwitchCommand
{
    /// <summary>Enable-CmekCluster.</summary>
    Enable,

    /// <summary>Update-CmekCluster with accesses.</summary>
    Update,

    /// <summary>Update-CmekCluster -Rewrap.</summary>
    Rewrap,

    /// <summary>Add-CmekRegion.</summary>
    AddRegion,

    /// <summary>Disable-CmekCluster.</summary>
    Disable,
}

/// <summary>What there is for a command to do with a region in some state.</summary>
internal enum Way
{
    /// <summary>It is sent.</summary>
    Go,

    /// <summary>It is so already, or on its way there.</summary>
    Done,

    /// <summary>Something else goes on: wait for it.</summary>
    Wait,

    /// <summary>Enable-CmekCluster does it.</summary>
    UseEnable,

    /// <summary>Update-CmekCluster does it.</summary>
    UseUpdate,

    /// <summary>Update-CmekCluster -Rewrap, which tries the key in use once more.</summary>
    UseRewrap,

    /// <summary>Restore-CmekAccess.</summary>
    UseRestore,
}

/// <summary>
/// Every state has a way out: which command does what in which state of a region, and which one to use in its place. No two cells send
/// to each other; docs/states.md shows the same table, and a test walks it.
/// </summary>
internal static class WaysOut
{
    /// <summary>What a command does with a region in a state.</summary>
    public static Way Of(CmekState state, SwitchCommand command) => (state, command) switch
    {
        (CmekState.REVOKED or CmekState.REVOKING or CmekState.REVOKE_FAILED, _) => Way.UseRestore,
        (CmekState.DISABLED, SwitchCommand.Enable) => Way.Go,
        (CmekState.DISABLED, SwitchCommand.Disable) => Way.Done,
        (CmekState.DISABLED, _) => Way.UseEnable,
        (CmekState.DISABLING, SwitchCommand.Disable) => Way.Done,
        (CmekState.DISABLING, _) => Way.Wait,
        (CmekState.DISABLE_FAILED, SwitchCommand.Enable or SwitchCommand.AddRegion) => Way.UseRewrap,
        (CmekState.DISABLE_FAILED, _) => Way.Go,
        (CmekState.ENABLED, SwitchCommand.Enable) => Way.UseUpdate,
        (CmekState.ENABLED, _) => Way.Go,
        (CmekState.ENABLING, _) => Way.Wait,
        (CmekState.ENABLE_FAILED, SwitchCommand.Enable or SwitchCommand.Disable) => Way.Go,
        (CmekState.ENABLE_FAILED, _) => Way.UseEnable,
        (CmekState.ROTATING, SwitchCommand.Enable) => Way.UseUpdate,
        (CmekState.ROTATING, SwitchCommand.Update) => Way.Go,
        (CmekState.ROTATING, SwitchCommand.Rewrap) => Way.Done,
        (CmekState.ROTATING, _) => Way.Wait,
        (CmekState.ROTATE_FAILED, SwitchCommand.Enable) => Way.UseUpdate,
        (CmekState.ROTATE_FAILED, SwitchCommand.AddRegion) => Way.UseRewrap,
        (CmekState.ROTATE_FAILED, _) => Way.Go,
        // A state that this version does not know: the service says what it takes.
        (_, SwitchCommand.Enable or SwitchCommand.Disable) => Way.Go,
        _ => Way.UseEnable,
    };

    /// <summary>The error for a region that a command can do nothing with.</summary>
    public static CmekException Refuse(CmekCluster cluster, CmekStatus status, string region, Way way)
    {
        string name = cluster.Name;
        return way switch
        {
            Way.UseRestore => new CmekException(
                "ClusterRevoked",
                CmekErrorKind.InvalidOperation,
                $"{name} was revoked ({status}); this does not undo that.",
                $"Restore-CmekAccess -ClusterName {PowerShellText.Quote(name)} gives access back and writes the support request; with "
                    + "-RoleName or -ServiceAccount it moves the cluster to a new principal.",
                status),
            Way.Wait => new CmekException(
                "ClusterBusy",
                CmekErrorKind.ResourceUnavailable,
                $"{name}/{region} is busy ({status}).",
                $"Wait-CmekStatus -ClusterName {PowerShellText.Quote(name)}, then run the command again.",
                status),
            Way.UseUpdate => new CmekException(
                "AlreadyEnabled",
                CmekErrorKind.InvalidOperation,
                $"{name}/{region} has CMEK already, with another key or principal ({status}). Nothing was sent.",
                "To move regions to other keys pipe the accesses to Update-CmekCluster.",
                status),
            Way.UseRewrap => new CmekException(
                "OperationUnfinished",
                CmekErrorKind.InvalidOperation,
                $"{name}/{region} is left over from an operation that failed ({status}); its key from before is still "
                    + "in use. Nothing was sent.",
                $"Update-CmekCluster {PowerShellText.Quote(name)} -Rewrap -Wait tries that key once more and ends in ENABLED; "
                    + "then run the command again.",
                status),
            _ => new CmekException(
                "CmekNotEnabled",
                CmekErrorKind.InvalidOperation,
                $"{name}/{region} has no CMEK to change ({status}).",
                "Enable-CmekCluster switches a cluster to customer-managed keys, and goes on with an enabling that failed.",
                status),
        };
    }
}
