namespace CmekTools;

/// <summary>One change, from its announcement in the journal to how it ended.</summary>
public sealed record CmekJournalEntry
{
    /// <summary>When it was announced: before the request was sent.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>How it ended: done, failed, cancelled, or unknown where the process stopped in between.</summary>
    public required string Outcome { get; init; }

    /// <summary>When it ended, or null.</summary>
    public DateTimeOffset? EndTime { get; init; }

    /// <summary>The command.</summary>
    public string? Command { get; init; }

    /// <summary>The run of the command that it belongs to.</summary>
    public string? RunId { get; init; }

    /// <summary>The service's call, for example kms:PutKeyPolicy.</summary>
    public string? Kind { get; init; }

    /// <summary>The resource.</summary>
    public string? Target { get; init; }

    /// <summary>What was to be done.</summary>
    public string? Summary { get; init; }

    /// <summary>The resource as it was, JSON.</summary>
    public string? Before { get; init; }

    /// <summary>The resource as it was to be, JSON.</summary>
    public string? After { get; init; }

    /// <summary>Why it failed, or null.</summary>
    public string? Message { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Time:O} {Outcome} {Kind} {Target}: {Summary}";
}
