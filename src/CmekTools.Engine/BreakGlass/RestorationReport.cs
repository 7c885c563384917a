using CmekTools.Engine.Access;

namespace CmekTools.Engine.BreakGlass;

/// <summary>Tells, step by step, what has been seen done and which of the truths holds now.</summary>
internal sealed class RestorationReport(CmekCluster cluster, Operation op)
{
    private long _start = op.Session.Time.GetTimestamp();

    /// <summary>The receipt's file.</summary>
    public string? ReceiptPath { get; set; }

    /// <summary>Was it seen that the cluster can use its keys again, by the principal that the service acts as?</summary>
    public bool IsBack { get; set; }

    /// <summary>Was it seen that the keys can be used, be it by a principal that the service does not act as yet?</summary>
    public bool UseSeen { get; set; }

    /// <summary>Does the service say REVOKED everywhere?</summary>
    public bool Revoked { get; set; }

    /// <summary>True where the service was not asked, so that what it says is not known.</summary>
    public bool Unasked { get; set; }

    /// <summary>What was done, for a ticket.</summary>
    public List<string> Told { get; } = [];

    /// <summary>What only the vendor can do has been written down for a ticket.</summary>
    public Task AskAsync(CmekSupportRequest request) =>
        TellAsync("SupportRequest", null, $"to be sent to {request.Address}: {request.Subject}", request);

    /// <summary>A step that concerns the whole cluster has been done.</summary>
    public Task DoneAsync(string step, string result) => TellAsync(step, null, result);

    /// <summary>A step has been done for one key.</summary>
    public Task DoneAsync(string step, AccessTarget key, string result) => TellAsync(step, key, result);

    private Task TellAsync(string step, AccessTarget? key, string result, CmekSupportRequest? request = null)
    {
        string? region = key?.Region;
        TimeSpan took = op.Session.Time.GetElapsedTime(_start);
        _start = op.Session.Time.GetTimestamp();
        DateTimeOffset now = op.Session.Time.GetUtcNow();
        Told.Add($"{now.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z {step}{(region is null ? string.Empty : " " + region)}: {result}");
        return op.Host.OutputAsync(new CmekStep
        {
            ClusterId = cluster.Id,
            ClusterName = cluster.Name,
            Region = region,
            KeyUri = key?.KeyUri,
            AuthPrincipal = key?.AuthPrincipal,
            Step = step,
            Result = result,
            Now = Now(),
            CutState = IsBack ? CmekCutState.Open : CmekCutState.Unread,
            KeyCut = IsBack ? false : null,
            Revoked = Revoked,
            DurationSeconds = Math.Round(took.TotalSeconds, 3),
            At = now,
            ReceiptPath = ReceiptPath,
            SupportRequest = request,
        });
    }

    private string Now() => (IsBack, Revoked) switch
    {
        (true, _) when Unasked => "access is back, the service was not asked",
        (false, _) when Unasked => "access not seen yet, the service was not asked",
        (true, true) => "access is back, cluster still revoked",
        (true, false) => "access is back, cluster not revoked",
        (false, true) => "access not seen yet, cluster revoked",
        (false, false) => "access not seen yet",
    };
}
