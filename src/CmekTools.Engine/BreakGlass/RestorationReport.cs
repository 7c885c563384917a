using CmekTools.Engine.Access;

namespace CmekTools.Engine.BreakGlass;

/// <summary>Tells, step by step, what has been seen done and which of the truths holds now.</summary>
internal sealed class RestorationReport(CmekCluster cluster, Operation op, bool restoring = false)
{
    private long _start = op.Session.Time.GetTimestamp();

    /// <summary>The receipt's file.</summary>
    public string? ReceiptPath { get; set; }

    /// <summary>Has the cut been seen?</summary>
    public bool? KeyCut { get; set; }

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
            CutState = KeyCut switch { true => CmekCutState.Cut, false => CmekCutState.Open, null => CmekCutState.Unread },
            KeyCut = KeyCut,
            Revoked = Revoked,
            DurationSeconds = Math.Round(took.TotalSeconds, 3),
            At = now,
            ReceiptPath = ReceiptPath,
            SupportRequest = request,
        });
    }

    private string Now() => (restoring, KeyCut, Revoked) switch
    {
        (true, false, _) when Unasked => "access is back, the service was not asked",
        (true, _, _) when Unasked => "access not seen yet, the service was not asked",
        (true, false, true) => "access is back, cluster still revoked",
        (true, false, false) => "access is back, cluster not revoked",
        (true, _, true) => "access not seen yet, cluster revoked",
        (true, _, false) => "access not seen yet",
        (_, true, true) => "revoked",
        (_, true, false) => "key cut, cluster still running",
        (_, false, true) => "revoked at the service, key NOT cut",
        (_, false, false) => "key NOT cut, cluster running",
        (_, null, true) => "revoked at the service, cut of the key not seen",
        (_, null, false) => "cut not seen yet, cluster still running",
    };
}
