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

    /// <summary>When it was started.</summary>
    public DateTimeOffset StartedAt { get; init; }

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

    /// <summary>The KMS key that receipts are sealed by; null where they are sealed with the user's own secret.</summary>
    public string? SealKey { get; init; }

    /// <summary>The AWS account that commands act in; null until a command has heard from AWS whose it is.</summary>
    public string? AwsAccount => AwsIdentity?.Split(':') is [_, _, _, _, { Length: > 0 } account, ..] ? account : null;

    /// <summary>Who commands act as on AWS, an ARN; null until a command has heard it from AWS.</summary>
    public string? AwsIdentity => Identity?.Invoke("aws");

    /// <summary>The Google Cloud project that keys are made in where a command names none; null where none is known.</summary>
    public string? GoogleProject => Project?.Invoke();

    /// <summary>Who commands act as on Google Cloud, an email; null until it is known, and where the credentials do not say.</summary>
    public string? GoogleIdentity => Identity?.Invoke("gcp");

    /// <summary>The project, by the session or by the environment as it is now.</summary>
    internal Func<string?>? Project { get; init; }

    /// <summary>Who the caller is to a cloud, as soon as that is known.</summary>
    internal Func<string, string?>? Identity { get; init; }

    /// <summary>When the session was made.</summary>
    public DateTimeOffset ConnectedAt { get; init; }

    /// <summary>The engine's side of the session.</summary>
    internal object? Context { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Server} ({Organization.Name})";
}
