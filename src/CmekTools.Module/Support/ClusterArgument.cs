using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>
/// A cluster as a user gives one: a name (with wildcards where nothing is changed), an id, or any object that says either: a cluster, a
/// status, a receipt, a row of a CSV file. Every command that takes clusters takes this.
/// </summary>
public sealed class ClusterArgument
{
    // The engine converts to a type that it can make, whatever has properties of the same names.
    private ClusterArgument()
    {
    }

    /// <summary>The name, or null.</summary>
    public string? Name { get; private init; }

    /// <summary>The id, or null.</summary>
    public string? Id { get; private init; }

    /// <summary>The cluster as it was read before, or null.</summary>
    internal CmekCluster? Known { get; private init; }

    /// <summary>The key that was found by its marks, where it is one: of more use than the cluster that it says it is of.</summary>
    internal CmekKey? Found { get; private init; }

    /// <summary>True where it may stand for several clusters.</summary>
    internal bool IsPattern => Id is null && WildcardPattern.ContainsWildcardCharacters(Name);

    /// <summary>
    /// True for one of the several things of a cluster that a command writes one after the other (a key, a step, a check): what is to be
    /// done with the cluster is done once, after the last of them.
    /// </summary>
    internal bool IsPart { get; private init; }

    /// <summary>The regions that a record names, or several of one cluster do; none where it is about the whole cluster.</summary>
    internal IReadOnlyList<string> Regions { get; private init; } = [];

    private bool IsNothing => Id is null && Name is null;

    /// <summary>The cluster of an id and a name, each of which may be missing.</summary>
    internal static ClusterArgument Of(string? id, string? name) =>
        new() { Id = string.IsNullOrEmpty(id) ? null : id, Name = string.IsNullOrEmpty(name) ? null : name };

    /// <summary>
    /// What a parameter with <see cref="ClusterTransformationAttribute"/> holds. Its type is object: a proxy or a mock of the command
    /// takes over the type and not the transformation, and cannot see this type.
    /// </summary>
    internal static ClusterArgument[] All(object[] given) =>
        [.. given.Select(g => From(g) ?? throw new ArgumentException($"{g} names no cluster.", nameof(given)))];

    /// <summary>
    /// True where it says the thing with this id and these names, without anybody being asked: by the id where it has one, else by the
    /// name, wildcards and all.
    /// </summary>
    internal bool Means(string? id, params string?[] names)
    {
        if (Id is not null)
        {
            return string.Equals(Id, id, StringComparison.OrdinalIgnoreCase);
        }

        WildcardPattern pattern = WildcardPattern.Get(Name, WildcardOptions.IgnoreCase);
        return names.Append(id).Any(n => pattern.IsMatch(n ?? string.Empty));
    }

    /// <summary>The same cluster with the regions of another part; all of them where one of the two names none.</summary>
    internal ClusterArgument With(ClusterArgument other) => new()
    {
        Id = Id,
        Name = Name,
        IsPart = IsPart,
        Regions = Regions.Count == 0 || other.Regions.Count == 0
            ? []
            : [.. Regions.Concat(other.Regions).Distinct(StringComparer.OrdinalIgnoreCase)],
    };

    /// <inheritdoc/>
    public override string ToString() => Name ?? Id ?? string.Empty;

    /// <summary>The cluster that a value names, or null where it names none.</summary>
    internal static ClusterArgument? From(object? value)
    {
        switch (value is PSObject { BaseObject: not PSCustomObject and var bare } ? bare : value)
        {
            case ClusterArgument already:
                return already;
            case CmekCluster cluster:
                return new ClusterArgument { Name = cluster.Name, Id = cluster.Id, Known = cluster };
            case CmekKey { Discovered: true } key:
                return new ClusterArgument { Name = key.ClusterName, Id = key.ClusterId, Found = key, IsPart = true };
            case Guid id:
                return new ClusterArgument { Id = id.ToString() };
            case string text:
                return string.IsNullOrWhiteSpace(text)
                    ? null
                    : Guid.TryParse(text, out _)
                    ? new ClusterArgument { Id = text.Trim() }
                    : new ClusterArgument { Name = text };
            case null or ValueType:
            case System.Security.SecureString:
                return null;
        }

        // A hashtable's entries are no properties of what the pipeline wraps it in.
        object row = value is PSObject { BaseObject: IDictionary map } ? map : value!;
        ClusterArgument found = new()
        {
            Id = Property(row, nameof(CmekStatus.ClusterId)),
            Name = Property(row, nameof(CmekStatus.ClusterName)) ?? Property(row, "Cluster"),
        };
        if (found.IsNothing && !Has(row, nameof(CmekStatus.ClusterId)) && MayBeARow(row))
        {
            // Id and Name are the object's own where it says something of a cluster.
            found = new ClusterArgument { Id = Property(row, nameof(CmekCluster.Id)), Name = Property(row, nameof(CmekCluster.Name)) };
        }

        if (found.Id is null && Guid.TryParse(found.Name, out _))
        {
            // A column for names that holds ids, as in lists that people keep.
            found = new ClusterArgument { Id = found.Name };
        }

        // A row that names a region may be followed by one for another region of the same cluster.
        string? region = Property(row, nameof(CmekKey.Region));
        return found.IsNothing
            ? null
            : new ClusterArgument
            {
                Id = found.Id,
                Name = found.Name,
                IsPart = region is not null || IsPartOf(row),
                Regions = region is null ? [] : [region],
            };
    }

    /// <summary>A property's value as a text, or null where there is none or it is empty.</summary>
    internal static string? Property(object value, string name)
    {
        object? found = value is IDictionary map ? map[name] : PSObject.AsPSObject(value).Properties[name]?.Value;
        string? text = found?.ToString();
        return string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    // Much has an id or a name (a process, a file): what is no row, and nothing of CmekTools', does not say a cluster by that.
    private static bool MayBeARow(object value)
    {
        if (value is IDictionary or System.Data.DataRow)
        {
            return true;
        }

        PSObject shown = PSObject.AsPSObject(value);
        string type = shown.TypeNames.FirstOrDefault() ?? string.Empty;
        const string Copy = "Deserialized.";
        return type.Contains("CmekTools.", StringComparison.Ordinal)
            || (shown.BaseObject is PSCustomObject && !type.StartsWith(Copy, StringComparison.Ordinal))
            || type == Copy + typeof(PSCustomObject).FullName;
    }

    // Of a job's output too: its type's name is all that is left of it there.
    private static bool IsPartOf(object row) => PSObject.AsPSObject(row).TypeNames.Any(
        t => t[(t.LastIndexOf('.') + 1)..] is nameof(CmekKey) or nameof(CmekStep) or nameof(CmekCheck) or nameof(CmekAccess)
            or nameof(CmekRegionStatus) or nameof(CmekDifference) or nameof(CmekRestorePlan) or nameof(CmekJournalEntry)
            or nameof(CmekKeyUse));

    private static bool Has(object value, string name) =>
        value is IDictionary map ? map.Contains(name) : PSObject.AsPSObject(value).Properties[name] is not null;
}
