using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Takes a session, and says of a copy out of another process what it is: its connection stayed there.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SessionTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) =>
        inputData is PSObject copy && copy.TypeNames.Any(t => t == "Deserialized." + typeof(CmekSession).FullName)
            ? throw new ArgumentTransformationMetadataException(
                "It is a copy of a session of another process, without its connection. Use Connect-CmekCloud in that process (in the "
                    + "job itself), or Start-ThreadJob and ForEach-Object -Parallel, which stay in this one.")
            : inputData;
}
