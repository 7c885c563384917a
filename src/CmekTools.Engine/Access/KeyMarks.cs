namespace CmekTools.Engine.Access;

/// <summary>
/// What marks a key as a cluster's: our tag or label, our statement, or a binding for a principal that is named after the cluster.
/// </summary>
/// <param name="ClusterMark">The cluster's id, or the first eight characters of it that fit into a statement's name.</param>
/// <param name="Where">In words: "the tag cmektools:cluster-id", "the statement CmekToolsUse1a2b3c4d".</param>
internal sealed record KeyMark(string ClusterMark, string Where)
{
    /// <summary>True for a tag or label: a key has it from when it was made, also where it was never given to the cluster.</summary>
    public bool IsLabel { get; init; }

    /// <summary>Whom it lets in for the cluster; null for a mark that lets nobody in.</summary>
    public string? Principal { get; init; }

    /// <summary>Is it this cluster's?</summary>
    public bool IsOf(string clusterId) => Plain(clusterId).StartsWith(Plain(ClusterMark), StringComparison.OrdinalIgnoreCase);

    private static string Plain(string id) => id.Replace("-", null, StringComparison.Ordinal);
}

/// <summary>A cut of ours that is in force: a statement that stops a principal whatever else allows it.</summary>
/// <param name="Principal">Who is stopped.</param>
/// <param name="ClusterMark">The cluster whose revocation put it there.</param>
/// <param name="Where">The statement's name, or the deny policy's.</param>
internal sealed record CutMark(string Principal, string ClusterMark, string Where)
{
    /// <summary>Was it this cluster's revocation?</summary>
    public bool IsOf(string clusterId) => new KeyMark(ClusterMark, Where).IsOf(clusterId);
}

/// <summary>What is written on a key itself and in its policy about who uses it.</summary>
/// <param name="Marks">Of which clusters it is.</param>
/// <param name="Cuts">Who is cut off by us.</param>
/// <param name="Users">Principals that its policy lets use it, with what lets them.</param>
/// <param name="Unread">What could not be read, and why; empty where all was.</param>
internal sealed record KeyMarks(
    IReadOnlyList<KeyMark> Marks,
    IReadOnlyList<CutMark> Cuts,
    IReadOnlyList<string> Users,
    IReadOnlyList<string> Unread)
{
    /// <summary>Those of the users that may read by it and that a cluster can act as: roles, service accounts, whole accounts.</summary>
    public IReadOnlyList<string> Clients { get; init; } = [];

    /// <summary>Does it say that a cluster's revocation has cut a principal off?</summary>
    public bool HasCut(string principal, string clusterId) => Cuts.Any(c => c.Principal == principal && c.IsOf(clusterId));

    /// <summary>Does the key say that a revocation switched it off?</summary>
    public RetirementMark Retirement { get; init; }

    /// <summary>Of which clusters it says that their revocation switched it off.</summary>
    public IReadOnlyList<KeyMark> RevokedFor { get; init; } = [];

    /// <summary>Does it say that it was switched off by this cluster's revocation?</summary>
    public bool IsRevokedFor(string clusterId) => RevokedFor.Any(m => m.IsOf(clusterId));

    /// <summary>Warns of the clusters for which a key's mark has no room; says nothing where there are none.</summary>
    public static async Task TellNoRoomAsync(string keyUri, IEnumerable<CmekCluster> clusters, Operation op)
    {
        string ids = string.Join(", ", clusters.Select(c => c.Id));
        if (ids.Length > 0)
        {
            await op.Host.WarningAsync(
                $"{keyUri} has no room for more clusters in its mark: that it was switched off by the revocation of {ids} too is not known "
                    + "from it on another machine.").ConfigureAwait(false);
        }
    }
}

/// <summary>How often a key was given new material by hand, and how often it may be.</summary>
/// <param name="Seen">False where it could not be read.</param>
/// <param name="Used">How often so far.</param>
/// <param name="Limit">How often at most; 0 where there is no limit.</param>
internal sealed record RotationBudget(bool Seen, int Used, int Limit)
{
    /// <summary>A provider that does not count.</summary>
    public static RotationBudget Unlimited { get; } = new(true, 0, 0);

    /// <summary>How many are left; the largest number where there is no limit.</summary>
    public int Left => Limit == 0 ? int.MaxValue : Math.Max(0, Limit - Used);
}
