namespace CmekTools.Engine.Access;

/// <summary>Why a key cannot be used in its state, in its cloud's words.</summary>
/// <param name="Why">What is the matter.</param>
/// <param name="Remedy">What to do.</param>
internal sealed record KeyRefusal(string Why, string Remedy);

/// <summary>What a key's state means.</summary>
internal static class KeyStates
{
    /// <summary>True where the key is off, so that nobody can use it: disabled, to be deleted, or gone.</summary>
    public static bool LetsNobodyIn(this CmekKeyState state) =>
        state is CmekKeyState.Disabled or CmekKeyState.PendingDeletion or CmekKeyState.Destroyed;

    /// <summary>Refuses a key by which nothing can be encrypted now.</summary>
    /// <param name="key">The key.</param>
    /// <param name="words">What its cloud says of a state that is refused.</param>
    /// <exception cref="CmekException"><c>KeyPendingDeletion</c>, <c>KeyDisabled</c>, <c>KeyNotReady</c>, <c>KeyUnusable</c>.</exception>
    public static void RequireOn(CmekKey key, Func<CmekKeyState, KeyRefusal> words)
    {
        CmekException? refused = key.State switch
        {
            CmekKeyState.PendingDeletion => Refused("KeyPendingDeletion", CmekErrorKind.InvalidOperation),
            CmekKeyState.Disabled => Refused("KeyDisabled", CmekErrorKind.InvalidOperation),
            CmekKeyState.Creating => Refused("KeyNotReady", CmekErrorKind.InvalidOperation),
            CmekKeyState.Destroyed or CmekKeyState.Unknown => Refused("KeyUnusable", CmekErrorKind.InvalidOperation),
            _ => null,
        };
        if (refused is not null)
        {
            throw refused;
        }

        CmekException Refused(string id, CmekErrorKind kind)
        {
            KeyRefusal refusal = words(key.State);
            return new CmekException(id, kind, refusal.Why, refusal.Remedy, key);
        }
    }

    /// <summary>
    /// The state of a key of which it may not be known whether it is still there; Unknown where it is gone or cannot be read, which makes
    /// it neither on nor retired.
    /// </summary>
    public static async Task<CmekKeyState> ReadStateAsync(this IKeyProvider provider, string keyUri, Operation op)
    {
        try
        {
            return (await provider.GetKeyAsync(keyUri, op).ConfigureAwait(false)).State;
        }
        catch (CmekException)
        {
            return CmekKeyState.Unknown;
        }
    }
}
