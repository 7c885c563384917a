namespace CmekTools;

/// <summary>
/// The place of a key in a cluster's region. These words are defined here, once: a region has at most one key in use, at most one on
/// its way in, and any number of failed and past ones.
/// </summary>
public enum CmekKeyPlace : long
{
    /// <summary>Not known: a key that was looked up by its URI alone.</summary>
    Unknown,
    /// <summary>
    /// Marked as the cluster's, and never listed by the service as far as is known: made, and not given to the cluster yet.
    /// </summary>
    Unused,
    /// <summary>
    /// Retired: the region has moved on to another key, or back to CockroachDB-managed encryption. Old data and backups still need
    /// it.
    /// </summary>
    Past,
    /// <summary>The region was to use it and could not (ENABLE_FAILED, ROTATE_FAILED): the key that was in use before still is.</summary>
    Failed,
    /// <summary>The region is moving to it (ENABLING, ROTATING); the key in use stays so until it is there.</summary>
    Incoming,
    /// <summary>The region's data hangs on it, also while the cluster is revoked.</summary>
    InUse,
}
