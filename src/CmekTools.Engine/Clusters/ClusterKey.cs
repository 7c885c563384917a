using CmekTools.Engine.Access;

namespace CmekTools.Engine.Clusters;

/// <summary>From where a key of a cluster is known.</summary>
[Flags]
internal enum KeySources
{
    /// <summary>Nowhere that proves it: somebody gave it by hand, or a file says it that anybody may have written.</summary>
    None = 0,

    /// <summary>The service lists it.</summary>
    Service = 1,

    /// <summary>It was seen before, and is in the inventory.</summary>
    Inventory = 2,

    /// <summary>A receipt names it.</summary>
    Receipt = 4,

    /// <summary>It carries our tag or label with the cluster's id.</summary>
    Tag = 8,
}

/// <summary>One key of a cluster's region, with everybody who is known to have used it for the cluster.</summary>
internal sealed record ClusterKey
{
    /// <summary>The cluster's region.</summary>
    public required string Region { get; init; }

    /// <summary>The key, in the spelling that the source used that knows most (the service, where it lists it).</summary>
    public required string KeyUri { get; init; }

    /// <summary>Which key that is, whatever way it is spelt.</summary>
    public required KeyIdentity Identity { get; init; }

    /// <summary>Its place. Of several entries for one key the strongest: a key that was past and came back is in use.</summary>
    public CmekKeyPlace Place { get; init; }

    /// <summary>From where it is known.</summary>
    public KeySources Sources { get; init; }

    /// <summary>When the service retired it; null for keys that are not past, and where that is not known.</summary>
    public DateTimeOffset? RetiredAt { get; init; }

    /// <summary>The state that the service gives it; UNKNOWN where it does not list it.</summary>
    public CmekState State { get; init; }

    /// <summary>The principal of the strongest entry; null where none is known.</summary>
    public string? Principal { get; init; }

    /// <summary>Every principal that is known for this key, <see cref="Principal"/> first.</summary>
    public IReadOnlyList<string> Principals { get; init; } = [];

    /// <summary>True for the keys that the cluster needs to run: the one in use and the one on its way in.</summary>
    public bool Needed => Place is CmekKeyPlace.InUse or CmekKeyPlace.Incoming;

    /// <inheritdoc/>
    public override string ToString() => $"{KeyUri} ({Region}, {KeyPlaceText.Of(Place)})";
}
