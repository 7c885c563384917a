namespace CmekTools.Engine.Access;

/// <summary>What policies, as they were read, say to one principal and one thing that it may want to do.</summary>
internal enum Decision
{
    /// <summary>Certainly not: an explicit deny, or no allow in policies that were all read and understood.</summary>
    Denied,

    /// <summary>
    /// What decides does not exist: neither allowed nor denied, and proof of nothing (it may be looked for in the wrong place).
    /// </summary>
    Missing,

    /// <summary>What decides could not be read.</summary>
    Unread,

    /// <summary>It was read, and cannot be judged from here: a group, an unknown condition, another account's policies.</summary>
    Perhaps,

    /// <summary>Certainly yes.</summary>
    Allowed,
}

/// <summary>What the policies say of one principal and one key, with the evidence.</summary>
/// <param name="Use">Everything that a cluster needs: encrypt, decrypt, data keys. Allowed only where each of it is.</param>
/// <param name="Read">
/// The strongest of all calls by which what was encrypted can be read, now or after one more call that the principal may make (AWS:
/// Decrypt, ReEncryptFrom, GenerateDataKey, CreateGrant, in the key's own account also PutKeyPolicy and ReplicateKey; Google Cloud:
/// decrypting and whatever gives that). Denied only where each of them is.
/// </param>
/// <param name="Reasons">What allows it, what stops it or what was not seen, a line each.</param>
internal sealed record AccessDecision(Decision Use, Decision Read, IReadOnlyList<string> Reasons)
{
    /// <summary>
    /// True where something was read that stops every reading call whatever else allows it: an explicit deny, a disabled key or
    /// account. It needs no second look; an access that only lacks an allow may be an old answer.
    /// </summary>
    public bool ExplicitlyStopped { get; init; }

    /// <summary>Whether the principal is cut off from the key.</summary>
    public CmekCutState Cut => Read switch
    {
        Decision.Denied => CmekCutState.Cut,
        Decision.Allowed => CmekCutState.Open,
        Decision.Perhaps => CmekCutState.Perhaps,
        Decision.Missing => CmekCutState.Missing,
        _ => CmekCutState.Unread,
    };

    /// <summary>The same decision on both counts.</summary>
    public static AccessDecision Of(Decision decision, params IReadOnlyList<string> reasons) => new(decision, decision, reasons);

    /// <summary>The weaker of two: what needs both has no more than this.</summary>
    public static Decision Both(Decision one, Decision other) => one < other ? one : other;

    /// <summary>The stronger of two: what needs either has at least this.</summary>
    public static Decision Either(Decision one, Decision other) => one > other ? one : other;
}
