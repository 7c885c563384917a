using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>Takes URIs of keys, and objects that say one; an object that says only a cluster stands for its id or name.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class KeyUriTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? bare = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        string?[] found = bare is IEnumerable several and not (string or IDictionary)
            ? [.. several.Cast<object>().Select(Of)]
            : [Of(inputData)];
        return found.Contains(null) ? inputData! : found;
    }

    private static string? Of(object? given) => (given is PSObject wrapped ? wrapped.BaseObject : given) switch
    {
        string text => text,
        _ => KeyArgument.From(given)?.KeyUri ?? (ClusterArgument.From(given) is { } cluster ? cluster.Id ?? cluster.Name : null),
    };
}
