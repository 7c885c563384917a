namespace CmekTools.Engine.Access;

/// <summary>What the checks whether a key could be cut off now have in common on every cloud.</summary>
internal static class CutChecks
{
    /// <summary>The key's service has answered.</summary>
    /// <param name="target">An access to the key.</param>
    /// <param name="service">The service, as the beginning of a sentence.</param>
    /// <param name="took">How long the first answer took.</param>
    public static CmekCheck Answered(AccessTarget target, string service, TimeSpan took) => target.Check(
        "CutEndpoint",
        CmekCheckResult.Pass,
        target.KeyUri,
        $"{service} answered in {took.TotalMilliseconds:0} ms.");

    /// <summary>The key is not found: a fault where a cluster uses it, and not known to be one of a past key.</summary>
    /// <param name="targets">The accesses to the key.</param>
    /// <param name="seen">What was seen.</param>
    /// <param name="remedy">What to do.</param>
    public static CmekCheck KeyMissing(IReadOnlyList<AccessTarget> targets, string seen, string remedy) => targets[0].Check(
        "CutKey",
        targets.Any(t => t.InUse) ? CmekCheckResult.Fail : CmekCheckResult.Unknown,
        targets[0].KeyUri,
        seen,
        remedy);

    /// <summary>Whether the key's policy could be written; where it could not, the key would be disabled in its place.</summary>
    /// <param name="write">May the caller write the policy?</param>
    /// <param name="disable">May he disable the key?</param>
    public static CmekCheckResult PolicyWrite(Decision write, Decision disable) => (write, disable) switch
    {
        (Decision.Allowed, _) => CmekCheckResult.Pass,
        (Decision.Unread or Decision.Perhaps, _) => CmekCheckResult.Unknown,
        (_, Decision.Allowed) => CmekCheckResult.Warn,
        _ => CmekCheckResult.Fail,
    };
}
