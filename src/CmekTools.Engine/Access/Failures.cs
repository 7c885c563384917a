namespace CmekTools.Engine.Access;

/// <summary>What a failure of a service means for whoever asked it.</summary>
internal static class Failures
{
    /// <summary>True where the service did not answer, or not with what it was asked for: it may be gone for a while.</summary>
    public static bool IsSilence(this CmekException failure) => failure.Kind
        is CmekErrorKind.ConnectionError or CmekErrorKind.ResourceUnavailable or CmekErrorKind.OperationTimeout;

    /// <summary>True where the same request may do later: the service was silent, or had too many requests.</summary>
    public static bool MayHeal(this CmekException failure) => failure.IsSilence() || failure.Kind == CmekErrorKind.LimitsExceeded;
}
