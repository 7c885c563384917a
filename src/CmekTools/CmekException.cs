namespace CmekTools;

/// <summary>The kinds of failure that CmekTools tells apart; each has a namesake among PowerShell's error categories.</summary>
public enum CmekErrorKind
{
    /// <summary>The caller's input is wrong; nothing was sent.</summary>
    InvalidArgument,
    /// <summary>The thing named does not exist.</summary>
    ObjectNotFound,
    /// <summary>Something of that name is there and is not ours.</summary>
    ResourceExists,
    /// <summary>The credentials are not accepted.</summary>
    AuthenticationError,
    /// <summary>The credentials are good, but the permission is missing.</summary>
    PermissionDenied,
    /// <summary>The thing is not in a state that allows this.</summary>
    InvalidOperation,
    /// <summary>What a service answered cannot be understood, or is not what was written.</summary>
    InvalidData,
    /// <summary>The service is busy, failing or out of reach after all retries.</summary>
    ResourceUnavailable,
    /// <summary>No connection.</summary>
    ConnectionError,
    /// <summary>The time allowed ran out before the goal was seen.</summary>
    OperationTimeout,
    /// <summary>A rate or size limit.</summary>
    LimitsExceeded,
    /// <summary>A local file could not be read.</summary>
    ReadError,
    /// <summary>A local file (journal, receipt, manifest) could not be written; the change was not made.</summary>
    WriteError,
}

/// <summary>A failure that says what went wrong and what to do about it.</summary>
public class CmekException : Exception
{
    /// <summary>Makes a failure.</summary>
    /// <param name="errorId">A stable id for scripts, for example <c>KeyUriInvalid</c>.</param>
    /// <param name="kind">What kind of failure it is.</param>
    /// <param name="message">What went wrong, with the service's own words where there are any.</param>
    /// <param name="recommendedAction">What to do now.</param>
    /// <param name="target">The object or name that it is about.</param>
    /// <param name="innerException">The cause.</param>
    public CmekException(
        string errorId,
        CmekErrorKind kind,
        string message,
        string? recommendedAction = null,
        object? target = null,
        Exception? innerException = null)
        : base(Secrets.Hide(message), innerException is not null && Secrets.AreIn(innerException) ? null : innerException)
    {
        // A cause that says a secret is left out whole: its own texts cannot be changed.
        ErrorId = errorId;
        Kind = kind;
        RecommendedAction = recommendedAction is null ? null : Secrets.Hide(recommendedAction);
        Target = target;
    }

    /// <summary>The stable id of this kind of failure.</summary>
    public string ErrorId { get; }

    /// <summary>The kind of failure.</summary>
    public CmekErrorKind Kind { get; }

    /// <summary>What to do now, or null where the message says it all.</summary>
    public string? RecommendedAction { get; }

    /// <summary>The object or name that the failure is about.</summary>
    public object? Target { get; }
}

/// <summary>An answer of a service (CockroachDB Cloud, AWS or Google Cloud) that is a failure.</summary>
public sealed class CmekServiceException : CmekException
{
    /// <summary>Makes a failure from a service's answer.</summary>
    /// <param name="service">The service's name, for example <c>CockroachDB Cloud</c> or <c>AWS KMS</c>.</param>
    /// <param name="errorId">A stable id for scripts.</param>
    /// <param name="kind">What kind of failure it is.</param>
    /// <param name="message">The service's message, with what was asked.</param>
    /// <param name="statusCode">The HTTP status, 0 where there was no answer.</param>
    /// <param name="code">The service's own code, for example <c>3</c>, <c>AccessDeniedException</c> or <c>NOT_FOUND</c>.</param>
    /// <param name="requestId">The service's id of the request, for its support.</param>
    /// <param name="recommendedAction">What to do now.</param>
    /// <param name="target">The object or name that it is about.</param>
    /// <param name="innerException">The cause.</param>
    public CmekServiceException(
        string service,
        string errorId,
        CmekErrorKind kind,
        string message,
        int statusCode,
        string? code,
        string? requestId,
        string? recommendedAction = null,
        object? target = null,
        Exception? innerException = null)
        : base(errorId, kind, message, recommendedAction, target, innerException)
    {
        Service = service;
        StatusCode = statusCode;
        Code = code;
        RequestId = requestId;
    }

    /// <summary>The service that answered.</summary>
    public string Service { get; }

    /// <summary>The HTTP status, 0 where there was no answer.</summary>
    public int StatusCode { get; }

    /// <summary>The service's own error code.</summary>
    public string? Code { get; }

    /// <summary>The service's id of the request.</summary>
    public string? RequestId { get; }
}
