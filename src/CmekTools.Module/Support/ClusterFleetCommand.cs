using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>A cmdlet that works on many clusters side by side, each given by name, by id or as an object.</summary>
public abstract class ClusterFleetCommand : ClusterCommand
{
    /// <summary>How many clusters are worked on at once; those that only wait for the service are not counted.</summary>
    [Parameter]
    [ValidateRange(1, 1000)]
    public int ThrottleLimit { get; set; } = FleetOptions.DefaultLimit;

    /// <summary>Output and errors in the order of the input; as they are known where not given.</summary>
    [Parameter]
    public SwitchParameter Ordered { get; set; }

    /// <inheritdoc/>
    internal override FleetOptions Beside => new(ThrottleLimit, Ordered);
}
