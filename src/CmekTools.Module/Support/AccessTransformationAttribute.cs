using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>
/// Takes accesses, and what says one without being one: a row of a CSV file, or an access that came out of a job. It has a region, a
/// key, a principal, and its cluster's name or id; which cluster a name means is looked up later.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AccessTransformationAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData) => TransformedInput.Of(inputData, Of);

    /// <summary>The access that a value says, or null: a status says more than one, and is what is rather than what is to be.</summary>
    internal static CmekAccess? Of(object? given)
    {
        object? bare = given is PSObject wrapped ? wrapped.BaseObject : given;
        return bare switch
        {
            CmekAccess already => already,
            IDictionary map => Row(map),
            PSCustomObject => Row(given!),
            _ => null,
        };
    }

    private static CmekAccess? Row(object row)
    {
        string? Value(string name) => ClusterArgument.Property(row, name);
        return Value(nameof(CmekAccess.Region)) is { } region
            && Value(nameof(CmekAccess.KeyUri)) is { } key
            && Value(nameof(CmekAccess.AuthPrincipal)) is { } principal
            && ClusterArgument.From(row) is { IsPattern: false } cluster
            ? new CmekAccess
            {
                ClusterId = cluster.Id ?? string.Empty,
                ClusterName = cluster.Name,
                Region = region,
                KeyUri = key,
                AuthPrincipal = principal,
            }
            : null;
    }
}
