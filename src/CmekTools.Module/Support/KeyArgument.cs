using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>
/// A key as a user gives one to a cluster: from New-CmekKey or Get-CmekKey, its URI, or any object that says it: a row of a CSV file,
/// an access.
/// </summary>
public sealed class KeyArgument
{
    // AWS.Tools call it Arn or KeyArn.
    private static string? Uri(object value) =>
        ClusterArgument.Property(value, nameof(CmekKey.KeyUri)) ?? ClusterArgument
            .Property(value, "Arn") ?? ClusterArgument
            .Property(value, "KeyArn");

    private KeyArgument()
    {
    }

    /// <summary>The key's ARN or resource name; null while only planned.</summary>
    public string? KeyUri { get; private init; }

    /// <summary>The cluster's region that it is for, or null.</summary>
    public string? Region { get; private init; }

    /// <summary>The cluster that it is for, or null.</summary>
    public ClusterArgument? Cluster { get; private init; }

    /// <summary>The key as it was read or planned before, or null.</summary>
    internal CmekKey? Known { get; private init; }

    /// <inheritdoc/>
    public override string ToString() => KeyUri ?? $"{Cluster}/{Region}";

    /// <summary>The key that a value says, or null where it says none.</summary>
    internal static KeyArgument? From(object? value)
    {
        object? bare = value is PSObject wrapped ? wrapped.BaseObject : value;
        return bare switch
        {
            KeyArgument already => already,
            CmekKey key => new KeyArgument { Known = key, KeyUri = key.KeyUri, Region = key.Region, Cluster = ClusterArgument.From(key) },
            string uri => uri.Contains(':', StringComparison.Ordinal) || uri.Contains('/', StringComparison.Ordinal)
                ? new KeyArgument { KeyUri = uri }
                : null,
            null or ValueType or (IEnumerable and not IDictionary) => null,
            _ => Uri(value!) is { } found
                ? new KeyArgument { KeyUri = found, Region = ClusterArgument.Property(
                    value!,
                    nameof(CmekKey.Region)), Cluster = ClusterArgument.From(value) }
                : null,
        };
    }
}
