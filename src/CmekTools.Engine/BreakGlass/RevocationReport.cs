using CmekTools.Engine.Access;

namespace CmekTools.Engine.BreakGlass;

/// <summary>
/// Tells what has been seen done to one cluster, and which of the truths holds now: by what was read of each of its keys, and by
/// nothing else.
/// </summary>
internal sealed class RevocationReport(CmekCluster cluster, IOperationHost host, TimeProvider time)
{
    private readonly object _lock = new();
    private readonly long _start = time.GetTimestamp();
    private readonly Dictionary<(string Uri, string Principal), CmekCutState> _states = [];
    private bool _revoked;
    private bool _unseen;

    /// <summary>The receipt's file.</summary>
    public string? ReceiptPath { get; set; }

    /// <summary>Does the service say REVOKED everywhere?</summary>
    public bool Revoked
    {
        get => Volatile.Read(ref _revoked);
        set => Volatile.Write(ref _revoked, value);
    }

    /// <summary>True where the service did not say what state the cluster is in, or was not asked.</summary>
    public bool Unseen
    {
        get => Volatile.Read(ref _unseen);
        set => Volatile.Write(ref _unseen, value);
    }

    /// <summary>Every key of the cluster together: open where one is, cut where all are, else the least that is known.</summary>
    public CmekCutState All
    {
        get
        {
            lock (_lock)
            {
                return Together(_states.Values);
            }
        }
    }

    /// <summary>The access belongs to the cluster, and nothing is known of it yet.</summary>
    public void Expect(AccessTarget target)
    {
        lock (_lock)
        {
            _states.TryAdd((target.KeyUri, target.AuthPrincipal), CmekCutState.Unread);
        }
    }

    /// <summary>The key belongs to the cluster, and nothing is done about it.</summary>
    public void ExpectUncut(string keyUri)
    {
        lock (_lock)
        {
            _states.TryAdd((keyUri, string.Empty), CmekCutState.Unread);
        }
    }

    /// <summary>What was read of an access, to be told with what is done about it.</summary>
    public void Seen(AccessTarget target, CmekCutState state)
    {
        lock (_lock)
        {
            _states[(target.KeyUri, target.AuthPrincipal)] = state;
        }
    }

    /// <summary>
    /// What was read of an access is known, and told, at once: of two keys that are proven beside each other, the first does not speak
    /// for the second.
    /// </summary>
    public Task SeenAsync(AccessTarget target, CmekCutState state, string step, string result)
    {
        lock (_lock)
        {
            _states[(target.KeyUri, target.AuthPrincipal)] = state;
            return TellAsync(step, target.Region, target.KeyUri, result, target.AuthPrincipal);
        }
    }

    /// <summary>What is known of a key of the cluster.</summary>
    public CmekCutState Of(string keyUri)
    {
        lock (_lock)
        {
            return Together(_states.Where(s => s.Key.Uri == keyUri).Select(s => s.Value));
        }
    }

    /// <summary>What is known of one access.</summary>
    public CmekCutState Of(string keyUri, string principal)
    {
        lock (_lock)
        {
            return _states.GetValueOrDefault((keyUri, principal), CmekCutState.Unread);
        }
    }

    /// <summary>A step about the whole cluster has been done.</summary>
    public Task DoneAsync(string step, string result) => TellAsync(step, null, null, result);

    /// <summary>A step about one key has been done.</summary>
    /// <param name="step">Its stable name.</param>
    /// <param name="region">The key's region.</param>
    /// <param name="keyUri">The key.</param>
    /// <param name="result">What was done or seen.</param>
    /// <param name="principal">Who was let in by the key, where that is one.</param>
    public Task DoneAsync(string step, string region, string keyUri, string result, string? principal = null) =>
        TellAsync(step, region, keyUri, result, principal);

    /// <summary>Several states together: one that is open opens all; all cut are cut; else the weakest proof counts.</summary>
    public static CmekCutState Together(IEnumerable<CmekCutState> states)
    {
        CmekCutState[] all = [.. states];
        return all switch
        {
            [] => CmekCutState.Unread,
            _ when all.Contains(CmekCutState.Open) => CmekCutState.Open,
            _ => all.Min(),
        };
    }

    // The steps stand in the order in which what they say became so: the host only takes them into its queue here.
    private Task TellAsync(string step, string? region, string? keyUri, string result, string? principal = null)
    {
        lock (_lock)
        {
            CmekCutState all = All;
            bool revoked = Revoked;
            return host.OutputAsync(new CmekStep
            {
                ClusterId = cluster.Id,
                ClusterName = cluster.Name,
                Region = region,
                KeyUri = keyUri,
                AuthPrincipal = principal,
                Step = step,
                Result = result,
                Now = keyUri is not null && all != CmekCutState.Cut && Of(keyUri) == CmekCutState.Cut
                    ? NowOfOne(all, revoked, Unseen)
                    : Now(all, revoked, Unseen),
                CutState = keyUri is null ? all : Of(keyUri),
                KeyCut = all switch { CmekCutState.Cut => true, CmekCutState.Open => false, _ => null },
                Revoked = revoked,
                DurationSeconds = Math.Round(time.GetElapsedTime(_start).TotalSeconds, 3),
                At = time.GetUtcNow(),
                ReceiptPath = ReceiptPath,
            });
        }
    }

    // Beside a key that is proven cut stands what is true of it, and what is not yet of the others.
    private static string NowOfOne(CmekCutState all, bool revoked, bool unseen)
    {
        string cluster = revoked ? "revoked at the service" : unseen ? "cluster's state not seen" : "cluster still running";
        return $"this key cut, {(all == CmekCutState.Open ? "another one NOT" : "the others not seen yet")}, {cluster}";
    }

    private static string Now(CmekCutState all, bool revoked, bool unseen) => (all, revoked) switch
    {
        (CmekCutState.Cut, false) when unseen => "key cut, cluster's state not seen",
        (CmekCutState.Open, false) when unseen => "key NOT cut, cluster's state not seen",
        (_, false) when unseen => "cut not seen yet, nor cluster's state",
        (CmekCutState.Cut, true) => "revoked",
        (CmekCutState.Cut, false) => "key cut, cluster still running",
        (CmekCutState.Open, true) => "revoked at the service, key NOT cut",
        (CmekCutState.Open, false) => "key NOT cut, cluster running",
        (_, true) => "revoked at the service, cut of the key not seen",
        (_, false) => "cut not seen yet, cluster still running",
    };
}
