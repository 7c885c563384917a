namespace CmekTools.Engine.Aws;

/// <summary>
/// What the tag says by which a key tells that a revocation switched it off: the ids of the clusters whose revocation it was, and
/// "disabled-before" where the key was off already.
/// </summary>
internal sealed record RevokedTag(IReadOnlyList<string> ClusterIds, bool WasOff)
{
    private const string Before = "disabled-before";

    // https://docs.aws.amazon.com/kms/latest/developerguide/tagging-keys.html
    private const int LongestValue = 256;

    /// <summary>As a key's tags have it; null where they do not.</summary>
    public static RevokedTag? Read(IReadOnlyDictionary<string, string>? tags)
    {
        string[]? words = tags?.GetValueOrDefault(AwsNames.RevokedTag)?.Split(' ');
        return words is null ? null : new RevokedTag([.. words.Where(w => Guid.TryParse(w, out _))], words.Contains(Before));
    }

    /// <summary>With these clusters too, as far as there is room.</summary>
    public RevokedTag With(IEnumerable<CmekCluster> clusters) => clusters.Aggregate(
        this,
        (tag, cluster) => tag.Names(cluster) || tag.And(cluster) is not { IsTooLong: false } longer ? tag : longer);

    /// <summary>Does it name this cluster?</summary>
    public bool Names(CmekCluster cluster) => ClusterIds.Contains(cluster.Id, StringComparer.OrdinalIgnoreCase);

    /// <summary>The tag's value.</summary>
    public override string ToString() => string.Join(' ', WasOff ? [.. ClusterIds, Before] : ClusterIds);

    // Also where the key turns out to have been off, it is to fit.
    private bool IsTooLong => (this with { WasOff = true }).ToString().Length > LongestValue;

    private RevokedTag And(CmekCluster cluster) => this with { ClusterIds = [.. ClusterIds, cluster.Id] };
}
