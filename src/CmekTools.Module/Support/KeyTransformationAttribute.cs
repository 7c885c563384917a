using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Takes whatever says one key (<see cref="KeyArgument"/>).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class KeyTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        KeyArgument.From(inputData) ?? throw new ArgumentTransformationMetadataException(
            "It says no key: give one of New-CmekKey or Get-CmekKey, its URI, or an object with KeyUri, Region and "
                + "ClusterName or ClusterId.");
}
