using System.Globalization;

namespace CmekTools.Engine.Pacing;

/// <summary>
/// Tells whoever asked for details of each request: what, how it ended, how long it took. No header and no body is told, so no secret
/// is.
/// </summary>
internal static class RequestTrace
{
    private static readonly AsyncLocal<Func<TracedRequest, Task>?> s_tell = new();

    /// <summary>Where the present work's requests are told; null where nobody asked.</summary>
    public static Func<TracedRequest, Task>? Current
    {
        get => s_tell.Value;
        set => s_tell.Value = value;
    }

    /// <summary>Tells of one.</summary>
    /// <param name="what">The method and path, or the service and call.</param>
    /// <param name="method">The HTTP method.</param>
    /// <param name="address">Where it went; its query is left out.</param>
    /// <param name="outcome">The status, or the failure's kind.</param>
    /// <param name="status">The HTTP status; 0 where no answer came.</param>
    /// <param name="took">How long the answer took.</param>
    /// <param name="waited">How long it stood in the queue before.</param>
    public static async Task TellAsync(
        string what, string method, Uri? address, string outcome, int status, TimeSpan took, TimeSpan waited)
    {
        if (s_tell.Value is not { } tell)
        {
            return;
        }

        string queue = waited.TotalMilliseconds < 1
            ? string.Empty
            : string.Create(CultureInfo.InvariantCulture, $", {waited.TotalMilliseconds:0} ms in the queue");
        string time = string.Create(CultureInfo.InvariantCulture, $" in {took.TotalMilliseconds:0} ms{queue}");
        string code = status.ToString(CultureInfo.InvariantCulture);
        await tell(new TracedRequest(
            $"{what}: {outcome}{time}",
            $"{method} {address?.GetLeftPart(UriPartial.Path)}{(what.StartsWith(method, StringComparison.Ordinal) ? "" : $" ({what})")}: "
                + $"{(status == 0 || outcome == code ? outcome : $"{code} {outcome}")}{time}")).ConfigureAwait(false);
    }
}

/// <summary>A request as it is told.</summary>
/// <param name="Short">What it is, how it ended, how long it took.</param>
/// <param name="Whole">The same with method, host, path and status.</param>
internal sealed record TracedRequest(string Short, string Whole);
