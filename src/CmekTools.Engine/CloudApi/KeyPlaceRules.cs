namespace CmekTools.Engine.CloudApi;

/// <summary>
/// Tells which of the keys that the service lists for a region is in use, on its way in, failed or past. The service lists states of
/// keys, not their places: this is the one place where the former become the latter.
/// </summary>
internal static class KeyPlaceRules
{
    /// <summary>The same keys, each with its place.</summary>
    /// <param name="region">The region's state.</param>
    /// <param name="keys">The keys as the service lists them, newest first.</param>
    public static CmekKeyStatus[] Placed(CmekState region, IReadOnlyList<CmekKeyStatus> keys)
    {
        CmekKeyStatus? inUse = region == CmekState.DISABLED ? null : InUse(keys);
        CmekKeyStatus[] placed =
        [
            .. keys.Select(k => k with { Place = region == CmekState.DISABLED ? CmekKeyPlace.Past : PlaceOf(k, inUse) }),
        ];

        // One key at most is on its way in, the newest: what an older entry was meant to become has been overtaken.
        bool incoming = false;
        for (int i = 0; i < placed.Length; i++)
        {
            if (placed[i].Place == CmekKeyPlace.Incoming)
            {
                placed[i] = incoming ? placed[i] with { Place = CmekKeyPlace.Failed } : placed[i];
                incoming = true;
            }
        }

        return placed;
    }

    /// <summary>The key in use, or where there is none the one that the region was meant to use.</summary>
    public static CmekKeyStatus? Current(IReadOnlyList<CmekKeyStatus> placed) =>
        placed.FirstOrDefault(k => k.Place == CmekKeyPlace.InUse)
        ?? placed.FirstOrDefault(k => k.Place == CmekKeyPlace.Incoming)
        ?? placed.FirstOrDefault(k => k.Place == CmekKeyPlace.Failed);

    /// <summary>The key that the region moves to, where it has another one in use.</summary>
    public static CmekKeyStatus? Incoming(IReadOnlyList<CmekKeyStatus> placed) =>
        placed.Any(k => k.Place == CmekKeyPlace.InUse) ? placed.FirstOrDefault(k => k.Place == CmekKeyPlace.Incoming) : null;

    /// <summary>The key that a region has when it is left alone: the incoming one, else the one in use.</summary>
    public static CmekKeyStatus? Goal(this CmekRegionStatus region) => region.Incoming ?? region.Current;

    private static CmekKeyPlace PlaceOf(CmekKeyStatus key, CmekKeyStatus? inUse) => key.State switch
    {
        _ when ReferenceEquals(key, inUse) => CmekKeyPlace.InUse,
        _ when key.KeyUri is null && key.KeyType is null or "NULL_KMS" => CmekKeyPlace.Past,
        CmekState.ENABLING or CmekState.ROTATING => CmekKeyPlace.Incoming,
        CmekState.ENABLE_FAILED or CmekState.ROTATE_FAILED => CmekKeyPlace.Failed,
        _ => CmekKeyPlace.Past,
    };

    private static CmekKeyStatus? InUse(IReadOnlyList<CmekKeyStatus> keys)
    {
        CmekKeyStatus[] live =
        [
            .. keys.Where(k => k.State != CmekState.DISABLED && (k.KeyUri is not null || k.KeyType is not (null or "NULL_KMS"))),
        ];

        // A key that holds the region's data says so: it works, or it is being taken away. Of several the newest counts.
        if (
            live.FirstOrDefault(
                k => k.State is not (
                    CmekState.ENABLING or CmekState.ENABLE_FAILED or CmekState.ROTATING or CmekState.ROTATE_FAILED)) is { } holder)
        {
            return holder;
        }

        // Nothing holds it by its own word: the key in use is itself being wrapped anew, or was not to be. Every region that rotates
        // has one. It is the last one that came in, which was when the past ones were retired; what was listed after that has never got
        // there.
        CmekKeyStatus[] turning = [.. live.Where(k => k.State is CmekState.ROTATING or CmekState.ROTATE_FAILED)];
        DateTimeOffset? settled = keys.Where(k => k.State == CmekState.DISABLED).Max(k => k.UpdatedAt);
        return turning.FirstOrDefault(k => settled is not null && k.CreatedAt is { } made && made <= settled) ?? turning.LastOrDefault();
    }
}
