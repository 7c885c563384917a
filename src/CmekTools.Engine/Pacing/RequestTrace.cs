using System.Globalization;

namespace CmekTools.Engine.Pacing;

/// <summary>
/// Tells whoever asked for details of each request: what, how it ended, how long it took. No header and no body is told, so no secret
/// is.
/// </summary>
internal static class RequestTrace
{
    private static readonly AsyncLocal<Func<string, Task>?> s_tell = new();

    /// <summary>Where the present work's requests are told; null where nobody asked.</summary>
    public static Func<string, Task>? Current
    {
        get => s_tell.Value;
        set => s_tell.Value = value;
    }

    /// <summary>Tells of one.</summary>
    /// <param name="what">The method and path, or the service and call.</param>
    /// <param name="outcome">The status, or the failure's kind.</param>
    /// <param name="took">How long the answer took.</param>
    /// <param name="waited">How long it stood in the queue before.</param>
    public static async Task TellAsync(string what, string outcome, TimeSpan took, TimeSpan waited)
    {
        if (s_tell.Value is not { } tell)
        {
            return;
        }

        string queue = waited.TotalMilliseconds < 1
            ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $", {waited.TotalMilliseconds:0} ms in the queue");
        await tell(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {outcome} in {took.TotalMilliseconds:0} ms{queue}")).ConfigureAwait(false);
    }
}
