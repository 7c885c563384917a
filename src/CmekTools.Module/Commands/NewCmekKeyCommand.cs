using CmekTools.Engine.CloudApi;
using System.Collections;
using System.Management.Automation;
using CmekTools.Engine.Lifecycle;
using CmekTools.Engine.Access;

namespace CmekTools.Module.Commands;

/// <summary>Makes one key for each region of a cluster, or finds the ones that are there.</summary>
[Cmdlet(VerbsCommon.New, "CmekKey", DefaultParameterSetName = ClusterSet, SupportsShouldProcess = true)]
[OutputType(typeof(CmekKey))]
public sealed class NewCmekKeyCommand : ClusterCommand
{
    /// <summary>Only these regions; where not given, those that the records name, or all of the cluster's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(RegionCompleter))]
    public string[] Region { get; set; } = [];

    /// <summary>The regions are still to be added to the cluster (Add-CmekRegion).</summary>
    [Parameter]
    public SwitchParameter NewRegion { get; set; }

    /// <summary>
    /// Make the next generation of keys, with names that say so; keys of one that was begun and never used are found again.
    /// </summary>
    [Parameter]
    public SwitchParameter NewGeneration { get; set; }

    /// <summary>AWS: the alias, without <c>alias/</c>; derived from cluster and region where not given.</summary>
    [Parameter]
    [ValidatePattern("^[a-zA-Z0-9/_-]{1,250}$")]
    public string? AliasName { get; set; }

    /// <summary>AWS: a multi-region key, primary in the cluster's first region, replicas in the others.</summary>
    [Parameter]
    public SwitchParameter MultiRegion { get; set; }

    /// <summary>No automatic rotation for new keys, which else have it.</summary>
    [Parameter]
    public SwitchParameter NoRotation { get; set; }

    /// <summary>Automatic rotation also for keys that are there already.</summary>
    [Parameter]
    [Alias("EnableKeyRotation")]
    public SwitchParameter EnableRotation { get; set; }

    /// <summary>Time between automatic rotations, whole days (AWS 90–2560, Google Cloud from 1); switches automatic rotation on.</summary>
    [Parameter]
    public TimeSpan? RotationPeriod { get; set; }

    /// <summary>Further tags (AWS) or labels (Google Cloud).</summary>
    [Parameter]
    [ValidateNotNull]
    [Alias("Label")]
    public Hashtable Tag { get; set; } = [];

    /// <summary>Google Cloud: the project that holds the key.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Project { get; set; }

    /// <summary>Google Cloud: the key's location; the cluster's region where not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Location { get; set; }

    /// <summary>Google Cloud: the key ring.</summary>
    [Parameter]
    [ValidatePattern("^[a-zA-Z0-9_-]{1,63}$")]
    public string? KeyRing { get; set; }

    /// <summary>Google Cloud: the key's name; derived from cluster and region where not given.</summary>
    [Parameter]
    [ValidatePattern("^[a-zA-Z0-9_-]{1,63}$")]
    public string? KeyName { get; set; }

    /// <summary>Google Cloud: SOFTWARE or HSM.</summary>
    [Parameter]
    [ValidateSet("SOFTWARE", "HSM")]
    public string? ProtectionLevel { get; set; }

    internal override Task BeginAsync()
    {
        if (RotationPeriod is { } period && (period < TimeSpan.FromDays(1) || period.Ticks % TimeSpan.TicksPerDay != 0))
        {
            throw new CmekException(
                "RotationPeriodInvalid",
                CmekErrorKind.InvalidArgument,
                $"A rotation period of {period} is not a whole number of days.",
                "Give days, for example -RotationPeriod 90.00:00:00 (a bare number would be ticks).",
                period);
        }

        return NoRotation && (EnableRotation || RotationPeriod is not null)
            ? throw new CmekException(
                "RotationContradicts",
                CmekErrorKind.InvalidArgument,
                "-NoRotation and -EnableRotation or -RotationPeriod say the opposite of each other.",
                "Give one of them; new keys rotate by themselves where none is given.",
                NoRotation)
            : Task.CompletedTask;
    }

    internal override Task ProcessAsync()
    {
        KeyOptions options = new()
        {
            AliasName = AliasName,
            MultiRegion = MultiRegion,
            RotateNew = !NoRotation,
            EnableRotation = EnableRotation || RotationPeriod is not null,
            RotationPeriodDays = RotationPeriod is { } period ? (int)period.TotalDays : null,
            Tags = Tag.Cast<DictionaryEntry>().ToDictionary(
                e => e.Key.ToString()!,
                e => e.Value?.ToString() ?? string.Empty,
                StringComparer.Ordinal),
            Project = Project,
            Location = Location,
            KeyRing = KeyRing,
            KeyName = KeyName,
            ProtectionLevel = ProtectionLevel,
        };
        return BesideAsync(
            RecentClusters.Lasting,
            Region,
            (cluster, regions, op) => Keys.MakeAsync(cluster, regions, NewRegion, NewGeneration, options, op));
    }
}
