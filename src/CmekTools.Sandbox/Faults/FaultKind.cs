namespace CmekTools.Sandbox.Faults;

/// <summary>What can go wrong between a client and a service.</summary>
internal enum FaultKind
{
    /// <summary>The connection ends before the request takes effect.</summary>
    ResetBefore,

    /// <summary>The request takes effect and the connection ends without an answer.</summary>
    ResetAfter,

    /// <summary>No answer comes, and the request takes no effect.</summary>
    TimeoutBefore,

    /// <summary>No answer comes, and the request takes effect.</summary>
    TimeoutAfter,

    /// <summary>Refused for the rate of calls, in the service's own form.</summary>
    Throttled,

    /// <summary>The same with Retry-After.</summary>
    ThrottledRetryAfter,

    /// <summary>500, 502, 503 or 504 in place of the service; the request takes no effect.</summary>
    ServerErrorBefore,

    /// <summary>500, 502, 503 or 504 after the request took effect.</summary>
    ServerErrorAfter,

    /// <summary>The request takes effect, and half of the answer arrives.</summary>
    CutShort,

    /// <summary>A page of HTML with status 200, as a proxy gives it; the request takes no effect.</summary>
    Html,

    /// <summary>The request takes effect, and the answer is 200 without a body.</summary>
    Empty,

    /// <summary>The request is delivered twice; the client has the second answer.</summary>
    Twice,

    /// <summary>The answer comes in pieces.</summary>
    Slow,

    /// <summary>A permission is missing, in the service's own form.</summary>
    Denied,

    /// <summary>Cloud API: the cluster is locked (503 or 400, both have been seen). Elsewhere it is nothing.</summary>
    Locked,
}
