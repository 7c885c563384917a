namespace CmekTools;

/// <summary>
/// Where another sandbox, or the same one, is to be found: what <c>Start-CmekSandbox</c> gives and <c>Connect-CmekCloud -Sandbox</c>
/// takes.
/// </summary>
public sealed class CmekSandbox
{
    /// <summary>The one address that every service answers on.</summary>
    public required Uri BaseAddress { get; init; }

    /// <summary>The environment variables that point other programs (the aws CLI, gcloud, terraform) at it, access keys included.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>The running server; an opaque handle for <c>Stop-CmekSandbox</c>.</summary>
    internal IAsyncDisposable? Server { get; init; }

    /// <inheritdoc/>
    public override string ToString() => BaseAddress.ToString();
}

/// <summary>A connection to CockroachDB Cloud. It never shows its key.</summary>
public sealed class CmekSession
{
    /// <summary>The Cloud API's base address.</summary>
    public required Uri Server { get; init; }

    /// <summary>The organization that the API key belongs to.</summary>
    public required CmekOrganization Organization { get; init; }

    /// <summary>True where the other side is a sandbox.</summary>
    public bool IsSandbox { get; init; }

    /// <summary>
    /// True where the service did not answer as it should when the session was made: it is good for a break-glass, by what was seen
    /// before.
    /// </summary>
    public bool IsOffline { get; init; }

    /// <summary>The place of the state that is shared with other people and machines; null where none is.</summary>
    public string? SharedState { get; init; }

    /// <summary>When the session was made.</summary>
    public DateTimeOffset ConnectedAt { get; init; }

    /// <summary>The engine's side of the session.</summary>
    internal object? Context { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Server} ({Organization.Name})";
}
