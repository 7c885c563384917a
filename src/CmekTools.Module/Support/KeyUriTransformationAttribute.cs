using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Takes URIs of keys, and objects that say one; an object that says only a cluster stands for its id or name.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class KeyUriTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) => TransformedInput.Of(inputData, Of);

    private static string? Of(object? given) => (given is PSObject wrapped ? wrapped.BaseObject : given) switch
    {
        string text => text,
        _ => KeyArgument.From(given)?.KeyUri ?? (ClusterArgument.From(given) is { } cluster ? cluster.Id ?? cluster.Name : null),
    };
}
