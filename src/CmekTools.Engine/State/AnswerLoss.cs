using System.Net.Sockets;

namespace CmekTools.Engine.State;

/// <summary>Tells a change that was refused from one whose answer was lost: of the second nobody knows yet whether it was made.</summary>
internal static class AnswerLoss
{
    /// <summary>The error id of a change that may have been made and could not be looked for.</summary>
    public const string OutcomeUnknown = "OutcomeUnknown";

    /// <summary>
    /// The outcome for the journal: <c>failed</c> (the service said no, or nothing was sent), <c>cancelled</c> or <c>unknown</c>.
    /// </summary>
    public static string OutcomeOf(Exception e) => e switch
    {
        OperationCanceledException => "cancelled",
        _ when IsLost(e) => "unknown",
        _ => "failed",
    };

    /// <summary>
    /// True where the request may have taken effect: the service answered with a failure of its own (5xx) or with what cannot be
    /// understood, or the connection was made and no answer came. False where the connection was never made: nothing was sent.
    /// </summary>
    public static bool IsLost(Exception e) =>
        e is CmekException { ErrorId: OutcomeUnknown } || (e is CmekServiceException service && service.StatusCode switch
    {
        0 => service.Kind != CmekErrorKind.AuthenticationError && !NeverConnected(service),
        >= 500 => true,
        >= 200 and < 300 => true,
        _ => false,
    });

    /// <summary>
    /// True for a refusal that a request may get because an earlier try of it took effect: there already, not in a state for it,
    /// changed by another.
    /// </summary>
    public static bool MayBeOvertaken(Exception e) => e is CmekServiceException { StatusCode: 400 or 404 or 409 } service
        && service.Kind is not (CmekErrorKind.PermissionDenied or CmekErrorKind.AuthenticationError or CmekErrorKind.LimitsExceeded);

    /// <summary>True where no connection was made: nothing was sent.</summary>
    public static bool NeverConnected(Exception e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is SocketException { SocketErrorCode: SocketError.ConnectionRefused or SocketError.HostNotFound
                or SocketError.HostUnreachable
                or SocketError.NetworkUnreachable or SocketError.TryAgain or SocketError.NoData }
                || inner is HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError
                    or HttpRequestError.SecureConnectionError })
            {
                return true;
            }
        }

        return false;
    }
}
