using System.Text.Json.Nodes;
using CmekTools.Engine.Access;

namespace CmekTools.Engine.Gcp;

/// <summary>Makes evidence of what Google Cloud answers.</summary>
internal static class GcpEvidence
{
    /// <summary>Waits for a read of what may be missing or hidden. Other failures are thrown.</summary>
    /// <param name="read">The read.</param>
    /// <param name="permission">The permission that it needs.</param>
    /// <param name="on">What is read.</param>
    /// <param name="except">Refusals that the caller has to judge; none where null.</param>
    public static async Task<Evidence<JsonObject>> ReadAsync(
        Task<JsonObject> read,
        string permission,
        string on,
        Func<CmekServiceException, bool>? except = null)
    {
        try
        {
            return new Evidence<JsonObject>(await read.ConfigureAwait(false), false, null, permission, on);
        }
        catch (CmekServiceException e) when (e.StatusCode is 400 or 403 or 404 && except?.Invoke(e) != true)
        {
            return e.StatusCode == 404
                ? new Evidence<JsonObject>(null, true, e.Message, permission, on)
                : Unread(
                    e.ErrorId == "AccessDenied" ? $"cannot be seen: {permission} on {on} is missing" : $"cannot be seen: {e.Message}",
                    permission,
                    on);
        }
    }

    /// <summary>Waits for a read that is not needed by all means: whatever fails is evidence of nothing, and says why.</summary>
    /// <param name="read">The read.</param>
    /// <param name="permission">The permission that it needs.</param>
    /// <param name="on">What is read.</param>
    public static async Task<Evidence<JsonObject>> TryReadAsync(Task<JsonObject> read, string permission, string on)
    {
        try
        {
            return await ReadAsync(read, permission, on).ConfigureAwait(false);
        }
        catch (CmekException e)
        {
            return Unread($"could not be read: {e.Message}", permission, on);
        }
    }

    /// <summary>Evidence of nothing.</summary>
    public static Evidence<JsonObject> Unread(string why, string permission, string on) => new(null, false, why, permission, on);
}
