using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text.RegularExpressions;
using CmekTools.Engine.Lifecycle;

namespace CmekTools.Module.Commands;

/// <summary>Makes an Advanced private cluster: one that can have CMEK.</summary>
[Cmdlet(VerbsCommon.New, "CmekCluster", SupportsShouldProcess = true)]
[OutputType(typeof(CmekCluster))]
public sealed class NewCmekClusterCommand : SessionCommand
{
    /// <summary>The name.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidatePattern("^[a-z0-9][a-z0-9-]{4,18}[a-z0-9]$", Options = RegexOptions.None)]
    public string Name { get; set; } = string.Empty;

    /// <summary>The cloud.</summary>
    [Parameter(Mandatory = true)]
    [ValidateSet(nameof(CmekProvider.AWS), nameof(CmekProvider.GCP), nameof(CmekProvider.AZURE))]
    public CmekProvider Provider { get; set; }

    /// <summary>Nodes by region, for example @{ 'us-east-1' = 3; 'us-west-2' = 3 }.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public Hashtable RegionNodes { get; set; } = [];

    /// <summary>Virtual CPUs a node.</summary>
    [Parameter]
    [ValidateRange(1, 256)]
    public int VirtualCpuCount { get; set; } = 4;

    /// <summary>Storage a node, in GiB.</summary>
    [Parameter]
    [ValidateRange(1, 65536)]
    public int StorageGib { get; set; } = 150;

    /// <summary>The CockroachDB version, for example v25.2; the service's newest where not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CockroachVersion { get; set; }

    /// <summary>The network's range, Google Cloud only.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CidrRange { get; set; }

    /// <summary>Wait until it is CREATED.</summary>
    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>Do not wait: the default, said aloud.</summary>
    [Parameter]
    public SwitchParameter NoWait { get; set; }

    /// <summary>The longest wait, in seconds.</summary>
    [Parameter]
    [ValidateRange(1, 604800)]
    public int TimeoutSeconds { get; set; } = 7200;

    internal override async Task EndAsync()
    {
        bool wait = Waiting.Decide(Wait, NoWait, false);
        if (CidrRange is not null && Provider != CmekProvider.GCP)
        {
            throw new CmekException(
                "CidrRangeNotSupported",
                CmekErrorKind.InvalidArgument,
                $"-CidrRange is for clusters on GCP; this one is to be on {Provider}.",
                "Leave -CidrRange out.",
                CidrRange);
        }

        Dictionary<string, int> nodes = new(StringComparer.Ordinal);
        foreach (DictionaryEntry entry in RegionNodes)
        {
            string region = entry.Key.ToString()!;
            if (string.IsNullOrWhiteSpace(region))
            {
                throw new CmekException(
                    "RegionNodesInvalid",
                    CmekErrorKind.InvalidArgument,
                    "A region of -RegionNodes has no name.",
                    "Give for example -RegionNodes @{ 'us-east-1' = 3 }.",
                    RegionNodes);
            }

            if (!int.TryParse(entry.Value?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count < 1)
            {
                throw new CmekException(
                    "RegionNodesInvalid",
                    CmekErrorKind.InvalidArgument,
                    $"'{entry.Value}' is not a number of nodes for {region}.",
                    "Give for example -RegionNodes @{ 'us-east-1' = 3 }.",
                    entry.Value);
            }

            nodes[region] = count;
        }

        ClusterPlan plan = new(Name, Provider, nodes, VirtualCpuCount, StorageGib, CockroachVersion, CidrRange);
        CmekCluster? cluster = await ClusterMaking.MakeAsync(plan, wait, TimeSpan.FromSeconds(TimeoutSeconds), Op).ConfigureAwait(false);
        if (cluster is not null)
        {
            await Pipeline.OutputAsync(cluster).ConfigureAwait(false);
        }
    }
}
