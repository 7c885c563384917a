using CmekTools.Engine.Access;

namespace CmekTools.Engine.Aws;

/// <summary>Makes evidence of what AWS answers.</summary>
internal static class AwsEvidence
{
    /// <summary>
    /// Waits for a read of what may be missing or hidden. Other failures, a service that cannot be reached first of all, are thrown.
    /// </summary>
    public static async Task<Evidence<T>> ReadAsync<T>(Task<T> read)
        where T : class
    {
        try
        {
            return new Evidence<T>(await read.ConfigureAwait(false), false, null);
        }
        catch (CmekServiceException e) when (e.ErrorId is AwsErrors.KeyNotFound or "RoleNotFound")
        {
            return new Evidence<T>(null, true, e.Message);
        }
        catch (CmekException e) when (
            e.Kind is CmekErrorKind.PermissionDenied or CmekErrorKind.InvalidOperation or CmekErrorKind.InvalidData)
        {
            return new Evidence<T>(null, false, e.Message);
        }
    }

    /// <summary>Waits for a read that is not needed by all means: whatever fails is evidence of nothing, and says why.</summary>
    public static async Task<Evidence<T>> TryReadAsync<T>(Task<T> read)
        where T : class
    {
        try
        {
            return await ReadAsync(read).ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            return new Evidence<T>(null, false, e.Message);
        }
    }

    /// <summary>
    /// Waits for a read beside that of the key itself: null where it is denied, not supported for this kind of key, or gone; the read of
    /// the key is the one that fails.
    /// </summary>
    public static async Task<T?> ReadOrNullAsync<T>(Task<T?> read)
        where T : class
    {
        try
        {
            return await read.ConfigureAwait(false);
        }
        catch (CmekServiceException e) when (
            e.ErrorId is AwsErrors.AccessDenied or AwsErrors.KeyNotFound or "AwsUnsupported" or "AwsError"
                or "KeyStateInvalid" or "KeyPendingDeletion" or "KeyDisabled")
        {
            return null;
        }
    }
}
