using System.Text.Json.Nodes;

namespace CmekTools.Engine.Gcp;

/// <summary>One thing that was looked at: there, missing, or not to be seen.</summary>
/// <param name="Value">What was read; null where it is missing or could not be read.</param>
/// <param name="Missing">True where the service says that it is not there.</param>
/// <param name="Why">Why there is no value.</param>
/// <param name="Permission">The permission that the look needs.</param>
/// <param name="On">What was looked at.</param>
internal sealed record Evidence(JsonObject? Value, bool Missing, string? Why, string Permission, string On)
{
    /// <summary>True where it could not be read: it proves nothing.</summary>
    public bool Hidden => Value is null && !Missing;

    /// <summary>Waits for a read. What may not be read is evidence too, of nothing.</summary>
    /// <param name="read">The read.</param>
    /// <param name="permission">The permission that it needs.</param>
    /// <param name="on">What is looked at.</param>
    /// <param name="except">Refusals that the caller has to judge; none where null.</param>
    public static async Task<Evidence> OfAsync(
        Task<JsonObject> read,
        string permission,
        string on,
        Func<CmekServiceException, bool>? except = null)
    {
        try
        {
            return new Evidence(await read.ConfigureAwait(false), false, null, permission, on);
        }
        catch (CmekServiceException e) when (e.StatusCode is 400 or 403 or 404 && except?.Invoke(e) != true)
        {
            return e.StatusCode == 404
                ? new Evidence(null, true, e.Message, permission, on)
                : Unread(
                    e.ErrorId == "AccessDenied" ? $"cannot be seen: {permission} on {on} is missing" : $"cannot be seen: {e.Message}",
                    permission,
                    on);
        }
    }

    /// <summary>Evidence of nothing.</summary>
    public static Evidence Unread(string why, string permission, string on) => new(null, false, why, permission, on);
}
